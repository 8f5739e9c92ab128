"""Functions of one element, or of two: arithmetic, comparison, logic, bits, and the elementary functions."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
from tensorflow import raw_ops as raw

from multimlp.backends.tensorflow._dtypes import (
    ANY,
    BOOLEAN,
    COMPLEX_FLOATING,
    FLOATING,
    INTEGRAL,
    NUMERIC,
    REAL,
    REAL_FLOATING,
    UNSIGNED,
    Scalar,
    Tensor,
    cast_to,
    float32,
    float64,
    int64,
    require,
    result_type,
)
from multimlp.backends.tensorflow._dtypes import bool as boolean
from multimlp.backends.tensorflow._functions import binary, matched, unary
from multimlp.backends.tensorflow._tracing import is_for_xla

__all__ = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and",
    "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil",
    "clip", "conj", "copysign", "cos", "cosh", "divide", "equal", "exp", "expm1", "floor", "floor_divide",
    "greater", "greater_equal", "hypot", "imag", "isfinite", "isinf", "isnan", "less", "less_equal", "log",
    "log1p", "log2", "log10", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor",
    "maximum", "minimum", "multiply", "negative", "nextafter", "not_equal", "positive", "pow", "real",
    "reciprocal", "remainder", "round", "sign", "signbit", "sin", "sinh", "sqrt", "square", "subtract",
    "tan", "tanh", "trunc", "where",
]  # fmt: skip

# ---- kernels that TensorFlow lacks for some dtypes, or defines differently ---------------------------------


def _is_complex(x: Tensor) -> bool:
    return x.dtype in COMPLEX_FLOATING


def _both_parts(part_kernel: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    return part_kernel(x=tf.math.real(x)), part_kernel(x=tf.math.imag(x))


def _abs(x: Tensor) -> Tensor:
    if x.dtype in UNSIGNED:
        return x
    return raw.ComplexAbs(x=x, Tout=x.dtype.real_dtype) if _is_complex(x) else raw.Abs(x=x)


def _negative(x: Tensor) -> Tensor:
    return raw.Sub(x=raw.ZerosLike(x=x), y=x) if x.dtype in UNSIGNED else raw.Neg(x=x)


def _sign(x: Tensor) -> Tensor:
    return tf.cast(x != 0, x.dtype) if x.dtype in UNSIGNED else raw.Sign(x=x)


def _floor(x: Tensor) -> Tensor:
    return x if x.dtype in INTEGRAL else raw.Floor(x=x)


def _ceil(x: Tensor) -> Tensor:
    return x if x.dtype in INTEGRAL else raw.Ceil(x=x)


def _trunc(x: Tensor) -> Tensor:
    return x if x.dtype in INTEGRAL else raw.SelectV2(condition=x < 0, t=raw.Ceil(x=x), e=raw.Floor(x=x))


def _round(x: Tensor) -> Tensor:
    if x.dtype in INTEGRAL:
        return x
    return tf.complex(*_both_parts(raw.Round, x)) if _is_complex(x) else raw.Round(x=x)


def _isnan(x: Tensor) -> Tensor:
    if x.dtype in INTEGRAL:
        return tf.zeros_like(x, boolean)
    return tf.logical_or(*_both_parts(raw.IsNan, x)) if _is_complex(x) else raw.IsNan(x=x)


def _isinf(x: Tensor) -> Tensor:
    if x.dtype in INTEGRAL:
        return tf.zeros_like(x, boolean)
    return tf.logical_or(*_both_parts(raw.IsInf, x)) if _is_complex(x) else raw.IsInf(x=x)


def _isfinite(x: Tensor) -> Tensor:
    if x.dtype in INTEGRAL:
        return tf.ones_like(x, boolean)
    return tf.logical_and(*_both_parts(raw.IsFinite, x)) if _is_complex(x) else raw.IsFinite(x=x)


def _log(x: Tensor) -> Tensor:
    """Of complex numbers by parts: the kernel squares the modulus, which underflows."""
    if not _is_complex(x):
        return raw.Log(x=x)
    a, b = tf.math.real(x), tf.math.imag(x)
    return tf.complex(raw.Log(x=_hypot(a, b)), raw.Atan2(y=b, x=a))


def _sqrt(x: Tensor) -> Tensor:
    """XLA's derivative for complex numbers lacks a conjugate; that of a power has it, and the values stay those of the root."""
    if not (_is_complex(x) and is_for_xla()):
        return raw.Sqrt(x=x)
    root, finite = tf.stop_gradient(raw.Sqrt(x=x)), _isfinite(x)
    power = tf.pow(tf.where(finite, x, tf.ones_like(x)), tf.constant(0.5, x.dtype))
    return tf.where(finite, power + tf.stop_gradient(root - power), root)


