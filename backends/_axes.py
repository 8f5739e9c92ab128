"""The axis that a function needs where an array has more than one."""

from __future__ import annotations

from multimlp.backend import Array
from multimlp.errors import ShapeError


def needed(name: str, x: Array, axis: int | None) -> int:
    """``axis`` from the front; `ShapeError` for None, which stands for the only one, of an array with several."""
    if axis is not None:
        return axis % max(x.ndim, 1)
    if x.ndim != 1:
        raise ShapeError(f"{name}: axis is needed for an array of shape {tuple(x.shape)}")
    return 0
