"""Functions of one element, or of two: arithmetic, comparison, logic, bits, and the elementary functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backends.mpmath import scalars
from multimlp.backends.mpmath._functions import binary, by_numpy, real_or_integer, unary
from multimlp.backends.mpmath.array import Array, as_array, float64, unwrap

__all__ = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and",
    "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil",
    "clip", "conj", "copysign", "cos", "cosh", "divide", "equal", "erf", "erfc", "exp", "expm1", "floor",
    "floor_divide", "greater", "greater_equal", "hypot", "isfinite", "isinf", "isnan", "less", "less_equal",
    "log", "log1p", "log2", "log10", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor",
    "maximum", "minimum", "multiply", "negative", "not_equal", "positive", "pow", "real", "reciprocal",
    "remainder", "round", "sign", "signbit", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh",
    "trunc", "where",
]  # fmt: skip

exp, expm1, log, log1p = map(unary, (scalars.exp, scalars.expm1, scalars.log, scalars.log1p))
log2, log10, sqrt = map(unary, (scalars.log2, scalars.log10, scalars.sqrt))
sin, cos, tan, asin, acos, atan = map(
    unary, (scalars.sin, scalars.cos, scalars.tan, scalars.asin, scalars.acos, scalars.atan)
)
sinh, cosh, tanh = map(unary, (scalars.sinh, scalars.cosh, scalars.tanh))
asinh, acosh, atanh = map(unary, (scalars.asinh, scalars.acosh, scalars.atanh))
erf, erfc, square = unary(scalars.erf), unary(scalars.erfc), unary(lambda x: x * x)
reciprocal = unary(lambda x: scalars.divide(1, x))
floor = real_or_integer(unary(scalars.floor), np.positive)
ceil = real_or_integer(unary(scalars.ceil), np.positive)
trunc = real_or_integer(unary(scalars.trunc), np.positive)
round = real_or_integer(unary(scalars.rint), np.positive)  # noqa: A001
sign = real_or_integer(unary(scalars.sign), np.sign)
divide, hypot, atan2 = binary(scalars.divide), binary(scalars.hypot), binary(scalars.atan2)
logaddexp, copysign = binary(scalars.logaddexp), binary(scalars.copysign)
pow = real_or_integer(binary(scalars.power), np.power)  # noqa: A001
floor_divide = real_or_integer(binary(scalars.floor_divide), np.floor_divide)
remainder = real_or_integer(binary(scalars.remainder), np.remainder)
maximum = real_or_integer(binary(scalars.maximum), np.maximum)
minimum = real_or_integer(binary(scalars.minimum), np.minimum)
add, subtract, multiply = map(by_numpy, (np.add, np.subtract, np.multiply))
negative, abs = by_numpy(np.negative), by_numpy(np.abs)  # noqa: A001
bitwise_and, bitwise_or, bitwise_xor = map(by_numpy, (np.bitwise_and, np.bitwise_or, np.bitwise_xor))
bitwise_left_shift, bitwise_right_shift = by_numpy(np.left_shift), by_numpy(np.right_shift)
bitwise_invert = by_numpy(np.invert)

_BOOL: np.dtype = np.dtype(bool)
equal, not_equal, less, less_equal, greater, greater_equal = (
    by_numpy(f, _BOOL) for f in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
)
logical_and, logical_or, logical_xor, logical_not = (
    by_numpy(f, _BOOL) for f in (np.logical_and, np.logical_or, np.logical_xor, np.logical_not)
)


def positive(x: Array, /) -> Array:
    return x


conj = real = positive


def isnan(x: Array, /) -> Array:
    return not_equal(x, x)


def isinf(x: Array, /) -> Array:
    return equal(abs(x), scalars.INF) if x.dtype is float64 else Array(np.zeros(x.shape, dtype=_BOOL))


def isfinite(x: Array, /) -> Array:
    return logical_not(logical_or(isnan(x), isinf(x)))


def signbit(x: Array, /) -> Array:
    return less(x, 0)


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:  # noqa: A002
    if min is not None:
        x = maximum(x, min)
    return x if max is None else minimum(x, max)


def where(condition: Array, x: Any, y: Any, /) -> Array:
    return as_array(np.where(condition.data, unwrap(x), unwrap(y)))
