"""Where elements are, and in what order."""

from __future__ import annotations

import numpy as np

from multimlp.backends.mpmath._manipulation import take_along_axis
from multimlp.backends.mpmath.array import STORED, Array, as_array, int64

__all__ = ["argmax", "argmin", "argsort", "sort"]


def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    return as_array(np.argmax(x.data, axis=axis, keepdims=keepdims), STORED[int64])


def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    return as_array(np.argmin(x.data, axis=axis, keepdims=keepdims), STORED[int64])


def argsort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    order = np.argsort(-x.data if descending else x.data, axis=axis, kind="stable")
    return Array(order.astype(np.int64))


def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    return take_along_axis(x, argsort(x, axis=axis, descending=descending), axis=axis)
