"""Elementary functions of one number without branches, so that LLVM turns loops over them into vector code.

Errors of one to two units in the last place, the limits at the infinities, NaN kept. The names in capitals, and those of the pieces
that the functions are made of, are set for a dtype by `multimlp.backends._numba.names`; ``HIGH + LOW`` is log 2.
"""

from __future__ import annotations

from typing import Any

F: Any = float
BELL_END = DENSITY = TAIL = INF = LOG2E = HIGH = LOW = ROUNDING = TINY = LARGEST = SMALLEST = SHIFT = (
    SHIFTED
) = NAN = 0.0
scaled: Any = None
exponent: Any = None
fraction: Any = None
exp_series: Any = None
log_series: Any = None
tail_series: Any = None
floor: Any = None


def sign(x: float) -> float:
    x = F(1) if x > F(0) else x
    return F(-1) if x < F(0) else x


def exp(x: float) -> float:
    x = LARGEST if x > LARGEST else x
    x = SMALLEST if x < SMALLEST else x
    return exp_of_sum(x, F(0))


def exp_of_sum(x: float, rest: float) -> float:
    """With the digits that the sum would lose; the sum between SMALLEST and LARGEST."""
    rounded = (x + rest) * LOG2E + ROUNDING
    n = rounded - ROUNDING
    r = ((x - n * HIGH) - n * LOW) + rest
    return scaled(F(1) + (r + r * r * exp_series(r)), rounded)


def expm1(x: float) -> float:
    x = LARGEST if x > LARGEST else x
    x = F(-60) if x < F(-60) else x
    rounded = x * LOG2E + ROUNDING
    n = rounded - ROUNDING
    r = (x - n * HIGH) - n * LOW
    less = F(1) - scaled(F(1), ROUNDING - n)  # 1 - 2^-n
    return scaled(less + (r + r * r * exp_series(r)), rounded)


def bell(x: float) -> float:
    """exp(-x^2 / 2), the square in two parts, the first of which is exact."""
    z = abs(x)
    z = BELL_END if z > BELL_END else z
    head = floor(z * F(16)) * F(0.0625)
    return exp_of_sum(F(-0.5) * head * head, F(-0.5) * (z - head) * (z + head))


def normal(x: float) -> float:
    """The distribution function of the normal distribution, in single precision: a polynomial in 1 / (1 + z) for a small multiple z of
    the size of x, times the bell, with a relative error of 1e-8 beside the rounding."""
    t = F(1) / (F(1) + TAIL * abs(x))
    half = F(0.5) * bell(x) * (t * tail_series(t))
    return half if x < F(0) else F(1) - half


def normal_slope(x: float) -> float:
    """x times the density of the normal distribution."""
    bounded = BELL_END if x > BELL_END else x
    bounded = -BELL_END if bounded < -BELL_END else bounded
    return bounded * (bell(x) * DENSITY)  # the bell of the same number as in `normal`, so that both have one


def log(x: float) -> float:
    small = x < TINY
    shifted = x * SHIFT if small else x
    m = fraction(shifted)
    n = exponent(shifted) - (SHIFTED if small else F(0))
    s = (m - F(1)) / (m + F(1))
    value = n * HIGH + (F(2) * s + s * (s * s) * log_series(s * s) + n * LOW)
    value = x if x == INF else value
    value = -INF if x == F(0) else value
    return value if x >= F(0) else NAN


def log1p(x: float) -> float:
    w = F(1) + x
    rest = (x - (w - F(1))) / w  # what the addition lost
    rest = F(0) if abs(rest) == INF else rest
    rest = F(0) if rest != rest else rest
    return log(w) + rest


def tanh(x: float) -> float:
    e = expm1(F(-2) * abs(x))
    size = -e / (F(2) + e)
    return -size if x < F(0) else size