def _reciprocal(x: Tensor) -> Tensor:
    """As `_sqrt`; the derivative of a quotient has the conjugate."""
    if not (_is_complex(x) and is_for_xla()):
        return raw.Reciprocal(x=x)
    return raw.RealDiv(x=tf.ones_like(x), y=x)


def _log2(x: Tensor) -> Tensor:
    return _log(x) / tf.constant(math.log(2), x.dtype)


def _log10(x: Tensor) -> Tensor:
    return _log(x) / tf.constant(math.log(10), x.dtype)


def _expm1(x: Tensor) -> Tensor:
    """Of complex numbers by parts: exp(a) cos(b) - 1 = expm1(a) cos(b) - 2 sin(b / 2)**2, without cancellation."""
    if not _is_complex(x):
        return raw.Expm1(x=x)
    a, b = tf.math.real(x), tf.math.imag(x)
    zero = raw.ZerosLike(x=a)
    bounded = raw.IsFinite(x=b)
    finite = tf.where(bounded, b, zero)  # an infinite angle has no derivative to offer
    vanishes = tf.equal(a, -math.inf)
    re = tf.math.expm1(a) * tf.math.cos(finite) + (zero - 2 * tf.math.sin(0.5 * finite) ** 2)
    im = tf.where(tf.equal(b, 0), b, tf.math.exp(a) * tf.math.sin(finite))
    unbounded = tf.where(tf.equal(a, math.inf), a, zero + math.nan)
    re = tf.where(vanishes, zero - 1, tf.where(bounded, re, unbounded))
    im = tf.where(bounded, im, tf.where(vanishes, zero, zero + math.nan))
    return tf.complex(re, im)


def _log1p(x: Tensor) -> Tensor:
    """Of complex numbers by parts, the modulus near 1 from its square less 1."""
    if not _is_complex(x):
        return raw.Log1p(x=x)
    a, b = tf.math.real(x), tf.math.imag(x)
    zero = raw.ZerosLike(x=a)
    near = tf.logical_and(raw.Abs(x=a) < 0.5, raw.Abs(x=b) < 0.5)
    small = tf.where(near, a, zero), tf.where(near, b, zero)
    far = tf.where(near, zero, a) + 1, tf.where(near, zero, b)
    from_square = 0.5 * raw.Log1p(x=small[0] * (2 + small[0]) + raw.Square(x=small[1]))
    return tf.complex(tf.where(near, from_square, raw.Log(x=_hypot(*far))), raw.Atan2(y=b, x=a + 1))


def _tanh(x: Tensor) -> Tensor:
    """Of a complex number with infinite real part 1 or -1, with a zero of the imaginary part's sign."""
    if not _is_complex(x):
        return raw.Tanh(x=x)
    a, b = tf.math.real(x), tf.math.imag(x)
    limit = tf.complex(raw.Sign(x=a), _copysign(raw.ZerosLike(x=b), b))
    return tf.where(raw.IsInf(x=a), limit, raw.Tanh(x=tf.where(raw.IsInf(x=a), tf.zeros_like(x), x)))


def _imag(x: Tensor) -> Tensor:
    return tf.math.imag(x) if _is_complex(x) else raw.ZerosLike(x=x)


def _identity(x: Tensor) -> Tensor:
    return x


def _signbit(x: Tensor) -> Tensor:
    bits = {2: tf.int16, 4: tf.int32, 8: tf.int64}[x.dtype.size]
    return tf.bitcast(x, bits) < 0


