"""Reductions and cumulative functions."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from multimlp.backends.tensorflow._dtypes import (
    ANY,
    BOOLEAN,
    COMPLEX_FLOATING,
    FLOATING,
    HALF,
    INTEGRAL,
    NUMERIC,
    REAL,
    REAL_FLOATING,
    UNSIGNED,
    DType,
    Tensor,
    int64,
    promoted,
    require,
    result_type,
    truth,
    uint64,
)
from multimlp.backends.tensorflow._shapes import Axes, dims, many_axes, one_axis, size_along, static_shape
from multimlp.errors import InputError, ShapeError

__all__ = [
    "all", "any", "count_nonzero", "cumulative_prod", "cumulative_sum", "diff", "max", "mean", "min",
    "prod", "std", "sum", "var",
]  # fmt: skip


def _door(name: str, x: Tensor, allowed: frozenset[DType], axis: Any) -> int | list[int] | None:
    """Check the arguments of a reduction; the axes in the form that costs TensorFlow the least."""
    if getattr(x, "dtype", None) not in allowed:
        require(name, result_type(x), allowed)
    if axis is None:
        return None
    if hasattr(axis, "__index__"):
        return one_axis(name, axis, len(x.shape))
    return many_axes(name, axis, len(x.shape))


def _accumulator(x: Tensor, dtype: DType | None) -> Tensor:
    """``x`` in the dtype in which it is summed: 64 bits for integers."""
    if dtype is None:
        if x.dtype not in INTEGRAL:
            return x
        dtype = uint64 if x.dtype in UNSIGNED else int64
    return tf.cast(x, dtype)


def sum(x: Tensor, /, *, axis: Axes = None, dtype: DType | None = None, keepdims: bool = False) -> Tensor:
    """Sum over the axes; integers are summed in 64 bits, float16 in single precision, since a sum of ones would end at 2048."""
    axes = _door("sum", x, NUMERIC, axis)
    x = _accumulator(x, dtype)
    if x.dtype == tf.float16:
        return tf.cast(tf.reduce_sum(tf.cast(x, tf.float32), axes, keepdims), tf.float16)
    return tf.reduce_sum(x, axes, keepdims)


def prod(x: Tensor, /, *, axis: Axes = None, dtype: DType | None = None, keepdims: bool = False) -> Tensor:
    """Product over the axes; integers are multiplied in 64 bits."""
    axes = _door("prod", x, NUMERIC, axis)
    return tf.reduce_prod(_accumulator(x, dtype), axes, keepdims)


def _not_empty(name: str, x: Tensor, axes: int | list[int] | None) -> None:
    shape = static_shape(x)
    if 0 in shape:
        reduced = (
            shape if axes is None else [shape[each] for each in ([axes] if isinstance(axes, int) else axes)]
        )
        if 0 in reduced:
            raise ShapeError(f"{name}: an empty array has none, got shape {shape}")


def max(x: Tensor, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Largest element. Eagerly NaN if one is NaN; compiled by XLA for CPUs, NaN is passed over."""
    axes = _door("max", x, REAL, axis)
    _not_empty("max", x, axes)
    return tf.reduce_max(x, axes, keepdims)


