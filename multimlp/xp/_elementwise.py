"""The element-wise functions of the standard. None has a body: `dispatched` calls the library's own."""

from __future__ import annotations

from multimlp._typing import Array
from multimlp.xp._dispatch import dispatched


@dispatched
def abs(x: Array, /) -> Array:
    """Absolute value; the modulus of complex numbers."""


@dispatched
def acos(x: Array, /) -> Array:
    """Arc cosine, in [0, pi]; NaN outside [-1, 1]."""


@dispatched
def acosh(x: Array, /) -> Array:
    """Inverse hyperbolic cosine; NaN below 1."""


@dispatched
def asin(x: Array, /) -> Array:
    """Arc sine, in [-pi/2, pi/2]; NaN outside [-1, 1]."""


@dispatched
def asinh(x: Array, /) -> Array:
    """Inverse hyperbolic sine."""


@dispatched
def atan(x: Array, /) -> Array:
    """Arc tangent, in [-pi/2, pi/2]."""


@dispatched
def atanh(x: Array, /) -> Array:
    """Inverse hyperbolic tangent; infinite at -1 and 1, NaN beyond."""


@dispatched
def bitwise_invert(x: Array, /) -> Array:
    """Each bit the other way round, of integers and booleans."""


@dispatched
def ceil(x: Array, /) -> Array:
    """The smallest integer not below x."""


@dispatched
def conj(x: Array, /) -> Array:
    """Complex conjugate."""


@dispatched
def cos(x: Array, /) -> Array:
    """Cosine, of radians."""


@dispatched
def cosh(x: Array, /) -> Array:
    """Hyperbolic cosine."""


@dispatched
def exp(x: Array, /) -> Array:
    """e to the power of x."""


@dispatched
def expm1(x: Array, /) -> Array:
    """exp(x) - 1, without cancellation near 0."""


@dispatched
def floor(x: Array, /) -> Array:
    """The largest integer not above x."""


@dispatched
def imag(x: Array, /) -> Array:
    """Imaginary part."""


@dispatched
def isfinite(x: Array, /) -> Array:
    """Whether x is neither infinite nor NaN."""


@dispatched
def isinf(x: Array, /) -> Array:
    """Whether x is an infinity."""


@dispatched
def isnan(x: Array, /) -> Array:
    """Whether x is NaN."""


@dispatched
def log(x: Array, /) -> Array:
    """Natural logarithm; -inf at 0, NaN below."""


@dispatched
def log10(x: Array, /) -> Array:
    """Logarithm to base 10."""


@dispatched
def log1p(x: Array, /) -> Array:
    """log(1 + x), without cancellation near 0."""


@dispatched
def log2(x: Array, /) -> Array:
    """Logarithm to base 2."""


@dispatched
def logical_not(x: Array, /) -> Array:
    """Logical NOT."""


@dispatched
def negative(x: Array, /) -> Array:
    """-x."""


@dispatched
def positive(x: Array, /) -> Array:
    """+x."""


@dispatched
def real(x: Array, /) -> Array:
    """Real part."""


@dispatched
def reciprocal(x: Array, /) -> Array:
    """1 / x."""


@dispatched
def round(x: Array, /) -> Array:
    """The nearest integer; halves go to the even one."""


@dispatched
def sign(x: Array, /) -> Array:
    """-1, 0 or 1; NaN at NaN. Of complex numbers x / abs(x)."""


@dispatched
def signbit(x: Array, /) -> Array:
    """Whether the sign bit is set, also of -0 and NaN."""


@dispatched
def sin(x: Array, /) -> Array:
    """Sine, of radians."""


@dispatched
def sinh(x: Array, /) -> Array:
    """Hyperbolic sine."""


@dispatched
def sqrt(x: Array, /) -> Array:
    """Square root; NaN below 0."""


@dispatched
def square(x: Array, /) -> Array:
    """x times x."""


@dispatched
def tan(x: Array, /) -> Array:
    """Tangent, of radians."""


