"""Elementary functions of one number without branches, so that LLVM turns loops over them into vector code.

Errors of one to two units in the last place, the limits at the infinities, NaN kept. The names in capitals, and those of the pieces
that the functions are made of, are set for a dtype by `multimlp.backends._numba.names`; ``HIGH + LOW`` is log 2.
"""

from __future__ import annotations

from typing import Any

F: Any = float
INF = LOG2E = HIGH = LOW = ROUNDING = TINY = LARGEST = SMALLEST = SHIFT = SHIFTED = NAN = 0.0
scaled: Any = None
exponent: Any = None
fraction: Any = None
exp_series: Any = None
log_series: Any = None
erfc_series: Any = None
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


def erfc(x: float) -> float:
    """In single precision, by the series in 1 / (1 + z / 2) of Press et al., Numerical Recipes in C, section 6.2."""
    z = abs(x)
    z = F(12) if z > F(12) else z
    t = F(1) / (F(1) + F(0.5) * z)
    head = floor(z * F(16)) * F(0.0625)  # its square is exact
    value = t * exp_of_sum(-head * head, erfc_series(t) - (z - head) * (z + head))
    return F(2) - value if x < F(0) else value


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
