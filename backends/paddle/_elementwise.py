"""Element by element: Paddle's functions of operands of one dtype, and those that it lacks or computes wrongly.

On the CPU its ``exp`` never comes below 3e-39 in float32 and 6e-309 in float64, not at -inf either, and its float32 ``sqrt`` of 4 is
1.9999999; both, and ``tanh`` (4 units off), are computed in float64 where the array is float32. ``hypot`` overflows with the squares, and
``logaddexp`` is NaN of equal infinities. A negative exponent of integers makes 0 of all of them, or never ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paddle

from multimlp.backends.paddle import _operators
from multimlp.backends.paddle._dtypes import DEFAULT_FLOAT, Array, kind_of, operands
from multimlp.errors import DataError

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "ceil",
    "clip",
    "conj",
    "copysign",
    "cos",
    "cosh",
    "divide",
    "equal",
    "erf",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "greater",
    "greater_equal",
    "hypot",
    "imag",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "nextafter",
    "not_equal",
    "positive",
    "pow",
    "real",
    "reciprocal",
    "remainder",
    "round",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "trunc",
    "where",
]  # fmt: skip

# ---- functions of one array

asin, acos, atan, asinh, acosh, atanh = (
    paddle.asin,
    paddle.acos,
    paddle.atan,
    paddle.asinh,
    paddle.acosh,
    paddle.atanh,
)
sin, cos, tan, sinh, cosh = paddle.sin, paddle.cos, paddle.tan, paddle.sinh, paddle.cosh
log, log1p, log2, log10, expm1 = paddle.log, paddle.log1p, paddle.log2, paddle.log10, paddle.expm1
abs, negative, sign, square = paddle.abs, paddle.neg, paddle.sign, paddle.square
isfinite, isinf, isnan = paddle.isfinite, paddle.isinf, paddle.isnan
logical_not, bitwise_invert, conj, imag = paddle.logical_not, paddle.bitwise_not, paddle.conj, paddle.imag


def _whole(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Integers are whole already."""
    return lambda x, /: x.clone() if kind_of(x.dtype) in "biu" else function(x)


floor, ceil, trunc, round = map(_whole, (paddle.floor, paddle.ceil, paddle.trunc, paddle.round))


def _wide(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """In float64 where the array is float32."""

    def computed(x: Array, /) -> Array:
        return function(x.astype("float64")).astype("float32") if x.dtype == paddle.float32 else function(x)

    return computed


def _exp(x: Array) -> Array:
    """Below -700 as a square, of which 0 is left."""
    if x.dtype != paddle.float64:
        return paddle.exp(x)
    half = paddle.exp(0.5 * x)
    return paddle.where(x < -700.0, half * half, paddle.exp(x))


exp, sqrt, tanh, erf = map(_wide, (_exp, paddle.sqrt, paddle.tanh, paddle.erf))


def reciprocal(x: Array, /) -> Array:
    return 1 / x


def positive(x: Array, /) -> Array:
    return x.clone()


def real(x: Array, /) -> Array:
    return paddle.real(x) if kind_of(x.dtype) == "c" else x


def signbit(x: Array, /) -> Array:
    return paddle.signbit(x) if kind_of(x.dtype) == "f" else x < 0


# ---- functions of two


def _of_two(function: Callable[[Array, Array], Array]) -> Callable[[Any, Any], Array]:
    return lambda x1, x2, /: function(*operands(x1, x2))


add, subtract, multiply = map(_of_two, (paddle.add, paddle.subtract, paddle.multiply))
maximum, minimum = map(_of_two, (paddle.maximum, paddle.minimum))
equal, not_equal = map(_of_two, (_operators.equal, _operators.not_equal))
less, less_equal, greater, greater_equal = map(
    _of_two, (paddle.less_than, paddle.less_equal, paddle.greater_than, paddle.greater_equal)
)
logical_and, logical_or, logical_xor = map(
    _of_two, (paddle.logical_and, paddle.logical_or, paddle.logical_xor)
)
bitwise_and, bitwise_or, bitwise_xor = map(
    _of_two, (paddle.bitwise_and, paddle.bitwise_or, paddle.bitwise_xor)
)
bitwise_left_shift, bitwise_right_shift = map(
    _of_two, (paddle.bitwise_left_shift, paddle.bitwise_right_shift)
)
floor_divide, remainder = map(_of_two, (paddle.floor_divide, paddle.remainder))
atan2, copysign, nextafter = map(_of_two, (paddle.atan2, paddle.copysign, paddle.nextafter))


def divide(x1: Any, x2: Any, /) -> Array:
    return paddle.divide(*map(_floating, operands(x1, x2)))


def _floating(x: Array) -> Array:
    return x if kind_of(x.dtype) in "fc" else x.astype(DEFAULT_FLOAT)


def pow(x1: Any, x2: Any, /) -> Array:
    base, exponent = operands(x1, x2)
    if kind_of(base.dtype) in "iu" and bool(paddle.any(exponent < 0)):
        raise DataError(
            "pow: integers have no negative powers among the integers; cast them to a floating-point dtype first"
        )
    return paddle.pow(base, exponent)


def hypot(x1: Any, x2: Any, /) -> Array:
    """Of the larger one times a root, so that no square overflows; infinite with an infinite side, whatever the other one is."""
    a, b = map(abs, operands(x1, x2))
    large, small = paddle.maximum(a, b), paddle.minimum(a, b)
    plain = paddle.logical_and(large > 0, paddle.isfinite(large))
    ratio = where(plain, small / where(plain, large, 1.0), 0.0)
    found = where(paddle.isnan(large), large, large * sqrt(1.0 + ratio * ratio))
    return where(paddle.logical_or(paddle.isinf(a), paddle.isinf(b)), float("inf"), found)


def logaddexp(x1: Any, x2: Any, /) -> Array:
    a, b = operands(x1, x2)
    larger, smaller = paddle.maximum(a, b), paddle.minimum(a, b)
    gap = where(equal(larger, smaller), 0.0, smaller - larger)  # infinities: their difference is NaN
    return larger + paddle.log1p(exp(gap))


# ---- choices


def where(condition: Array, x1: Any, x2: Any, /) -> Array:
    if not isinstance(x1, paddle.Tensor) and not isinstance(x2, paddle.Tensor):
        x1 = paddle.to_tensor(x1)
    return paddle.where(condition, *operands(x1, x2))


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    """By comparisons, which leave NaN as it is, of the dtype of ``x``."""
    for bound, beyond in ((min, paddle.less_than), (max, paddle.greater_than)):
        if bound is not None:
            limit = (
                bound.astype(x.dtype)
                if isinstance(bound, paddle.Tensor)
                else operands(x, bound)[1].astype(x.dtype)
            )
            x = paddle.where(beyond(x, limit), limit, x)
    return x