def min(x: Tensor, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Smallest element. Eagerly NaN if one is NaN; compiled by XLA for CPUs, NaN is passed over."""
    axes = _door("min", x, REAL, axis)
    _not_empty("min", x, axes)
    return tf.reduce_min(x, axes, keepdims)


def mean(x: Tensor, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Arithmetic mean over the axes; NaN of nothing. Of 16 bits in single precision, since the sum may be infinite."""
    axes = _door("mean", x, FLOATING, axis)
    if x.dtype in HALF:
        return tf.cast(tf.reduce_mean(tf.cast(x, tf.float32), axes, keepdims), x.dtype)
    return tf.reduce_mean(x, axes, keepdims)


def var(x: Tensor, /, *, axis: Axes = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """Variance: the sum of the squared distances from the mean, over the count minus ``correction``."""
    axes = _door("var", x, REAL_FLOATING, axis)
    if x.dtype in HALF:
        wide = tf.cast(x, tf.float32)
        return tf.cast(var(wide, axis=axis, correction=correction, keepdims=keepdims), x.dtype)
    squares = tf.raw_ops.SquaredDifference(x=x, y=tf.reduce_mean(x, axes, True))
    if correction == 0:
        return tf.reduce_mean(squares, axes, keepdims)
    count: int | Tensor = 1
    for each in many_axes("var", axis, len(x.shape)):
        count = count * size_along(x, each)
    divisor = tf.cast(count, x.dtype) - tf.constant(correction, x.dtype)
    return tf.reduce_sum(squares, axes, keepdims) / tf.maximum(divisor, tf.zeros((), x.dtype))


def std(x: Tensor, /, *, axis: Axes = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """Standard deviation, the square root of the variance."""
    return tf.sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def all(x: Tensor, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Whether every element is true, or not zero."""
    axes = _door("all", x, ANY, axis)
    return tf.reduce_all(truth(x), axes, keepdims)


def any(x: Tensor, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Whether some element is true, or not zero."""
    axes = _door("any", x, ANY, axis)
    return tf.reduce_any(truth(x), axes, keepdims)


def count_nonzero(x: Tensor, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """How many elements are true, or not zero, as int64."""
    axes = _door("count_nonzero", x, ANY, axis)
    return tf.reduce_sum(tf.cast(truth(x), int64), axes, keepdims)


def _cumulative_axis(name: str, x: Tensor, axis: int | None) -> int:
    if axis is None:
        if len(x.shape) != 1:
            raise ShapeError(f"{name}: axis is needed for an array of shape {static_shape(x)}")
        return 0
    return one_axis(name, axis, len(x.shape))


def _with_initial(x: Tensor, axis: int, value: int, include: bool) -> Tensor:
    if not include:
        return x
    sizes = dims(x)
    sizes[axis] = 1
    return tf.concat([tf.fill(sizes, tf.constant(value, x.dtype)), x], axis)


def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Tensor:
    """Sums of the elements up to each, along one axis; integers are summed in 64 bits, 16 bits in single precision."""
    _door("cumulative_sum", x, NUMERIC, axis)
    axis = _cumulative_axis("cumulative_sum", x, axis)
    x = _accumulator(x, dtype)
    if x.dtype in COMPLEX_FLOATING:  # XLA has no kernel for them
        out = tf.complex(tf.cumsum(tf.math.real(x), axis), tf.cumsum(tf.math.imag(x), axis))
    elif x.dtype in HALF:
        out = tf.cast(tf.cumsum(tf.cast(x, tf.float32), axis), x.dtype)
    else:
        out = _in_signed_64_bits(tf.cumsum, x, axis)
    return _with_initial(out, axis, 0, include_initial)


def _in_signed_64_bits(scan: object, x: Tensor, axis: int) -> Tensor:
    """XLA scans no integers but int32 and int64; modulo 2**64, and so modulo less, the result is the same."""
    if x.dtype in INTEGRAL and x.dtype != int64:
        return tf.cast(scan(tf.cast(x, int64), axis), x.dtype)  # type: ignore[operator]
    return scan(x, axis)  # type: ignore[operator]


def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Tensor:
    """Products of the elements up to each, along one axis; integers are multiplied in 64 bits.

    The derivative is right where elements are zero, where that of ``tf.math.cumprod`` is not.
    """
    _door("cumulative_prod", x, NUMERIC, axis)
    axis = _cumulative_axis("cumulative_prod", x, axis)
    x = _accumulator(x, dtype)
    out = _in_signed_64_bits(tf.math.cumprod, x, axis) if x.dtype in INTEGRAL else _floating_cumprod(x, axis)
    return _with_initial(out, axis, 1, include_initial)


def _floating_cumprod(x: Tensor, axis: int) -> Tensor:
    """The kernel's derivative divides by x, so the first zero is taken out and multiplied in again.

    Later zeros need no care: with one zero left in each product, their derivative is 0.
    """
    zeros_so_far = tf.cumsum(tf.cast(tf.equal(x, 0), tf.int32), axis)
    after = zeros_so_far > 0
    first = tf.logical_and(tf.equal(x, 0), tf.equal(zeros_so_far, 1))
    without = tf.math.cumprod(tf.where(first, tf.ones((), x.dtype), x), axis)
    zero = tf.reduce_sum(tf.where(first, x, tf.zeros((), x.dtype)), axis, keepdims=True)
    overflowed = tf.logical_and(after, tf.logical_not(tf.math.is_finite(tf.abs(without))))
    factor = tf.where(overflowed, tf.ones((), x.dtype), without)
    broken = tf.math.cumprod(tf.stop_gradient(x), axis)
    return tf.where(overflowed, broken, tf.where(after, zero * factor, without))


def diff(
    x: Tensor,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """Differences of neighbours along one axis, ``n`` times over; of booleans, whether they differ."""
    _door("diff", x, ANY, axis)
    if n < 0:
        raise InputError(f"diff: n must not be negative, got {n}")
    axis = one_axis("diff", axis, len(x.shape))
    parts = [part for part in (prepend, x, append) if part is not None]
    x = tf.concat(promoted(*parts), axis) if len(parts) > 1 else x
    head = (slice(None),) * axis
    for _ in range(n):
        later, earlier = x[(*head, slice(1, None))], x[(*head, slice(None, -1))]
        x = tf.not_equal(later, earlier) if x.dtype in BOOLEAN else tf.subtract(later, earlier)
    return x
