"""Reductions and cumulative functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from multimlp.backends._axes import needed
from multimlp.backends.mpmath import scalars
from multimlp.backends.mpmath._creation import ones, zeros
from multimlp.backends.mpmath._dtypes import astype
from multimlp.backends.mpmath._elementwise import divide, sqrt, square, subtract
from multimlp.backends.mpmath._manipulation import concat
from multimlp.backends.mpmath.array import Array, DType, as_array, bool_, float64
from multimlp.backends.mpmath.scalars import mpf

__all__ = [
    "all", "any", "cumulative_prod", "cumulative_sum", "max", "mean", "min", "prod", "std", "sum", "var",
]  # fmt: skip

Axis = int | tuple[int, ...] | None


def _reduction(real_ufunc: Any, integer: Callable[..., Any], initial: Any = None) -> Callable[..., Array]:
    def reduce(
        x: Array, /, *, axis: Axis = None, keepdims: bool = False, dtype: DType | None = None
    ) -> Array:
        if dtype is not None:
            x = astype(x, dtype)
        if x.dtype is not float64:
            data = integer(x.data, axis=axis, keepdims=keepdims)
            return as_array(data, np.asarray(data).dtype)
        start = {} if initial is None else {"initial": initial}
        return as_array(real_ufunc.reduce(x.data, axis=axis, keepdims=keepdims, **start))

    return reduce


sum = _reduction(np.add, np.sum, mpf(0))  # noqa: A001
prod = _reduction(np.multiply, np.prod, mpf(1))
max = _reduction(np.frompyfunc(scalars.maximum, 2, 1, identity=None), np.max)  # noqa: A001
min = _reduction(np.frompyfunc(scalars.minimum, 2, 1, identity=None), np.min)  # noqa: A001
_all, _any = (_reduction(None, f) for f in (np.all, np.any))


def all(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:  # noqa: A001
    return _all(astype(x, bool_), axis=axis, keepdims=keepdims)


def any(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:  # noqa: A001
    return _any(astype(x, bool_), axis=axis, keepdims=keepdims)


def _count(x: Array, axis: Axis) -> int:
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return math.prod(x.shape[a] for a in axes)


def mean(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    return divide(sum(x, axis=axis, keepdims=keepdims), _count(x, axis))


def var(x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    centred = subtract(x, mean(x, axis=axis, keepdims=True))
    free = _count(x, axis) - correction
    return divide(sum(square(centred), axis=axis, keepdims=keepdims), free if free > 0 else 0)


def std(x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    return sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def cumulative_sum(
    x: Array,
    /,
    *,
    axis: int | None = None,
    dtype: DType | None = None,
    include_initial: bool = False,
) -> Array:
    return _running("cumulative_sum", np.add, zeros, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Array,
    /,
    *,
    axis: int | None = None,
    dtype: DType | None = None,
    include_initial: bool = False,
) -> Array:
    return _running("cumulative_prod", np.multiply, ones, x, axis, dtype, include_initial)


def _running(
    name: str,
    ufunc: np.ufunc,
    first: Callable[..., Array],
    x: Array,
    axis: int | None,
    dtype: DType | None,
    include_initial: bool,
) -> Array:
    axis = needed(name, x, axis)
    total = Array(ufunc.accumulate((x if dtype is None else astype(x, dtype)).data, axis=axis))
    if not include_initial:
        return total
    shape = tuple(1 if i == axis else n for i, n in enumerate(x.shape))
    return concat([first(shape, dtype=total.dtype), total], axis=axis)