def _copysign(x: Tensor, y: Tensor) -> Tensor:
    return tf.where(tf.equal(_signbit(x), _signbit(y)), x, -x)


def _pow(x: Tensor, y: Tensor) -> Tensor:
    if x.dtype in UNSIGNED:  # int64 has the same residues
        return tf.cast(raw.Pow(x=tf.cast(x, int64), y=tf.cast(y, int64)), x.dtype)
    return raw.Pow(x=x, y=y)


def _remainder(x: Tensor, y: Tensor) -> Tensor:
    r = raw.FloorMod(x=x, y=y)
    if x.dtype in INTEGRAL:
        return r
    zero = tf.zeros((), r.dtype)
    zero = tf.where(y < 0, -zero, zero)
    return tf.where(tf.logical_and(tf.equal(r, 0), tf.not_equal(_signbit(r), y < 0)), zero, r)


def _floor_divide(x: Tensor, y: Tensor) -> Tensor:
    """From the exact remainder where there is one: the rounded quotient 1 / 0.1 is 10, its floor is 9."""
    if x.dtype in INTEGRAL:
        return raw.FloorDiv(x=x, y=y)
    quotient = raw.RealDiv(x=x, y=y)
    exact = raw.Round(x=(x - raw.FloorMod(x=x, y=y)) / y)
    # an exact 0 has lost its sign
    usable = tf.math.is_finite(quotient) & tf.math.is_finite(y) & tf.not_equal(exact, 0)
    return tf.where(usable, exact, raw.Floor(x=quotient))


def _hypot(x: Tensor, y: Tensor) -> Tensor:
    """Scaled by the larger operand against overflow; the derivative at the origin is 0."""
    scale = tf.stop_gradient(raw.Maximum(x=raw.Abs(x=x), y=raw.Abs(x=y)))
    infinite = tf.logical_or(raw.IsInf(x=x), raw.IsInf(x=y))
    origin = tf.logical_and(tf.equal(x, 0), tf.equal(y, 0))
    scale = tf.where(tf.logical_or(infinite, origin), tf.ones_like(scale), scale)
    squares = raw.Square(x=x / scale) + raw.Square(x=y / scale)
    root = scale * raw.Sqrt(x=tf.where(origin, tf.ones_like(squares), squares))
    root = tf.where(origin, tf.zeros_like(root), root)
    return tf.where(infinite, tf.constant(math.inf, root.dtype), root)


def _logaddexp(x: Tensor, y: Tensor) -> Tensor:
    """max(x, y) + log(1 + exp(-|x - y|)) without max and abs, which are wrong at a tie when derived."""
    equal_infinities = tf.logical_and(tf.equal(x, y), raw.IsInf(x=x))
    zero = tf.zeros((), x.dtype)
    a, b = tf.where(equal_infinities, zero, x), tf.where(equal_infinities, zero, y)
    larger = a > b
    gap = tf.where(larger, b - a, a - b)
    return tf.where(equal_infinities, x, tf.where(larger, a, b) + raw.Log1p(x=raw.Exp(x=gap)))


def _bits(integer_kernel: Any, boolean_kernel: Any) -> Any:
    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (boolean_kernel if x.dtype == boolean else integer_kernel)(x=x, y=y)

    return kernel


def _invert(x: Tensor) -> Tensor:
    return raw.LogicalNot(x=x) if x.dtype == boolean else raw.Invert(x=x)


def _left_shift(x: Tensor, y: Tensor) -> Tensor:
    """A shift by the width or more, which the hardware leaves open, gives 0."""
    all_out = y >= tf.constant(x.dtype.size * 8, y.dtype)
    return tf.where(all_out, tf.zeros_like(x), raw.LeftShift(x=x, y=tf.where(all_out, tf.zeros_like(y), y)))


def _right_shift(x: Tensor, y: Tensor) -> Tensor:
    """A shift by the width or more gives what a shift by all bits but the sign and then one more would."""
    last = tf.constant(x.dtype.size * 8 - 1, y.dtype)
    if x.dtype in UNSIGNED:
        return tf.where(y > last, tf.zeros_like(x), raw.RightShift(x=x, y=tf.minimum(y, last)))
    return raw.RightShift(x=x, y=tf.minimum(y, last))


