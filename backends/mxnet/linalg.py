"""The part of the standard's ``linalg`` extension that MXNet computes as the standard says."""

from __future__ import annotations

from typing import Any

from mxnet import np as _np

from multimlp.backends.mxnet._dtypes import Array, isdtype
from multimlp.backends.mxnet._functions import matmul, matrix_transpose, sum, tensordot, vecdot  # noqa: A004

__all__ = [
    "cholesky",
    "det",
    "diagonal",
    "inv",
    "matmul",
    "matrix_transpose",
    "outer",
    "slogdet",
    "solve",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]

cholesky = _np.linalg.cholesky
det = _np.linalg.det
inv = _np.linalg.inv
outer = _np.outer
slogdet = _np.linalg.slogdet
solve = _np.linalg.solve


def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    return _np.diagonal(x, offset=offset, axis1=-2, axis2=-1)


def trace(x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    return sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(x: Array, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Array:  # noqa: A002
    size = _np.abs(x)
    if ord == float("inf"):
        return _np.max(size, axis=axis, keepdims=keepdims)
    if ord == -float("inf"):
        return _np.min(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        count = sum(x != 0, axis=axis, keepdims=keepdims)
        return count.astype(x.dtype) if isdtype(x.dtype, "real floating") else count
    if ord == 2:
        return _np.sqrt(sum(size * size, axis=axis, keepdims=keepdims))
    return sum(size**ord, axis=axis, keepdims=keepdims) ** (1 / ord)
