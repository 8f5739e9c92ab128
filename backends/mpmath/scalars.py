"""mpmath's functions of numbers, with IEEE 754's answers where mpmath raises or turns complex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath

context = mpmath.MPContext()
"""A context of its own, safe from changes of precision elsewhere. ``context.dps`` is the number of digits."""
context.dps = 50

mpf = context.mpf
ZERO, ONE, INF, NAN = mpf(0), mpf(1), mpf("inf"), mpf("nan")

_FAR = mpf(10) ** 9
"""exp(-1e9) is zero, and exp(1e9) infinite, in every floating-point format that anyone compares with."""

Real = Any
"""An ``mpf`` of `context`, or a Python number."""


def real(x: Any) -> Real:
    """A Python, NumPy or foreign mpmath number as one of `context`, exactly."""
    return mpf(x) if isinstance(x, (int, float, str)) else mpf(getattr(x, "_mpf_", None) or x.item())


def _with_limits(
    function: Callable[[Real], Real], at_minus_inf: Real = NAN, at_plus_inf: Real = NAN
) -> Callable[[Real], Real]:
    def guarded(x: Real) -> Real:
        x = mpf(x)
        if x != x:
            return NAN
        if x == INF:
            return at_plus_inf
        return at_minus_inf if x == -INF else function(x)

    return guarded


def _beyond(function: Callable[[Real], Real], left: Real, right: Real) -> Callable[[Real], Real]:
    """As `_with_limits`, taking the limits from 1e9 on: nobody waits for a billion digits."""

    def bounded(x: Real) -> Real:
        if x > _FAR:
            return right
        return left if x < -_FAR else function(x)

    return _with_limits(bounded, left, right)


def _on(domain: Callable[[Real], bool], function: Callable[[Real], Real]) -> Callable[[Real], Real]:
    return lambda x: function(x) if domain(x) else NAN


exp = _beyond(context.exp, ZERO, INF)
expm1 = _beyond(context.expm1, -ONE, INF)
tanh = _beyond(context.tanh, -ONE, ONE)
erf = _beyond(context.erf, -ONE, ONE)
erfc = _beyond(context.erfc, mpf(2), ZERO)
sinh = _beyond(context.sinh, -INF, INF)
cosh = _beyond(context.cosh, INF, INF)
log = _with_limits(lambda x: -INF if x == 0 else context.log(x) if x > 0 else NAN, NAN, INF)
log1p = _with_limits(lambda x: -INF if x == -1 else context.log1p(x) if x > -1 else NAN, NAN, INF)
sqrt = _with_limits(_on(lambda x: x >= 0, context.sqrt), NAN, INF)
sin, cos, tan = _with_limits(context.sin), _with_limits(context.cos), _with_limits(context.tan)
asin, acos = (_with_limits(_on(lambda x: abs(x) <= 1, f)) for f in (context.asin, context.acos))
atan = _with_limits(context.atan, -context.pi / 2, context.pi / 2)
asinh = _with_limits(context.asinh, -INF, INF)
acosh = _with_limits(_on(lambda x: x >= 1, context.acosh), NAN, INF)
atanh = _with_limits(lambda x: x * INF if abs(x) == 1 else context.atanh(x) if abs(x) < 1 else NAN)
floor = _with_limits(context.floor, -INF, INF)
ceil = _with_limits(context.ceil, -INF, INF)


def log2(x: Real) -> Real:
    return log(x) / context.ln2


def log10(x: Real) -> Real:
    return log(x) / context.ln10


def trunc(x: Real) -> Real:
    return floor(x) if x >= 0 else ceil(x)


def rint(x: Real) -> Real:
    """To the nearest integer, halves to even."""
    return _with_limits(context.nint, -INF, INF)(x)


def sign(x: Real) -> Real:
    return x if x != x else ONE if x > 0 else -ONE if x < 0 else ZERO


def divide(x: Real, y: Real) -> Real:
    if y == 0:
        return NAN if x == 0 or x != x else sign(x) * INF
    return mpf(x) / y


def power(x: Real, y: Real) -> Real:
    if y == 0 or x == 1:
        return ONE
    if x != x or y != y:
        return NAN
    if x == 0:
        return ZERO if y > 0 else INF
    result = mpf(x) ** y
    return result if isinstance(result, mpf) else NAN


def floor_divide(x: Real, y: Real) -> Real:
    return floor(divide(x, y))


def remainder(x: Real, y: Real) -> Real:
    if abs(y) == INF and x - x == 0:  # the quotient is 0, or just below
        return x if x == 0 or (x > 0) == (y > 0) else y
    return NAN if y == 0 else x - floor_divide(x, y) * y


def maximum(x: Real, y: Real) -> Real:
    return x if x != x or x >= y else y


def minimum(x: Real, y: Real) -> Real:
    return x if x != x or x <= y else y


def hypot(x: Real, y: Real) -> Real:
    return INF if INF in (abs(x), abs(y)) else sqrt(x * x + y * y)


def atan2(y: Real, x: Real) -> Real:
    return NAN if x != x or y != y else context.atan2(y, x)


def logaddexp(x: Real, y: Real) -> Real:
    if x != x or y != y:
        return NAN
    high, low = (x, y) if x >= y else (y, x)
    return high if high in (INF, -INF) else high + log1p(exp(low - high))


def copysign(x: Real, y: Real) -> Real:
    """There is one zero, and it is positive."""
    return -abs(x) if y < 0 else abs(x)
