"""Forward mode: directional derivatives and Hessian-vector products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from multimlp.backend import Array
from multimlp.errors import InputError, NotDifferentiableError
from multimlp.transforms._call import Call, Outputs, check_transformed, explained
from multimlp.transforms._directions import directions
from multimlp.transforms._engine import engine
from multimlp.transforms._reverse import gradient_of, no_floats
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
    call, along = _call(f, primals, tangents, "jvp")
    backend, outputs = call.backend, Outputs()

    def flat(arrays: Sequence[Array]) -> tuple[Array, ...]:
        result = call(arrays)
        found = outputs.split(result)
        if not found:
            raise NotDifferentiableError(no_floats("jvp", result))
        return found

    with backend.scope_of(*call.arrays):
        values, derivatives = explained(backend, engine(backend, call.arrays).jvp, flat, call.arrays, along)
    return outputs.join(values), outputs.join(derivatives)


def hvp(f: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
    """Hessian-vector product H v of a scalar function, without forming H.

    Arguments and errors are those of `jvp`; the result is like the primals, of one primal like that.

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