@dispatched
def tanh(x: Array, /) -> Array:
    """Hyperbolic tangent."""


@dispatched
def trunc(x: Array, /) -> Array:
    """The integer nearest to x that is no further from 0."""


@dispatched
def add(x1: Array | float, x2: Array | float, /) -> Array:
    """x1 + x2."""


@dispatched
def atan2(x1: Array | float, x2: Array | float, /) -> Array:
    """The angle of the point (x2, x1), in [-pi, pi]."""


@dispatched
def bitwise_and(x1: Array | float, x2: Array | float, /) -> Array:
    """AND of each bit."""


@dispatched
def bitwise_left_shift(x1: Array | float, x2: Array | float, /) -> Array:
    """The bits of x1 moved to the left by x2."""


@dispatched
def bitwise_or(x1: Array | float, x2: Array | float, /) -> Array:
    """OR of each bit."""


@dispatched
def bitwise_right_shift(x1: Array | float, x2: Array | float, /) -> Array:
    """The bits of x1 moved to the right by x2, the sign kept."""


@dispatched
def bitwise_xor(x1: Array | float, x2: Array | float, /) -> Array:
    """XOR of each bit."""


@dispatched
def copysign(x1: Array | float, x2: Array | float, /) -> Array:
    """The magnitude of x1 with the sign of x2."""


@dispatched
def divide(x1: Array | float, x2: Array | float, /) -> Array:
    """x1 / x2."""


@dispatched
def equal(x1: Array | float, x2: Array | float, /) -> Array:
    """x1 == x2."""


@dispatched
def floor_divide(x1: Array | float, x2: Array | float, /) -> Array:
    """floor(x1 / x2)."""


@dispatched
def greater(x1: Array | float, x2: Array | float, /) -> Array:
    """x1 > x2."""


@dispatched
def greater_equal(x1: Array | float, x2: Array | float, /) -> Array:
    """x1 >= x2."""


@dispatched
def hypot(x1: Array | float, x2: Array | float, /) -> Array:
    """sqrt(x1^2 + x2^2), without overflow on the way."""


@dispatched
def less(x1: Array | float, x2: Array | float, /) -> Array:
    """x1 < x2."""


@dispatched
def less_equal(x1: Array | float, x2: Array | float, /) -> Array:
    """x1 <= x2."""


@dispatched
def logaddexp(x1: Array | float, x2: Array | float, /) -> Array:
    """log(exp(x1) + exp(x2)), without overflow."""


@dispatched
def logical_and(x1: Array | float, x2: Array | float, /) -> Array:
    """Logical AND."""


@dispatched
def logical_or(x1: Array | float, x2: Array | float, /) -> Array:
    """Logical OR."""


@dispatched
def logical_xor(x1: Array | float, x2: Array | float, /) -> Array:
    """Logical XOR."""


@dispatched
def maximum(x1: Array | float, x2: Array | float, /) -> Array:
    """The greater of the two; NaN if one is."""


@dispatched
def minimum(x1: Array | float, x2: Array | float, /) -> Array:
    """The smaller of the two; NaN if one is."""


@dispatched
def multiply(x1: Array | float, x2: Array | float, /) -> Array:
    """x1 * x2."""


@dispatched
def nextafter(x1: Array | float, x2: Array | float, /) -> Array:
    """The number of the dtype next to x1 in the direction of x2."""


@dispatched
def not_equal(x1: Array | float, x2: Array | float, /) -> Array:
    """x1 != x2."""


@dispatched
def pow(x1: Array | float, x2: Array | float, /) -> Array:
    """x1 to the power of x2."""


@dispatched
def remainder(x1: Array | float, x2: Array | float, /) -> Array:
    """What is left of x1 when divided by x2, with the sign of x2."""


@dispatched
def subtract(x1: Array | float, x2: Array | float, /) -> Array:
    """x1 - x2."""


@dispatched
def clip(x: Array, /, min: Array | float | None = None, max: Array | float | None = None) -> Array:
    """x, but `min` where it is below and `max` where it is above; None is no bound."""
