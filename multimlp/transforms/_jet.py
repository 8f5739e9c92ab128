"""Taylor mode: derivatives of many orders in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from multimlp import tape
from multimlp.backend import Array, is_array
from multimlp.errors import InputError
from multimlp.transforms._call import Call, Outputs, check_transformed, explained
from multimlp.transforms._directions import directions
from multimlp.tree import Tree


def jet(f: Callable[..., Any], primals: Sequence[Any], series: Sequence[Sequence[Any]]) -> tuple[Tree, Tree]:
    r"""``(outputs, derivatives)``: the derivatives of ``f(x(t))`` in t, of the orders 1 to K in one pass.

    What is given of each argument is a path :math:`x(t)`: its value :math:`x(0)` among the primals, and in the series
    :math:`x'(0), x''(0), \ldots, x^{(K)}(0)`. With the series ``(v, 0, 0)`` the result holds the derivatives of f along v. These are
    derivatives, not Taylor coefficients: no factorials are divided by. Conventions and results are those of `jax.experimental.jet`.

    Parameters
    ----------
    f : callable
        Of arrays; returns a tree of arrays.
    primals : tuple of array
        One for each argument of ``f``; a Python float may stand for an array of shape ().
    series : tuple of sequences of array
        For each argument as many arrays of its shape and dtype as there are orders; None, or the number 0, for zeros, which cost
        nothing.

    Returns
    -------
    outputs : tree
        ``f(*primals)``
    derivatives : tree
        Like the outputs, with a list of K arrays in the place of each.

    Raises
    ------
    InputError, ShapeError, DTypeError, MixedBackendsError
        If the series differ in length, or a term in shape, dtype or library from its primal.
    NotDifferentiableError
        If a primal is no floating-point array.
    MissingRuleError
        If ``f`` calls a function that has no rule, and names it.

    Notes
    -----
    There are rules for every differentiable function of the standard but the singular and eigenvalue decompositions, ``qr``, ``pinv``
    and the Fourier transforms, and for every activation, whose derivatives follow from the closed form of the first one. At a kink
    all derivatives follow the branch, or the mean of two branches, that the first derivative of reverse mode follows.

    It is array operations of the library and nothing else: `jit` compiles it, `grad` differentiates it, `vmap` maps it.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> x, one = np.asarray(2.0), np.asarray(1.0)
    >>> value, (first, second, third) = mm.jet(lambda x: x**3, (x,), ((one, 0, 0),))
    >>> float(value), float(first), float(second), float(third)
    (8.0, 12.0, 12.0, 6.0)
    """
    check_transformed("jet", f)
    primals, given = (
        _sequence(primals, "primals"),
        [_sequence(s, "series") for s in _sequence(series, "series")],
    )
    if len(primals) != len(given):
        raise InputError(
            f"jet: {len(primals)} primals but {len(given)} series; give one series for each argument"
        )
    orders = sorted({len(terms) for terms in given})
    if len(orders) != 1 or orders[0] == 0:
        raise InputError(
            f"jet: the series must have as many terms each, one or more, got {', '.join(map(str, orders)) or 'none'}; "
            "None stands for a term of zeros"
        )
    call = Call(f, tuple(range(len(primals))), primals, {}, "jet")
    backend, outputs = call.backend, Outputs()
    if len(call.arrays) != len(primals):
        raise InputError(
            "jet: each primal must be one array; close over trees, or give their arrays one by one"
        )

    def term(array: Array, x: Any) -> Any:
        if x is None or (not is_array(x) and isinstance(x, (int, float)) and x == 0):
            return None
        return directions(backend, (x,), (array,), ("jet: a term of the series", "primal"))[0]

    with backend.scope_of(*call.arrays):
        terms = [[term(array, x) for x in row] for array, row in zip(call.arrays, given, strict=True)]
        values, found = explained(
            backend,
            tape.jet,
            lambda arrays: outputs.split(call(arrays)),
            call.arrays,
            terms,
            orders[0],
            backend,
        )
    return outputs.join(values), outputs.join(found)


def _sequence(given: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(given, (tuple, list)):
        raise InputError(
            f"jet: {name} must be a tuple with an entry for each argument, and each series a tuple with an entry for each order, got "
            f"{type(given).__name__}"
        )
    return tuple(given)
