"""`vmap`: a function is called once, with arrays that hide an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp._typing import Array, Arrays, Library, Namespace
from multimlp.tape._array import device_of
from multimlp.tape._state import RECORDING, call_with, new_level
from multimlp.tape.batched import NeedsLoop
from multimlp.tape.namespace import owned, refuses_traced, traced_type


def vmap(function: Callable[[Arrays], Arrays], arrays: Arrays, library: Library) -> Arrays | None:
    """The function of all rows at once, or None if it has to be called row by row.

    Parameters
    ----------
    function : callable
        From a tuple of arrays to a tuple of arrays.
    arrays : tuple of array
        Each with the rows along its first axis, equally many.
    library : Library
        Whose arrays these are.

    Returns
    -------
    tuple of array, or None
        The results with the rows along the first axis, in memory of their own.
    """
    if refuses_traced(library):
        return None
    xp: Any = traced_type(library).__multimlp_namespace__
    level, batched = new_level(), xp.batched
    rows = arrays[0].shape[0]
    try:
        results = call_with(
            (*RECORDING.levels, (library, level)), function, tuple(batched(a, level) for a in arrays)
        )
        return tuple(_outside(xp, y, level, rows, arrays) for y in results)
    except NeedsLoop as need:
        if need.level != level:
            raise
        return None
    except Exception:  # calls with one row each succeed, or say what is wrong with one
        return None


def _outside(xp: Namespace, y: Any, level: int, rows: int, inputs: Arrays) -> Array:
    """A result with the rows along its first axis."""
    if type(y) is not xp.batched or y.level != level:  # the same for all
        row = xp.expand_dims(y, axis=0)
        return xp.take(row, xp.zeros(rows, dtype=xp.int64, device=device_of(y)), axis=0)
    return owned(xp, y.value, {id(given) for given in inputs})
