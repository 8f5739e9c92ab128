"""Functions that make arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backends.mpmath._dtypes import astype
from multimlp.backends.mpmath._elementwise import add, divide, multiply, where
from multimlp.backends.mpmath.array import STORED, Array, DType, bool_, exact, float64, int32, int64

__all__ = [
    "arange", "asarray", "empty", "empty_like", "eye", "full", "full_like", "linspace", "ones", "ones_like",
    "tril", "triu", "zeros", "zeros_like",
]  # fmt: skip


def asarray(
    obj: Any, /, *, dtype: DType | None = None, device: Any = None, copy: bool | None = None
) -> Array:
    if isinstance(obj, Array):
        return obj if dtype is None else astype(obj, dtype)
    host = np.asarray(obj)
    if dtype is None:
        dtype = {"b": bool_, "i": int64, "u": int64}.get(host.dtype.kind, float64)
        dtype = int32 if host.dtype == np.int32 else dtype
    return Array(exact(host) if dtype is float64 else host.astype(STORED[dtype]))


def full(shape: Any, fill_value: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    value = asarray(_item(fill_value), dtype=dtype)
    return Array(np.broadcast_to(value.data, shape).copy())


def _item(x: Any) -> Any:
    return x.data[()] if isinstance(x, Array) else x


def zeros(shape: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(shape, 0, dtype=dtype or float64)


def ones(shape: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(shape, 1, dtype=dtype or float64)


def full_like(x: Array, /, fill_value: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(x.shape, fill_value, dtype=dtype or x.dtype)


def zeros_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(x.shape, 0, dtype=dtype or x.dtype)


def ones_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(x.shape, 1, dtype=dtype or x.dtype)


empty, empty_like = zeros, zeros_like


def arange(
    start: Any, /, stop: Any = None, step: Any = 1, *, dtype: DType | None = None, device: Any = None
) -> Array:
    return asarray(np.arange(*((start,) if stop is None else (start, stop, step))), dtype=dtype)


def eye(
    n: int, m: int | None = None, /, *, k: int = 0, dtype: DType | None = None, device: Any = None
) -> Array:
    return asarray(np.eye(n, m, k=k), dtype=dtype)


def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: DType | None = None,
    device: Any = None,
    endpoint: bool = True,
) -> Array:
    step = divide(asarray(stop - start), max(num - endpoint, 1))
    return add(multiply(arange(num, dtype=float64), step), start)


def tril(x: Array, /, *, k: int = 0) -> Array:
    rows, columns = x.shape[-2:]
    return where(Array(np.tri(rows, columns, k, dtype=bool)), x, zeros_like(x))


def triu(x: Array, /, *, k: int = 0) -> Array:
    rows, columns = x.shape[-2:]
    return where(Array(np.tri(rows, columns, k - 1, dtype=bool)), zeros_like(x), x)