# ---- one argument ------------------------------------------------------------------------------------------

abs = unary("abs", NUMERIC, _abs, "Absolute value.")
acos = unary("acos", FLOATING, raw.Acos, "Inverse cosine.")
acosh = unary("acosh", FLOATING, raw.Acosh, "Inverse hyperbolic cosine.")
asin = unary("asin", FLOATING, raw.Asin, "Inverse sine.")
asinh = unary("asinh", FLOATING, raw.Asinh, "Inverse hyperbolic sine.")
atan = unary("atan", FLOATING, raw.Atan, "Inverse tangent.")
atanh = unary("atanh", FLOATING, raw.Atanh, "Inverse hyperbolic tangent.")
bitwise_invert = unary(
    "bitwise_invert", INTEGRAL | BOOLEAN, _invert, "Each bit inverted; logical not for booleans."
)
ceil = unary("ceil", REAL, _ceil, "Smallest integer that is not smaller; integers are returned as they are.")
conj = unary("conj", NUMERIC, lambda x: tf.math.conj(x) if _is_complex(x) else x, "Complex conjugate.")
cos = unary("cos", FLOATING, raw.Cos, "Cosine.")
cosh = unary("cosh", FLOATING, raw.Cosh, "Hyperbolic cosine.")
exp = unary("exp", FLOATING, raw.Exp, "Exponential.")
expm1 = unary("expm1", FLOATING, _expm1, "exp(x) - 1, accurate for small x.")
floor = unary("floor", REAL, _floor, "Largest integer that is not larger; integers are returned as they are.")
imag = unary("imag", NUMERIC, _imag, "Imaginary part.")
isfinite = unary("isfinite", NUMERIC, _isfinite, "Whether each element is neither infinite nor NaN.")
isinf = unary("isinf", NUMERIC, _isinf, "Whether each element is infinite.")
isnan = unary("isnan", NUMERIC, _isnan, "Whether each element is NaN.")
log = unary("log", FLOATING, _log, "Natural logarithm.")
log1p = unary("log1p", FLOATING, _log1p, "log(1 + x), accurate for small x.")
log2 = unary("log2", FLOATING, _log2, "Logarithm to the base 2.")
log10 = unary("log10", FLOATING, _log10, "Logarithm to the base 10.")
logical_not = unary("logical_not", BOOLEAN, raw.LogicalNot, "Logical not.")
negative = unary("negative", NUMERIC, _negative, "Minus x; unsigned integers wrap.")
positive = unary("positive", NUMERIC, _identity, "Plus x.")
real = unary("real", NUMERIC, lambda x: tf.math.real(x) if _is_complex(x) else x, "Real part.")
reciprocal = unary("reciprocal", FLOATING, _reciprocal, "1 / x.")
round = unary("round", NUMERIC, _round, "Nearest integer, halves to even.")
sign = unary("sign", NUMERIC, _sign, "-1, 0 or 1; x / abs(x) for complex x.")
signbit = unary("signbit", REAL_FLOATING, _signbit, "Whether the sign bit is set, as for -0.0.")
sin = unary("sin", FLOATING, raw.Sin, "Sine.")
sinh = unary("sinh", FLOATING, raw.Sinh, "Hyperbolic sine.")
sqrt = unary("sqrt", FLOATING, _sqrt, "Square root.")
square = unary("square", NUMERIC, raw.Square, "x * x.")
tan = unary("tan", FLOATING, raw.Tan, "Tangent.")
tanh = unary("tanh", FLOATING, _tanh, "Hyperbolic tangent.")
trunc = unary("trunc", REAL, _trunc, "x without its fraction; integers are returned as they are.")

# ---- two arguments -----------------------------------------------------------------------------------------

