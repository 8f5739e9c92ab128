"""Function transforms on every backend: the public face of the adapters, with JAX's names and argument order.

A transform looks at the arrays it is called with, asks their library's adapter, and hands it flat tuples; trees, ``argnums``,
auxiliary outputs and all checks are dealt with here, once. Transforms nest: ``jit(vmap(grad(f)))``, ``grad(grad(f))``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from multimlp import registry, tree
from multimlp.backend import Backend
from multimlp.errors import (
    DTypeError,
    InputError,
    NonScalarError,
    NotDifferentiableError,
    ShapeError,
)
from multimlp.registry import Array
from multimlp.selection import get_backend, select
from multimlp.tree import Tree

ArgNums = int | Sequence[int]


# ---- what the transforms share ---------------------------------------------------------------------------------------


def _owner(leaves: Sequence[Any]) -> Backend:
    """The adapter of the arrays among the leaves; Python numbers alone go to the selected backend."""
    return registry.common_owner(leaves) or get_backend()


def _floating(backend: Backend, leaf: Any, where: str) -> Array:
    """``leaf`` as an array that can be differentiated, or a clear error that says where it stood."""
    if isinstance(leaf, float) and not registry.is_array(leaf):
        return backend.asarray(leaf, dtype=select(backend).dtype)
    if not registry.is_array(leaf):
        raise NotDifferentiableError(
            f"{where}: cannot differentiate with respect to {leaf!r} of type {type(leaf).__name__}; "
            "give a floating-point array, or leave this argument out of argnums"
        )
    if not backend.xp.isdtype(leaf.dtype, "real floating") and backend.dtype_name(leaf.dtype) != "bfloat16":
        raise NotDifferentiableError(
            f"{where}: cannot differentiate with respect to an array of dtype {backend.dtype_name(leaf.dtype)}; "
            "convert it to a real floating-point dtype first"
        )
    return leaf


def _same_dtype(backend: Backend, arrays: Sequence[Array], others: Sequence[Any], name: str) -> None:
    kinds = {backend.dtype_name(a.dtype) for a in (*arrays, *(o for o in others if registry.is_array(o)))}
    floats = sorted(kind for kind in kinds if kind.startswith(("float", "bfloat")))
    if len(floats) > 1:
        raise DTypeError(
            f"{name}: arguments of different floating dtypes: {' and '.join(floats)}. Backends promote these differently; "
            "convert them to one dtype first"
        )


def _scalar(backend: Backend, value: Any, name: str) -> Array:
    if not registry.is_array(value):
        if isinstance(value, tuple):
            raise NonScalarError(
                f"{name}: the function returned a tuple; if it returns (value, aux), pass has_aux=True"
            )
        raise NonScalarError(
            f"{name}: the function returned {value!r}, not an array of the {backend.name} backend"
        )
    if tuple(value.shape) != ():
        raise NonScalarError(
            f"{name}: the function must return a scalar (shape ()), got shape {tuple(value.shape)}; "
            "reduce it (xp.sum, xp.mean), or use jacobian or vjp"
        )
    if not backend.xp.isdtype(value.dtype, "real floating") and backend.dtype_name(value.dtype) != "bfloat16":
        raise NonScalarError(
            f"{name}: the function returned a scalar of dtype {backend.dtype_name(value.dtype)}; it must be floating-point"
        )
    return value


def _positions(argnums: ArgNums, count: int, name: str) -> tuple[int, ...]:
    given = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for position in given:
        if not isinstance(position, int) or not -count <= position < count:
            raise InputError(
                f"{name}: argnums={argnums!r} does not fit a call with {count} positional argument{'s' * (count != 1)}"
            )
    return tuple(position % count for position in given)


class _Outputs:
    """Splits a function's output tree into arrays for the adapter, and puts the tree together again afterwards."""

    def __init__(self) -> None:
        self._rebuild: Callable[[Any], Tree] = lambda leaves: leaves
        self._constants: dict[int, Any] = {}

    def split(self, outputs: Tree) -> tuple[Array, ...]:
        leaves, self._rebuild = tree.flatten(outputs)
        self._constants = {i: leaf for i, leaf in enumerate(leaves) if not registry.is_array(leaf)}
        return tuple(leaf for i, leaf in enumerate(leaves) if i not in self._constants)

    def join(self, arrays: Sequence[Array]) -> Tree:
        supply = iter(arrays)
        count = len(arrays) + len(self._constants)
        return self._rebuild(
            [self._constants[i] if i in self._constants else next(supply) for i in range(count)]
        )


