"""Forward mode: directional derivatives, linear maps, and Hessian-vector products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from multimlp.backend import Array
from multimlp.errors import InputError, NotDifferentiableError
from multimlp.errors.checks import flag
from multimlp.transforms._call import Call, Outputs, check_transformed, explained
from multimlp.transforms._directions import directions
from multimlp.transforms._engine import engine
from multimlp.transforms._reverse import gradient_of, is_complex, no_floats, unpack_aux
from multimlp.tree import Tree


def jvp(
    f: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree], has_aux: bool = False
) -> tuple[Any, ...]:
    """``(outputs, J v)``: the directional derivative of ``f`` at ``primals`` along ``tangents``.

    Parameters
    ----------
    f : callable
        Returns a tree of arrays; with ``has_aux`` ``(tree, aux)``.
    primals : tuple of trees of floating-point arrays
        An entry for each argument of ``f``.
    tangents : tuple of trees
        Like the primals, of arrays of the same shapes and dtypes.
    has_aux : bool

    Returns
    -------
    outputs : tree of arrays
        ``f(*primals)``
    derivatives : tree of arrays
        J v, of the shapes and dtypes of the outputs.
    aux
        Only with ``has_aux``.

    Raises
    ------
    InputError, ShapeError, DTypeError, MixedBackendsError
        If a tangent is missing, or differs from its primal in shape, dtype or library.
    NotDifferentiableError
        If a primal is no floating-point array.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.jvp(lambda x: x * x, (np.asarray([1.0, 2.0]),), (np.asarray([1.0, 10.0]),))[1]
    array([ 2., 40.])
    """
    check_transformed("jvp", f)
    has_aux = flag("jvp: has_aux", has_aux)
    call, along = _call(f, primals, tangents, "jvp")
    backend, outputs = call.backend, _Outputs(call, has_aux, "jvp")
    with backend.scope_of(*call.arrays):
        values, derivatives = explained(
            backend, engine(backend, call.arrays).jvp, outputs.split, call.arrays, along
        )
    return outputs.joined(values, outputs.join(derivatives))


def linearize(f: Callable[..., Any], *primals: Tree, has_aux: bool = False) -> tuple[Any, ...]:
    """``(outputs, push)``: ``push(*tangents)`` is the directional derivative J v at ``primals``, without another call of ``f``.

    Parameters
    ----------
    f : callable
        Returns a tree of arrays; with ``has_aux`` ``(tree, aux)``.
    *primals : trees of floating-point arrays
        The arguments of ``f``.
    has_aux : bool

    Returns
    -------
    outputs : tree of arrays
        ``f(*primals)``
    push : callable
        Of tangents, one for each primal and as those of `jvp`; returns a tree like the outputs. Its errors are those of `jvp`.
    aux
        Only with ``has_aux``.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> outputs, push = mm.linearize(lambda x: x * x, np.asarray([1.0, 2.0]))
    >>> push(np.asarray([1.0, 0.0])), push(np.asarray([0.0, 1.0]))
    (array([2., 0.]), array([0., 4.]))
    """
    check_transformed("linearize", f)
    has_aux = flag("linearize: has_aux", has_aux)
    call = Call(f, tuple(range(len(primals))), primals, {}, "linearize")
    backend, outputs = call.backend, _Outputs(call, has_aux, "linearize")
    with backend.scope_of(*call.arrays):
        values, flat_push = explained(
            backend, engine(backend, call.arrays).linearize, outputs.split, call.arrays
        )

    def push(*tangents: Tree) -> Tree:
        of = call.gradients(call.arrays)
        along = directions(backend, tangents, of, ("linearize: a tangent", "primal"))
        with backend.scope_of(*call.arrays):
            return outputs.join(explained(backend, flat_push, along))

    return outputs.joined(values, push)


class _Outputs:
    """The outputs of a function as arrays, and after them its auxiliary ones."""

    def __init__(self, call: Call, has_aux: bool, name: str) -> None:
        self._call, self._has_aux, self._name = call, has_aux, name
        self._outputs, self._auxiliary = Outputs(), Outputs()
        self._count = 0

    def split(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        result = self._call(arrays)
        result, aux = unpack_aux(result) if self._has_aux else (result, None)
        found = self._outputs.split(result)
        if not found or any(is_complex(leaf) for leaf in found):
            raise NotDifferentiableError(no_floats(self._name, result))
        self._count = len(found)
        return (*found, *self._auxiliary.split(aux))

    def join(self, arrays: Sequence[Array]) -> Tree:
        return self._outputs.join(arrays[: self._count])

    def joined(self, values: Sequence[Array], second: Any) -> tuple[Any, ...]:
        """What the transform returns: the outputs, something else, and the auxiliary outputs, if there are."""
        aux = (self._auxiliary.join(values[self._count :]),) if self._has_aux else ()
        return (self.join(values), second, *aux)


def hvp(f: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
    """Hessian-vector product H v of a scalar function, without forming H.

    Parameters
    ----------
    f : callable
        Returns a scalar array.
    primals, tangents : tuple of trees of floating-point arrays
        As for `jvp`.

    Returns
    -------
    tree of arrays, or tuple of trees
        H v, of the shapes and dtypes of the primals; where there is one primal, like that one.

    Raises
    ------
    NonScalarError
        If ``f`` does not return a floating-point scalar.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.hvp(lambda x: mm.array_namespace(x).sum(x**3), (np.asarray([1.0, 2.0]),), (np.asarray([1.0, 1.0]),))
    array([ 6., 12.])
    """
    check_transformed("hvp", f)
    call, along = _call(f, primals, tangents, "hvp")
    backend = call.backend

    def product() -> tuple[Array, ...]:
        products = engine(backend, call.arrays).hessian_products(gradient_of(call, "hvp"), call.arrays)
        return tuple(products(along))

    with backend.scope_of(*call.arrays):
        products = call.gradients(explained(backend, product))
    return products[0] if len(products) == 1 else products


def _call(
    f: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree], name: str
) -> tuple[Call, tuple[Array, ...]]:
    """The call at the primals, and the arrays of the tangents."""
    primals, tangents = _arguments(primals, name, "primals"), _arguments(tangents, name, "tangents")
    call = Call(f, tuple(range(len(primals))), primals, {}, name)
    with call.backend.scope_of(*call.arrays):
        of = call.gradients(call.arrays)
        return call, directions(call.backend, tangents, of, (f"{name}: a tangent", "primal"))


def _arguments(given: Sequence[Tree], transform: str, name: str) -> tuple[Tree, ...]:
    if not isinstance(given, (tuple, list)):
        raise InputError(
            f"{transform}: {name} must be a tuple with an entry for each argument, got {type(given).__name__}; write ({name[:-1]},)"
        )
    return tuple(given)
