"""Tables in single precision, where it holds them."""

from __future__ import annotations

import numpy as np

LOSS_ALLOWED = 1e-6
"""How much of a column's standard deviation float32 may lose."""


def compact(values: np.ndarray) -> np.ndarray:
    """Columns (or one) as float32, or as float64 where that would lose more than a millionth of a column's spread.

    Seconds since 1970 are such a column: float32 holds every 128th of them, and what is standardised afterwards would be
    steps.
    """
    wide = np.ascontiguousarray(values, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = wide.astype(np.float32)
        lost = np.max(np.abs(narrow - wide), axis=0, initial=0.0)
        finite = np.all(np.isfinite(wide), axis=0)  # what is not is refused later
        little = np.isfinite(lost) & (lost <= LOSS_ALLOWED * np.std(wide, axis=0))
        kept = np.all((lost == 0) | little | ~finite)
    return narrow if kept else wide
