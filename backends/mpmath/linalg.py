"""Matrix products and transposes of arbitrary-precision arrays, and the norms that portable code asks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backends.mpmath import scalars
from multimlp.backends.mpmath.array import Array, as_array
from multimlp.backends.mpmath.scalars import ZERO


def matmul(x: Array, y: Array, /) -> Array:
    """The matrix product; its sums are as exact as the precision in force."""
    if x.shape[-1] == 0:
        shape = np.matmul(np.zeros(x.shape), np.zeros(y.shape)).shape
        return Array(np.full(shape, ZERO, dtype=object))
    return as_array(np.matmul(x.data, y.data))


def matrix_transpose(x: Array, /) -> Array:
    return x.mT


def tensordot(x: Array, y: Array, /, *, axes: Any = 2) -> Array:
    return as_array(np.tensordot(x.data, y.data, axes=axes))


def vecdot(x: Array, y: Array, /, *, axis: int = -1) -> Array:
    return as_array(np.add.reduce(np.multiply(x.data, y.data), axis=axis, initial=ZERO))


def outer(x: Array, y: Array, /) -> Array:
    return Array(np.multiply.outer(x.data, y.data))


def vector_norm(x: Array, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:  # noqa: A002
    """The p-norm for finite p > 0."""
    powers = np.power(np.abs(x.data), ord)
    total: Any = np.sum(powers, axis=axis, keepdims=keepdims, initial=ZERO)
    root = np.frompyfunc(lambda s: scalars.power(s, scalars.divide(1, ord)), 1, 1)
    return as_array(root(total))