add = binary("add", NUMERIC, raw.AddV2, "x1 + x2.")
atan2 = binary("atan2", REAL_FLOATING, lambda x, y: raw.Atan2(y=x, x=y), "The angle of the point (x2, x1).")
bitwise_and = binary("bitwise_and", INTEGRAL | BOOLEAN, _bits(raw.BitwiseAnd, raw.LogicalAnd), "x1 & x2.")
bitwise_left_shift = binary("bitwise_left_shift", INTEGRAL, _left_shift, "x1 << x2.")
bitwise_or = binary("bitwise_or", INTEGRAL | BOOLEAN, _bits(raw.BitwiseOr, raw.LogicalOr), "x1 | x2.")
bitwise_right_shift = binary("bitwise_right_shift", INTEGRAL, _right_shift, "x1 >> x2, with the sign kept.")
bitwise_xor = binary(
    "bitwise_xor", INTEGRAL | BOOLEAN, _bits(raw.BitwiseXor, raw.NotEqual), "x1 ^ x2; logical for booleans."
)
copysign = binary("copysign", REAL_FLOATING, _copysign, "x1 with the sign bit of x2.")
divide = binary("divide", FLOATING, raw.RealDiv, "x1 / x2; integers must be converted first.")
equal = binary("equal", ANY, raw.Equal, "x1 == x2.")
floor_divide = binary("floor_divide", REAL, _floor_divide, "x1 / x2 rounded down.")
greater = binary("greater", REAL, raw.Greater, "x1 > x2.")
greater_equal = binary("greater_equal", REAL, raw.GreaterEqual, "x1 >= x2.")
hypot = binary("hypot", REAL_FLOATING, _hypot, "sqrt(x1**2 + x2**2) without overflow on the way.")
less = binary("less", REAL, raw.Less, "x1 < x2.")
less_equal = binary("less_equal", REAL, raw.LessEqual, "x1 <= x2.")
logaddexp = binary(
    "logaddexp", REAL_FLOATING, _logaddexp, "log(exp(x1) + exp(x2)) without overflow on the way."
)
logical_and = binary("logical_and", BOOLEAN, raw.LogicalAnd, "x1 and x2.")
logical_or = binary("logical_or", BOOLEAN, raw.LogicalOr, "x1 or x2.")
logical_xor = binary("logical_xor", BOOLEAN, raw.NotEqual, "Exactly one of x1 and x2.")
# XLA for CPUs sets xla_cpu_enable_fast_min_max
_NAN = (
    "NaN if one is NaN; compiled by XLA for CPUs, only if x1 is NaN, unless XLA's fast min and max are off."
)
maximum = binary("maximum", REAL, raw.Maximum, f"The larger operand. {_NAN}")
minimum = binary("minimum", REAL, raw.Minimum, f"The smaller operand. {_NAN}")
multiply = binary("multiply", NUMERIC, raw.Mul, "x1 * x2.")
nextafter = binary(
    "nextafter",
    frozenset({float32, float64}),
    lambda x, y: raw.NextAfter(x1=x, x2=y),
    "The next number after x1 on the way to x2.",
)
not_equal = binary("not_equal", ANY, raw.NotEqual, "x1 != x2.")
pow = binary("pow", NUMERIC, _pow, "x1 to the power x2; integers take no negative power.")
remainder = binary("remainder", REAL, _remainder, "x1 - x2 * floor(x1 / x2), with the sign of x2.")
subtract = binary("subtract", NUMERIC, raw.Sub, "x1 - x2.")


def clip(x: Tensor, /, min: Tensor | Scalar | None = None, max: Tensor | Scalar | None = None) -> Tensor:
    """``minimum(maximum(x, min), max)``; None is no bound, and the result keeps the dtype of ``x``."""
    require("clip", result_type(x), REAL)
    for bound, kernel in ((min, raw.Maximum), (max, raw.Minimum)):
        if bound is not None:
            result_type(x, bound)
            x = kernel(x=x, y=cast_to(bound, x.dtype))
    return x


def where(condition: Tensor, x1: Tensor | Scalar, x2: Tensor | Scalar, /) -> Tensor:
    """``x1`` where ``condition``, which is a boolean array, holds, else ``x2``."""
    dtype = getattr(x1, "dtype", None)
    if dtype is not getattr(x2, "dtype", None) or dtype not in ANY:
        x1, x2 = matched("where", ANY, x1, x2)
    if getattr(condition, "dtype", None) is not boolean:
        require("where: condition", result_type(condition), BOOLEAN)
    return raw.SelectV2(condition=condition, t=x1, e=x2)
