"""Whole derivatives: Jacobians and Hessians as arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from multimlp import tree
from multimlp.backend import Array, Backend, array_namespace, is_array
from multimlp.errors import NotDifferentiableError
from multimlp.errors.checks import flag
from multimlp.transforms._call import ArgNums, Call, Outputs, check_transformed, explained, positions_given
from multimlp.transforms._engine import engine
from multimlp.transforms._reverse import gradient_of, no_floats, unpack_aux
from multimlp.transforms._transformed import Transformed


def jacrev(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """The function that returns the Jacobian: for each output of shape ``o`` and input of shape ``i`` an array ``o + i``.

    Reverse mode, one pullback per output element, vectorised where the backend can: for functions with fewer outputs than inputs.

    Parameters
    ----------
    f : callable
        Returns a tree of floating-point arrays, or ``(tree, aux)`` with ``has_aux``; then the result is ``(Jacobian, aux)``.
    argnums : int or sequence of int
    has_aux : bool
    holomorphic : bool
        JAX's; True is refused, since derivatives are those of real numbers.

    Returns
    -------
    callable
        Of the arguments of ``f``; returns a tree of arrays, nested as output in input.

    Raises
    ------
    NotDifferentiableError
        If an output, or an argument to differentiate with respect to, is not a floating-point array.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.jacrev(lambda x: x * x)(np.asarray([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return Transformed(
        _by_pullbacks("jacrev", f, argnums, has_aux, holomorphic), jacrev, f, argnums, has_aux, holomorphic
    )


def jacobian(f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """As `jacrev`, whose parameters, results and errors it has; ``holomorphic`` is left out.

    Parameters
    ----------
    f, argnums, has_aux
        As for `jacrev`.

    Returns
    -------
    callable

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.jacobian(lambda x: x * x)(np.asarray([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return Transformed(_by_pullbacks("jacobian", f, argnums, has_aux, False), jacobian, f, argnums, has_aux)


def _by_pullbacks(
    name: str, f: Callable[..., Any], argnums: Any, has_aux: Any, holomorphic: Any
) -> Callable[..., Any]:
    check_transformed(name, f)
    argnums, has_aux = checked_options(name, argnums, has_aux, holomorphic)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = Call(f, argnums, args, kwargs, name)
        backend, outputs = call.backend, _Outputs(call, has_aux, name)
        with backend.scope_of(*call.arrays):
            values, pullback = explained(
                backend, engine(backend, call.arrays).vjp, outputs.split, call.arrays
            )
            rows = [_rows(backend, pullback, values, i, call.arrays) for i in range(outputs.count)]
        return outputs.joined([_Leaf(row) for row in rows], values)

    return transformed


def jacfwd(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """The function that returns the Jacobian, as `jacrev` does, by forward mode.

    One directional derivative per input element, vectorised where the backend can: for functions with fewer inputs than outputs, or about
    as many.

    Parameters
    ----------
    f, argnums, has_aux, holomorphic
        As for `jacrev`.

    Returns
    -------
    callable
        Of the arguments of ``f``, as `jacrev`.

    Raises
    ------
    NotDifferentiableError
        When it is called: if an output, or an argument to differentiate with respect to, is not a floating-point array.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.jacfwd(lambda x: mm.array_namespace(x).stack([x, x * x, x**3]))(np.asarray(2.0))
    array([ 1.,  4., 12.])
    """
    check_transformed("jacfwd", f)
    positions, auxiliary = checked_options("jacfwd", argnums, has_aux, holomorphic)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = Call(f, positions, args, kwargs, "jacfwd")
        backend, outputs, arrays = call.backend, _Outputs(call, auxiliary, "jacfwd"), call.arrays

        def rows() -> tuple[tuple[Array, ...], list[_Leaf]]:
            values, push = engine(backend, arrays).jacobian_products(outputs.split, arrays)
            kept = values[: outputs.count]
            columns = [_columns(backend, push, arrays, i, kept) for i in range(len(arrays))]
            return values, [_Leaf(row) for row in zip(*columns, strict=True)]

        with backend.scope_of(*arrays):
            values, found = explained(backend, rows)
        return outputs.joined(found, values)

    return Transformed(transformed, jacfwd, f, argnums, has_aux, holomorphic)


class _Outputs:
    """The outputs of the function, all floating-point arrays, and after them its auxiliary ones."""

    def __init__(self, call: Call, has_aux: bool, name: str) -> None:
        self._call, self._has_aux, self._name = call, has_aux, name
        self._outputs, self._auxiliary = Outputs(), Outputs()
        self.count = 0

    def split(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        backend = self._call.backend
        result = self._call(arrays)
        result, aux = unpack_aux(result) if self._has_aux else (result, None)
        leaves = tree.leaves(result)
        if not leaves or not all(is_array(leaf) and backend.is_floating(leaf) for leaf in leaves):
            raise NotDifferentiableError(no_floats(self._name, result))
        found = self._outputs.split(result)
        self.count = len(found)
        return (*found, *self._auxiliary.split(aux))

    def joined(self, rows: Sequence[_Leaf], values: Sequence[Array]) -> Any:
        """A tree like the outputs of trees like the arguments; with the auxiliary outputs, if there are."""
        found = tree.map(self._call.gradients, self._outputs.join(rows))
        return (found, self._auxiliary.join(values[self.count :])) if self._has_aux else found


def checked_options(
    name: str, argnums: Any, has_aux: Any, holomorphic: Any
) -> tuple[int | tuple[int, ...], bool]:
    """The options that these transforms share."""
    if flag(f"{name}: holomorphic", holomorphic):
        raise NotDifferentiableError(
            f"{name}: holomorphic=True: derivatives are those of real numbers; differentiate real and imaginary parts"
        )
    return positions_given(f"{name}: argnums", argnums), flag(f"{name}: has_aux", has_aux)


def hessian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """The function that returns the Hessian of a scalar function, as ``jacobian(grad(f))``.

    Parameters
    ----------
    f : callable
        Returns a scalar array.
    argnums : int or sequence of int

    Returns
    -------
    callable
        Of the arguments of ``f``; for an argument of shape ``i`` an array of shape ``i + i``, for trees a tree of them.

    Raises
    ------
    NonScalarError
        If ``f`` does not return a floating-point scalar.
    NotDifferentiableError
        If an argument to differentiate with respect to is not a floating-point array.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.hessian(lambda x: x[0] * x[1] ** 2)(np.asarray([1.0, 2.0]))
    array([[0., 4.],
           [4., 2.]])
    """
    check_transformed("hessian", f)
    argnums = positions_given("hessian: argnums", argnums)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = Call(f, argnums, args, kwargs, "hessian")
        backend, arrays = call.backend, call.arrays

        def rows() -> list[_Leaf]:
            products = engine(backend, arrays).hessian_products(gradient_of(call, "hessian"), arrays)
            columns = [_columns(backend, products, arrays, i, arrays) for i in range(len(arrays))]
            return [_Leaf(row) for row in zip(*columns, strict=True)]

        with backend.scope_of(*arrays):
            found = explained(backend, rows)
        return tree.map(call.gradients, call.gradients(found))

    return Transformed(transformed, hessian, f, argnums)


class _Leaf(Sequence[Any]):
    """Keeps a sequence of arrays together as one leaf of a tree."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)


_PIECE = 2**20
"""Numbers that one array of the vectorised pullbacks may hold on the tape, whose intermediate results are all in memory at once."""


def _in_pieces(backend: Backend, row: Callable[..., Any], units: Array, width: int) -> tuple[Array, ...]:
    """The function of all rows, on the tape so many at a time that memory is bounded."""
    count, step = int(units.shape[0]), max(1, _PIECE // max(width, 1))
    mapped = engine(backend, (units,)).vmap(row)
    if count <= step or backend.capabilities.vmap != "tape":
        found: tuple[Array, ...] = explained(backend, mapped, (units,))
        return found
    pieces = [mapped((units[start : start + step, ...],)) for start in range(0, count, step)]
    return tuple(
        array_namespace(*column).concat(list(column), axis=0) for column in zip(*pieces, strict=True)
    )


def _rows(
    backend: Backend,
    pullback: Callable[..., Any],
    values: Sequence[Array],
    index: int,
    inputs: Sequence[Array],
) -> tuple[Array, ...]:
    """The derivative of output ``index`` with respect to every input: one unit cotangent per output element."""
    value = values[index]
    if 0 in tuple(value.shape):  # an output without elements: no pullback would be called
        return tuple(_nothing(value, x, x) for x in inputs)

    def row(unit: tuple[Array, ...]) -> tuple[Array, ...]:
        xp = array_namespace(value)
        cotangents = tuple(unit[0] if i == index else xp.zeros_like(v) for i, v in enumerate(values))
        rows: tuple[Array, ...] = pullback(cotangents)
        return rows

    count = math.prod(value.shape)
    width = max(count, *(math.prod(x.shape) for x in inputs))
    columns = _in_pieces(backend, pullback if len(values) == 1 else row, _units(value), width)
    return tuple(
        array_namespace(c).reshape(c, (*tuple(value.shape), *tuple(x.shape)))
        for c, x in zip(columns, inputs, strict=True)
    )


def _columns(
    backend: Backend,
    products: Callable[..., Any],
    arrays: Sequence[Array],
    index: int,
    outputs: Sequence[Array],
) -> tuple[Array, ...]:
    """The blocks of a derivative that belong to input ``index``: one product for each of its elements.

    They are columns, and stand as such, also those of a Hessian, which is symmetric: XLA runs the transpose three times as long.
    """
    one, count = arrays[index], len(outputs)
    if 0 in tuple(one.shape):
        return tuple(_nothing(y, one, y) for y in outputs)

    def column(unit: tuple[Array, ...]) -> tuple[Array, ...]:
        xp = array_namespace(one)
        found: tuple[Array, ...] = products(
            tuple(unit[0] if i == index else xp.zeros_like(x) for i, x in enumerate(arrays))
        )
        return found

    width = max(math.prod(x.shape) for x in (*arrays, *outputs))
    found = _in_pieces(backend, products if len(arrays) == 1 else column, _units(one), width)[:count]
    blocks = []
    for block, y in zip(found, outputs, strict=True):
        xp = array_namespace(block)
        block = xp.permute_dims(block, (*range(1, block.ndim), 0))  # torch cannot map moveaxis
        blocks.append(xp.reshape(block, (*tuple(y.shape), *tuple(one.shape))))
    return tuple(blocks)


def _units(like: Array) -> Array:
    """The unit arrays of this shape, one for each of its elements."""
    xp, shape = array_namespace(like), tuple(like.shape)
    size = math.prod(shape)
    place = getattr(like, "device", None) or None  # torch does not compute with arrays of two devices
    return xp.reshape(xp.eye(size, dtype=like.dtype, device=place), (size, *shape))


def _nothing(rows: Array, columns: Array, like: Array) -> Array:
    """A block of which there is no element."""
    shape = (*tuple(rows.shape), *tuple(columns.shape))
    return array_namespace(like).zeros(shape, dtype=like.dtype, device=getattr(like, "device", None))
