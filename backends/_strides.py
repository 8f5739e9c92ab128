"""NumPy arrays as libraries want them that take memory as it is."""

from __future__ import annotations

from typing import Any

import numpy as np


def forward(x: Any, dtype: Any = None) -> np.ndarray:
    """One row after the other, with no negative stride: NumPy leaves that of an axis of one number as it is, and libraries refuse it."""
    host = np.asarray(x, dtype=dtype, order="C")
    return host.copy() if min(host.strides, default=0) < 0 else host
