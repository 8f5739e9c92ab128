"""What the library of an array is asked about its rows."""

from __future__ import annotations

import numpy as np

from multimlp.backend import Array, owner


def take_rows(array: Array, rows: np.ndarray) -> Array:
    """The rows of these numbers, of an array of any library."""
    if isinstance(array, np.ndarray):
        return array[rows]
    backend = owner(array)
    indices = backend.asarray(rows, dtype="int32", device=backend.device_name(array))
    return backend.xp.take(array, indices, axis=0)


def all_finite(array: Array) -> bool:
    """Whether nothing in an array is NaN or infinite, found out where it lies."""
    backend = owner(array)
    with backend.scope_of(array):
        return bool(backend.xp.all(backend.xp.isfinite(array)))
