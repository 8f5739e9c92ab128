"""Sums, products, extremes and what is made of them: integers add up in 64 bits, and an axis of none at all reduces nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paddle

from multimlp.backends._axes import needed
from multimlp.backends.paddle._creation import astype, ones, zeros
from multimlp.backends.paddle._dtypes import DEFAULT_FLOAT, DEFAULT_INTEGER, Array, DType, kind_of
from multimlp.backends.paddle._elementwise import sqrt

__all__ = [
    "all", "any", "count_nonzero", "cumulative_prod", "cumulative_sum", "diff", "max", "mean", "min", "prod", "std", "sum", "var",
]  # fmt: skip


def _reduced(function: Callable[..., Array], x: Array, axis: Any, keepdims: bool) -> Array:
    if isinstance(axis, (tuple, list)) and not axis:
        return x
    return function(x, axis=list(axis) if isinstance(axis, tuple) else axis, keepdim=keepdims)


def _accumulator(x: Array, dtype: DType | None) -> Array:
    if dtype is None:
        dtype = DEFAULT_INTEGER if kind_of(x.dtype) in "biu" else x.dtype
    return astype(x, dtype, copy=False)


def sum(x: Array, /, *, axis: Any = None, dtype: DType | None = None, keepdims: bool = False) -> Array:
    x = _accumulator(x, dtype)
    return astype(_reduced(paddle.sum, x, axis, keepdims), x.dtype, copy=False)  # of int32 it is int64


def prod(x: Array, /, *, axis: Any = None, dtype: DType | None = None, keepdims: bool = False) -> Array:
    return _reduced(paddle.prod, _accumulator(x, dtype), axis, keepdims)


def max(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    return _reduced(paddle.max, x, axis, keepdims)


def min(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    return _reduced(paddle.min, x, axis, keepdims)


def all(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    return _reduced(paddle.all, x.astype("bool"), axis, keepdims)


def any(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    return _reduced(paddle.any, x.astype("bool"), axis, keepdims)


def mean(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    return _reduced(paddle.mean, x if kind_of(x.dtype) in "fc" else x.astype(DEFAULT_FLOAT), axis, keepdims)


def var(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    centred = x - mean(x, axis=axis, keepdims=True)
    total = sum(centred * centred, axis=axis, keepdims=keepdims)
    count = int(x.size) // (int(total.size) or 1) - correction
    return total / (count if count > 0 else 0)


def std(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    return sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def count_nonzero(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    return sum(x.astype("bool"), axis=axis, keepdims=keepdims)


def cumulative_sum(
    x: Array, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Array:
    return _cumulative(lambda y, axis: paddle.cumsum(y, axis=axis), zeros, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Array, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Array:
    return _cumulative(lambda y, axis: paddle.cumprod(y, dim=axis), ones, x, axis, dtype, include_initial)


def _cumulative(
    function: Callable[..., Array],
    first: Callable[..., Array],
    x: Array,
    axis: int | None,
    dtype: DType | None,
    include_initial: bool,
) -> Array:
    axis = needed("cumulative_sum, cumulative_prod", x, axis)
    x = _accumulator(x, dtype)
    found = astype(function(x, axis), x.dtype, copy=False)
    if not include_initial:
        return found
    shape = [1 if i == axis else n for i, n in enumerate(x.shape)]
    return paddle.concat([first(shape, dtype=found.dtype, device=x.place), found], axis=axis)


def diff(x: Array, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Array:
    parts = [part for part in (prepend, x, append) if part is not None]
    found = paddle.concat(parts, axis=axis) if len(parts) > 1 else x
    axis %= x.ndim
    for _ in range(n):
        before = (slice(None),) * axis
        found = found[(*before, slice(1, None))] - found[(*before, slice(None, -1))]
    return found
