"""Forward mode: directional derivatives and Hessian-vector products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from multimlp.backend import Array, Backend
from multimlp.errors import InputError, NotDifferentiableError
from multimlp.transforms._call import Call, Outputs, check_transformed, explained
from multimlp.transforms._directions import directions
from multimlp.transforms._reverse import grad, no_floats
from multimlp.tree import Tree


def jvp(f: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree]) -> tuple[Tree, Tree]:
    """``(outputs, J v)``: the directional derivative of ``f`` at ``primals`` along ``tangents``.

    Both are tuples, an entry for each argument of ``f``; the tangents are trees like the primals, of arrays of the same shapes and
    dtypes.

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
    return _directional(f, primals, tangents, lambda backend: backend.jvp)


Derivative = Callable[[Callable[..., Any], tuple[Array, ...], tuple[Array, ...]], tuple[Any, Any]]


def _directional(
    f: Callable[..., Any],
    primals: Sequence[Tree],
    tangents: Sequence[Tree],
    choose: Callable[[Backend], Derivative],
) -> tuple[Tree, Tree]:
    primals, tangents = _arguments(primals, "primals"), _arguments(tangents, "tangents")
    call = Call(f, tuple(range(len(primals))), primals, {}, "jvp")
    backend, outputs = call.backend, Outputs()

    def flat(arrays: Sequence[Array]) -> tuple[Array, ...]:
        result = call(arrays)
        found = outputs.split(result)
        if not found:
            raise NotDifferentiableError(no_floats("jvp", result))
        return found

    with backend.scope_of(*call.arrays):
        along = directions(backend, tangents, call.gradients(call.arrays), ("jvp: a tangent", "primal"))
        values, derivatives = explained(backend, choose(backend), flat, call.arrays, along)
    return outputs.join(values), outputs.join(derivatives)


def _arguments(given: Sequence[Tree], name: str) -> tuple[Tree, ...]:
    if not isinstance(given, (tuple, list)):
        raise InputError(
            f"jvp: {name} must be a tuple with an entry for each argument, got {type(given).__name__}; write ({name[:-1]},)"
        )
    return tuple(given)


def hvp(f: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
    """Hessian-vector product H v of a scalar function, without forming H: forward over reverse where the library has a forward mode
    of its own, else reverse over reverse, since H is symmetric.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.hvp(lambda x: mm.array_namespace(x).sum(x**3), (np.asarray([1.0, 2.0]),), (np.asarray([1.0, 1.0]),))
    array([ 6., 12.])
    """
    check_transformed("hvp", f)
    positions = tuple(range(len(_arguments(primals, "primals"))))
    products = _directional(lambda *args: grad(f, positions)(*args), primals, tangents, _of_gradient)[1]
    return products[0] if len(positions) == 1 else products


def _of_gradient(backend: Backend) -> Derivative:
    """The directional derivative of a gradient."""
    if backend.capabilities.forward_mode == "native":
        return backend.jvp

    def transposed(
        function: Callable[..., Any], arrays: tuple[Array, ...], along: tuple[Array, ...]
    ) -> tuple[Any, Any]:
        outputs, pullback = backend.vjp(function, arrays)
        return outputs, pullback(along)

    return transposed