class _Call:
    """One call of a transformed function: its differentiated leaves, its backend, and how to call with other leaves."""

    def __init__(
        self,
        function: Callable[..., Any],
        argnums: ArgNums,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str,
    ) -> None:
        self.single = isinstance(argnums, int)
        positions = _positions(argnums, len(args), name)
        chosen, self._rebuild = tree.flatten(tuple(args[p] for p in positions))
        rest = tree.leaves((tuple(a for p, a in enumerate(args) if p not in positions), kwargs))
        self.backend = _owner((*chosen, *rest))
        self.arrays = tuple(_floating(self.backend, leaf, f"{name}, argument {argnums}") for leaf in chosen)
        _same_dtype(self.backend, self.arrays, rest, name)
        self._function, self._positions, self._args, self._kwargs = function, positions, args, kwargs

    def __call__(self, arrays: Sequence[Array]) -> Any:
        args = list(self._args)
        for position, value in zip(self._positions, self._rebuild(arrays), strict=True):
            args[position] = value
        return self._function(*args, **self._kwargs)

    def gradients(self, arrays: Sequence[Array]) -> Tree:
        """Arrays as a tree like the argument (or a tuple of trees like the arguments) differentiated."""
        trees = self._rebuild(arrays)
        return trees[0] if self.single else trees


# ---- reverse mode ----------------------------------------------------------------------------------------------------


