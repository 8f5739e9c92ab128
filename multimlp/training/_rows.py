"""What the library of an array is asked about its rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from multimlp.backend import Array, owner
from multimlp.errors import DataError

_AT_ONCE = 1 << 22


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
        return all(bool(backend.xp.all(backend.xp.isfinite(part))) for part in in_parts(array))


def in_parts(array: Array) -> Iterator[Array]:
    """Of many rows one part after another, so that what is found out about them takes no memory of their number."""
    if not array.ndim or array.shape[0] <= _AT_ONCE:
        yield array
        return
    for start in range(0, int(array.shape[0]), _AT_ONCE):
        yield array[start : start + _AT_ONCE, ...]


def is_any_positive(weights: Array) -> bool:
    """Whether any example counts."""
    return bool(np.any(owner(weights).to_numpy(weights) > 0))


def check_size(weights: Array, dtype: str) -> None:
    """`DataError` for weights so small or so large that their sums and products leave the numbers of a dtype: such a batch would teach
    nothing, or NaN."""
    host = np.asarray(owner(weights).to_numpy(weights), dtype=np.float64)
    kind = np.finfo(dtype)
    low, high = float(kind.tiny) / float(kind.eps), float(kind.max) * float(kind.eps)
    largest, total = host.max(initial=0.0), host.sum()
    if 0 < largest < low or not total <= high:
        raise DataError(
            f"sample_weight: expected weights whose sum {dtype} can compute with, from {low:.0e} to {high:.0e}, got {total:.4g}, the "
            f"largest of them {largest:.4g}; scale them, since only their ratios count"
        )


def nothing_to_learn(what: str) -> DataError:
    """The error for examples of which none counts."""
    return DataError(f"{what} are zero, so there is nothing to learn from")
