"""Taylor mode: the derivatives of a function along a path, all orders in one pass, and the Laplacian."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from multimlp._typing import Array, Arrays, Library
from multimlp.tape._array import device_of
from multimlp.tape._state import RECORDING, call_forward, new_level
from multimlp.tape.batched import NeedsLoop
from multimlp.tape.namespace import TracedNamespace, traced_type
from multimlp.tape.series import Frame, Series, Terms
from multimlp.tape.series_slopes import derivatives


def jet(
    function: Callable[[Arrays], Arrays],
    arrays: Arrays,
    series: Sequence[Terms],
    order: int,
    library: Library,
) -> tuple[Arrays, list[list[Array]]]:
    """The outputs of a function, and their derivatives along a path through its inputs.

    Parameters
    ----------
    function : callable
        From a tuple of arrays to a tuple of arrays.
    arrays : tuple of array
        The point.
    series : sequence
        For each array the derivatives of the path, of its shape; None for zeros.
    order : int
        How many there are.
    library : Library
        Whose arrays these are.

    Returns
    -------
    outputs : tuple of array
    derivatives : list of list of array
        For each output those of the orders 1, 2, ..., ``order``.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import tape
    >>> x, one = np.asarray(2.0), np.asarray(1.0)
    >>> _, ((first, second),) = tape.jet(lambda xs: (xs[0] ** 3,), (x,), [(one, None)], 2, mm.get_backend("numpy"))
    >>> float(first), float(second)
    (12.0, 12.0)
    """
    xp = _namespace_of(library)
    level = new_level()
    inputs = tuple(
        x if all(term is None for term in terms) else xp.series((x, *terms), level)
        for x, terms in zip(arrays, series, strict=True)
    )
    outputs = call_forward((*RECORDING.levels, (library, level)), function, inputs)
    return _values(outputs, level), [[_term(xp, y, level, k) for k in range(1, order + 1)] for y in outputs]


def laplacian(
    function: Callable[[Array], Arrays], x: Array, library: Library
) -> tuple[Arrays, tuple[Array, ...]]:
    """The outputs of a function of one array, and the sums of their second derivatives along each of its elements.

    All directions go forward together, and of the second derivatives their sum alone; one by one where something has no rule for many.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import tape
    >>> _, (found,) = tape.laplacian(lambda x: (np.float64(0.5) * x * x,), np.asarray([3.0, 4.0]), mm.get_backend("numpy"))
    >>> found
    array([1., 1.])
    """
    xp = _namespace_of(library)
    size = math.prod(x.shape)
    unit = xp.reshape(xp.eye(size, dtype=x.dtype, device=device_of(x)), (size, *x.shape))
    directions, level = new_level(), new_level()
    point = xp.series((x, xp.batched(unit, directions), None), level, directions)
    open_levels = (*RECORDING.levels, (library, directions), (library, level))
    try:
        outputs = call_forward(open_levels, function, point)
    except NeedsLoop as need:
        if need.level != directions:
            raise
        return _one_by_one(function, x, unit, library)
    return _values(outputs, level), tuple(_term(xp, y, level, 2) for y in outputs)


def _one_by_one(
    function: Callable[[Array], Arrays], x: Array, unit: Array, library: Library
) -> tuple[Arrays, tuple[Array, ...]]:
    """The Laplacian by a `jet` along each of the unit arrays."""
    outputs: Arrays = ()
    totals: list[Array] = []
    for i in range(unit.shape[0]):
        outputs, found = jet(lambda xs: function(xs[0]), (x,), [(unit[i, ...], None)], 2, library)
        seconds = [second for _, second in found]
        totals = [a + b for a, b in zip(totals, seconds, strict=True)] if totals else seconds
    return outputs, tuple(totals)


def composed(x: Series, function: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Any:
    """``function(x)``, element by element, with the derivatives that follow from ``slope``, its first.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import tape
    >>> def cube(xs):
    ...     return (tape.composed(xs[0], lambda x: x**3, lambda x: 3.0 * x * x),)
    >>> x, one = np.asarray(2.0), np.asarray(1.0)
    >>> _, (found,) = tape.jet(cube, (x,), [(one, None)], 2, mm.get_backend("numpy"))
    >>> [float(y) for y in found]
    [12.0, 12.0]
    """
    xp = x.__multimlp_namespace__
    frame, value = Frame(xp, x), x.value
    return frame.composed(function(value), derivatives(slope, xp, value, frame.order), x.terms)


def _namespace_of(library: Library) -> TracedNamespace:
    namespace: TracedNamespace = traced_type(library).__multimlp_namespace__
    return namespace


def _is_at(y: Any, level: int) -> bool:
    return isinstance(y, Series) and y.level == level


def _values(outputs: Arrays, level: int) -> Arrays:
    return tuple(y.value if _is_at(y, level) else y for y in outputs)


def _term(xp: Any, y: Any, level: int, order: int) -> Array:
    term = y.terms[order] if _is_at(y, level) else None
    return xp.zeros_like(y.value if _is_at(y, level) else y) if term is None else term