def value_and_grad(f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that returns ``(f(*args), gradient)``.

    Parameters
    ----------
    f : callable
        Returns a scalar array, or ``(scalar, aux)`` with ``has_aux``.
    argnums : int or sequence of int
        Which positional arguments (trees of floating-point arrays) to differentiate with respect to. A sequence gives a tuple.
    has_aux : bool
        Whether ``f`` returns auxiliary output too; then the result is ``((value, aux), gradient)``.

    Raises
    ------
    NonScalarError
        If ``f`` does not return a floating-point scalar.
    NotDifferentiableError
        If an argument holds integers, booleans or no arrays.
    MixedBackendsError, DTypeError
        If arguments belong to two libraries or have two floating dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> value, gradient = mm.value_and_grad(lambda x: mm.array_namespace(x).sum(x * x))(np.asarray([1.0, 2.0]))
    >>> float(value), gradient
    (5.0, array([2., 4.]))
    """

    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = _Call(f, argnums, args, kwargs, "grad")
        backend, outputs = call.backend, _Outputs()

        def scalar_and_aux(arrays: Sequence[Array]) -> tuple[Array, tuple[Array, ...]]:
            result = call(arrays)
            value, aux = _unpack_aux(result) if has_aux else (result, None)
            return _scalar(backend, value, "grad"), outputs.split(aux)

        with backend.scope_of(*call.arrays):
            value, aux, gradients = backend.value_and_grad(scalar_and_aux)(call.arrays)
        return ((value, outputs.join(aux)) if has_aux else value), call.gradients(gradients)

    return transformed


def _unpack_aux(result: Any) -> tuple[Any, Any]:
    if not (isinstance(result, tuple) and len(result) == 2):
        raise InputError(f"has_aux=True: the function must return (value, aux), got {type(result).__name__}")
    return result


def grad(f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient function of a scalar function; with ``has_aux`` it returns ``(gradient, aux)``.

    Parameters, errors: as `value_and_grad`.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.grad(lambda x: mm.array_namespace(x).sum(mm.activations.relu(x)))(np.asarray([-1.0, 0.0, 2.0]))
    array([0., 0., 1.])
    """
    value_and_gradient = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        value, gradient = value_and_gradient(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return transformed


def vjp(f: Callable[..., Any], *primals: Tree, has_aux: bool = False) -> tuple[Any, ...]:
    """``(outputs, pullback)``: ``pullback(cotangents)`` is the tuple of cotangents of the primals, J^T v.

    With ``has_aux`` the function returns ``(outputs, aux)`` and the result is ``(outputs, pullback, aux)``.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> outputs, pullback = mm.vjp(lambda x: x * x, np.asarray([1.0, 2.0]))
    >>> pullback(np.asarray([1.0, 10.0]))
    (array([ 2., 40.]),)
    """
    call = _Call(f, tuple(range(len(primals))), primals, {}, "vjp")
    backend, outputs, auxiliary = call.backend, _Outputs(), _Outputs()
    count = 0

    def flat(arrays: Sequence[Array]) -> tuple[Array, ...]:
        nonlocal count
        result, aux = _unpack_aux(call(arrays)) if has_aux else (call(arrays), None)
        arrays_out = outputs.split(result)
        count = len(arrays_out)
        return (*arrays_out, *auxiliary.split(aux))

    with backend.scope_of(*call.arrays):
        flat_outputs, flat_pullback = backend.vjp(flat, call.arrays)
    aux_arrays = flat_outputs[count:]

    def pullback(cotangents: Tree) -> Tree:
        given = tuple(tree.leaves(tree.map(lambda _, c: c, outputs.join(flat_outputs[:count]), cotangents)))
        with backend.scope_of(*call.arrays):
            padded = (*given, *(backend.xp.zeros_like(a) for a in aux_arrays))
            return call.gradients(flat_pullback(padded))

    result = outputs.join(flat_outputs[:count])
    return (result, pullback, auxiliary.join(aux_arrays)) if has_aux else (result, pullback)


def elementwise_grad(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """The derivative of an element-wise function, element by element: an array of the argument's shape.

    Defined as the gradient of ``sum(f(x))``, so it is the derivative only if each output depends on its own input alone.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.elementwise_grad(mm.activations.tanh)(np.asarray([0.0, 1.0])).round(4)
    array([1.  , 0.42])
    """

    def total(*args: Any, **kwargs: Any) -> Array:
        result = f(*args, **kwargs)
        return registry.array_namespace(result).sum(result)

    return functools.wraps(f)(grad(total, argnums))


# ---- forward mode ----------------------------------------------------------------------------------------------------


def jvp(f: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree]) -> tuple[Tree, Tree]:
    """``(outputs, J v)``: the directional derivative of ``f`` at ``primals`` along ``tangents``.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.jvp(lambda x: x * x, (np.asarray([1.0, 2.0]),), (np.asarray([1.0, 10.0]),))[1]
    array([ 2., 40.])
    """
    primals, tangents = tuple(primals), tuple(tangents)
    call = _Call(f, tuple(range(len(primals))), primals, {}, "jvp")
    directions = tuple(tree.leaves(tree.map(lambda _, t: t, primals, tangents)))
    for array, direction in zip(call.arrays, directions, strict=True):
        if registry.is_array(direction) and tuple(direction.shape) != tuple(array.shape):
            raise ShapeError(
                f"jvp: a tangent has shape {tuple(direction.shape)}, its primal {tuple(array.shape)}; they must be equal"
            )
    outputs = _Outputs()
    with call.backend.scope_of(*call.arrays):
        values, derivatives = call.backend.jvp(
            lambda arrays: outputs.split(call(arrays)), call.arrays, directions
        )
    return outputs.join(values), outputs.join(derivatives)


def hvp(f: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
    """Hessian-vector product H v of a scalar function, without forming H (forward over reverse).

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.hvp(lambda x: mm.array_namespace(x).sum(x**3), (np.asarray([1.0, 2.0]),), (np.asarray([1.0, 1.0]),))
    array([ 6., 12.])
    """
    positions = tuple(range(len(primals)))
    products = jvp(lambda *args: grad(f, positions)(*args), primals, tangents)[1]
    return products[0] if len(positions) == 1 else products


# ---- whole derivatives -----------------------------------------------------------------------------------------------


def jacobian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """The function that returns the Jacobian: for each output of shape ``o`` and input of shape ``i`` an array ``o + i``.

    Reverse mode, one pullback per output element, vectorised where the backend can.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.jacobian(lambda x: x * x)(np.asarray([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = _Call(f, argnums, args, kwargs, "jacobian")
        backend, outputs = call.backend, _Outputs()
        with backend.scope_of(*call.arrays):
            values, pullback = backend.vjp(lambda arrays: outputs.split(call(arrays)), call.arrays)
            rows = [_rows(backend, pullback, values, i, call.arrays) for i in range(len(values))]
        return tree.map(call.gradients, outputs.join([_Leaf(row) for row in rows]))

    return transformed


class _Leaf(Sequence[Any]):
    """Keeps a sequence of arrays together as one leaf of a tree."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)


def _rows(
    backend: Backend,
    pullback: Callable[..., Any],
    values: Sequence[Array],
    index: int,
    inputs: Sequence[Array],
) -> tuple[Array, ...]:
    """The derivative of output ``index`` with respect to every input: one unit cotangent per output element."""
    value = values[index]
    shape = tuple(value.shape)
    size = 1
    for extent in shape:
        size *= extent
    xp = registry.array_namespace(value)
    units = xp.reshape(xp.eye(size, dtype=value.dtype), (size, *shape))

    def row(unit: tuple[Array, ...]) -> tuple[Array, ...]:
        return pullback(tuple(unit[0] if i == index else xp.zeros_like(v) for i, v in enumerate(values)))

    columns = backend.vmap(row)((units,))
    return tuple(xp.reshape(c, (*shape, *tuple(x.shape))) for c, x in zip(columns, inputs, strict=True))


def hessian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """The function that returns the Hessian of a scalar function: ``jacobian(grad(f))``.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.hessian(lambda x: x[0] * x[1] ** 2)(np.asarray([1.0, 2.0]))
    array([[0., 4.],
           [4., 2.]])
    """
    return jacobian(grad(f, argnums), argnums)


# ---- vectorise, compile, loop ----------------------------------------------------------------------------------------


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: int = 0) -> Callable[..., Any]:
    """Vectorise a function over an axis of its arguments.

    Parameters
    ----------
    f : callable
        Of arrays without the mapped axis.
    in_axes : int, None, or a sequence of these per positional argument
        Which axis of each array of the argument is mapped; None: not mapped, given whole to each call.
    out_axes : int
        Where the mapped axis stands in the outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.vmap(lambda row, w: mm.array_namespace(row).sum(row * w), in_axes=(0, None))(np.ones((2, 3)), np.arange(3.0))
    array([3., 3.])
    """

    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        axes = tuple(in_axes) if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise InputError(f"vmap: in_axes has {len(axes)} entries for {len(args)} positional arguments")
        leaves, rebuild = tree.flatten(args)
        leaf_axes = [axis for argument, axis in zip(args, axes, strict=True) for _ in tree.leaves(argument)]
        mapped = [i for i, axis in enumerate(leaf_axes) if axis is not None]
        if not mapped:
            raise InputError(
                "vmap: every in_axes is None (or no argument holds an array); there is nothing to map over"
            )
        backend = registry.owner(*leaves, *tree.leaves(kwargs))
        size = _mapped_size(leaves, leaf_axes, mapped)
        xp = registry.array_namespace(*(leaves[i] for i in mapped))
        fronted = tuple(
            xp.moveaxis(leaves[i], leaf_axes[i], 0) if leaf_axes[i] else leaves[i] for i in mapped
        )
        outputs = _Outputs()

        def one(arrays: Sequence[Array]) -> tuple[Array, ...]:
            filled = list(leaves)
            for i, array in zip(mapped, arrays, strict=True):
                filled[i] = array
            return outputs.split(f(*rebuild(filled), **kwargs))

        if size == 0:
            raise ShapeError("vmap: the mapped axis has size 0")
        with backend.scope_of(*fronted):
            results = backend.vmap(one)(fronted)
            if out_axes:
                results = tuple(registry.array_namespace(r).moveaxis(r, 0, out_axes) for r in results)
        return outputs.join(results)

    return transformed


def _mapped_size(leaves: Sequence[Any], axes: Sequence[int | None], mapped: Sequence[int]) -> int:
    sizes = set()
    for i in mapped:
        shape = tuple(leaves[i].shape) if registry.is_array(leaves[i]) else ()
        axis = axes[i]
        if not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
            raise ShapeError(f"vmap: in_axes={axis!r} does not fit an argument of shape {shape}")
        sizes.add(shape[axis])
    if len(sizes) > 1:
        raise ShapeError(f"vmap: the mapped axes have different sizes: {', '.join(map(str, sorted(sizes)))}")
    return sizes.pop()


def jit(
    f: Callable[..., Any], static_argnums: ArgNums = (), compiler: str | None = None
) -> Callable[..., Any]:
    """Compile a function; on backends without a compiler it is returned working as it is.

    Arrays (and Python floats, as 0-d arrays) are inputs of the compiled function; everything else among the leaves of the
    arguments (integers, strings, callables, ...) is a constant: another value compiles again.

    Parameters
    ----------
    f : callable
        Pure: of its arguments only, without side effects.
    static_argnums : int or sequence of int
        Positional arguments to treat as constants although they hold arrays or floats; must be hashable.
    compiler : str, optional
        One of the backend's ``capabilities.compilers``, or ``"none"``.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.jit(lambda x: mm.activations.relu(x) + 1.0)(np.asarray([-1.0, 1.0]))
    array([1., 2.])
    """
    compiled: dict[Any, tuple[Callable[..., Any], _Outputs]] = {}
    fixed = {static_argnums} if isinstance(static_argnums, int) else set(static_argnums)

    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        leaves, rebuild = tree.flatten((args, kwargs))
        held = {id(leaf) for p in fixed if p < len(args) for leaf in tree.leaves(args[p])}
        dynamic = [
            i
            for i, leaf in enumerate(leaves)
            if id(leaf) not in held and (registry.is_array(leaf) or isinstance(leaf, float))
        ]
        backend = _owner([leaves[i] for i in dynamic])
        constants = {i: leaf for i, leaf in enumerate(leaves) if i not in set(dynamic)}
        kind = _float_kind(backend, [leaves[i] for i in dynamic])
        arrays = tuple(
            leaf if registry.is_array(leaf) else backend.asarray(leaf, dtype=kind)
            for leaf in (leaves[i] for i in dynamic)
        )
        traced = registry.array_namespace(*arrays) is not backend.xp if arrays else False
        signature = tuple((tuple(a.shape), str(a.dtype)) for a in arrays)
        key = (
            backend.name,
            traced,
            tree.structure((args, kwargs)),
            _hashable(constants),
            tuple(dynamic),
            signature,
        )
        if key not in compiled:
            outputs = _Outputs()

            def flat(arrays: Sequence[Array]) -> tuple[Array, ...]:
                filled = [constants.get(i) for i in range(len(leaves))]
                for i, array in zip(dynamic, arrays, strict=True):
                    filled[i] = array
                inner_args, inner_kwargs = rebuild(filled)
                return outputs.split(f(*inner_args, **inner_kwargs))

            compiled[key] = (flat if traced else backend.compile(flat, compiler)), outputs
        function, outputs = compiled[key]
        with backend.scope_of(*arrays):
            return outputs.join(function(arrays))

    return transformed


def _float_kind(backend: Backend, leaves: Sequence[Any]) -> str:
    for leaf in leaves:
        if registry.is_array(leaf) and backend.xp.isdtype(leaf.dtype, "real floating"):
            return backend.dtype_name(leaf.dtype)
    return select(backend).dtype


def _hashable(constants: dict[int, Any]) -> tuple[Any, ...]:
    items = tuple((i, type(value), value) for i, value in constants.items())
    try:
        hash(items)
    except TypeError as error:
        raise InputError(f"jit: an argument that is no array must be hashable: {error}") from error
    return items


def scan(
    f: Callable[[Tree, Tree], tuple[Tree, Tree]], init: Tree, xs: Tree, length: int | None = None
) -> tuple[Tree, Tree]:
    """``carry, y = f(carry, x)`` over the leading axis of ``xs``; the last carry and all ``y``, stacked.

    Parameters
    ----------
    f : callable
        ``(carry, x) -> (carry, y)``; the carry keeps its structure, shapes and dtypes.
    init : tree of arrays
    xs : tree of arrays with the same leading size, or None
    length : int, optional
        Number of steps; needed when ``xs`` is None.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> total, partial = mm.scan(lambda c, x: (c + x, c + x), np.asarray(0.0), np.arange(4.0))
    >>> float(total), partial
    (6.0, array([0., 1., 3., 6.]))
    """
    carry, rebuild_carry = tree.flatten(init)
    items, rebuild_items = tree.flatten(xs)
    sizes = {int(item.shape[0]) for item in items} | (set() if length is None else {length})
    if len(sizes) != 1:
        raise ShapeError(
            f"scan: the leading sizes of xs and length must agree, got {', '.join(map(str, sorted(sizes))) or 'none'}"
        )
    backend, outputs = _owner((*carry, *items)), _Outputs()

    def step(carry: Sequence[Array], items: Sequence[Array]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        result, row = f(rebuild_carry(carry), rebuild_items(items))
        return tuple(tree.leaves(result)), outputs.split(row)

    with backend.scope_of(*carry, *items):
        last, rows = backend.scan(step, tuple(carry), tuple(items), sizes.pop())
    return rebuild_carry(last), outputs.join(rows)


def stop_gradient(x: Tree) -> Tree:
    """The same values, as constants to every derivative.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> float(mm.grad(lambda x: x * mm.stop_gradient(x))(np.asarray(3.0)))
    3.0
    """
    return tree.map(lambda leaf: registry.owner(leaf).stop_gradient(leaf), x)
