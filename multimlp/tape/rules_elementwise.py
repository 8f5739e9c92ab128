"""Derivative rules of the element-wise functions.

Choices where a derivative does not exist (or is a matter of taste):

* ``abs`` and ``sign`` have derivative 0 at 0, ``hypot`` 0 at (0, 0), ``copysign`` 0 where its first argument
  is 0.
* ``maximum`` and ``minimum`` give each argument one half at a tie.
* ``clip`` has derivative 1 inside and *at* its bounds, 0 outside; a bound that is an array receives what is
  cut off by it.
* ``where`` never lets the branch that was not taken near the result, so a NaN there stays there.
* ``pow``: the derivative of ``x ** 0`` is 0 also at x = 0, and ``0 ** y`` does not change with ``y >= 0``;
  a negative base has no derivative with respect to the exponent (NaN).
* ``nextafter`` moves with its first argument, of which it is a unit in the last place away.
* Complex numbers may stand between real ones: cotangents are such that their product with a small change, real part taken, is the change
  of the result.
* ``floor``, ``round``, comparisons and the like are constants between their jumps: see ``rules_constant.py``.
"""

from __future__ import annotations

import math
from typing import Any

from multimlp._typing import Array, Namespace
from multimlp.tape._array import Wrapped
from multimlp.tape.core import raw
from multimlp.tape.recording import parametric, pointwise
from multimlp.tape.source import Maker, Source

LN2, LN10 = math.log(2.0), math.log(10.0)


def _array_like(xp: Namespace, x: Any, like: Array) -> Array:
    """A Python scalar as an array that goes with ``like``; arrays as they are."""
    return x if hasattr(x, "dtype") else xp.full_like(like, x)


def _pow_base(xp: Namespace, g: Array, _y: Array, a: Any, b: Any) -> Array:
    if isinstance(b, (int, float)):
        return (
            xp.zeros_like(g) if b == 0 else g * b if b == 1 else g * (b * a if b == 2 else b * a ** (b - 1))
        )
    undefined = (a == 0) & (b == 0)
    return g * (b * xp.pow(a, xp.where(undefined, xp.ones_like(b), b - 1)))


def _pow_exponent(xp: Namespace, g: Array, y: Array, a: Any, b: Any) -> Array:
    a = _array_like(xp, a, y)
    slope = y * xp.log(xp.where(a > 0, a, xp.ones_like(a)))
    return g * xp.where(a < 0, xp.full_like(a, math.nan), slope)


def _taken(xp: Namespace, g: Array, taken: Any, tie: Any) -> Array:
    zero = xp.zeros_like(g)
    return xp.where(taken, g, xp.where(tie, 0.5 * g, zero))


def _logaddexp(xp: Namespace, g: Array, y: Array, a: Any, b: Any) -> Array:
    a = _array_like(xp, a, y)
    negligible = a == y  # the other argument does not count, or both are infinite
    zero = xp.zeros_like(y)
    share = xp.exp(xp.where(negligible, zero, a) - xp.where(negligible, zero, y))
    return g * xp.where(negligible & (a == b), 0.5 * share, share)


def _hypot(xp: Namespace, g: Array, y: Array, a: Any) -> Array:
    origin = y == 0
    return xp.where(origin, xp.zeros_like(g), g * (a / xp.where(origin, xp.ones_like(y), y)))


def _atan2_first(xp: Namespace, g: Array, _y: Array, a: Any, b: Any) -> Array:
    r = xp.hypot(a, b)
    return g * (b / r / r)


def _copysign(xp: Namespace, g: Array, y: Array, a: Any, b: Any) -> Array:
    a = _array_like(xp, a, y)
    signed = xp.where(xp.signbit(a) == xp.signbit(y), g, -g)
    return xp.where(a == 0, xp.zeros_like(g), signed)


def _clip_x(xp: Namespace, g: Array, y: Array, x: Array, low: Any, high: Any) -> Array:
    zero = xp.zeros_like(g)
    if low is not None:
        g = xp.where(x < low, zero, g)
    if high is not None:
        g = xp.where(x > high, zero, g)
    return g


def _clip_low(xp: Namespace, g: Array, y: Array, x: Any, low: Array, high: Any) -> Array:
    cut = x < low
    return xp.where(cut if high is None else cut & (low <= high), g, xp.zeros_like(g))


def _clip_high(xp: Namespace, g: Array, y: Array, x: Any, low: Any, high: Array) -> Array:
    cut = x > high
    return xp.where(cut if low is None else cut | (low > high), g, xp.zeros_like(g))


def _clip(source: Source, xp: Any) -> Any:
    """The maker of clip: its bounds may be given by position or by name."""
    record = pointwise(_clip_x, _clip_low, _clip_high)(source, xp)

    def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:  # noqa: A002 - the standard's names
        return record(x, min, max)

    return clip


def _to_device(xp: Namespace, g: Array, _y: Array, x_like: Array, device: Any) -> Array:
    return xp._to_device(g, x_like.device)


def _tanh(xp: Namespace, g: Array, _y: Array, x: Array) -> Array:
    """By 4 e / (1 + e)^2 with e = exp(-2 |x|): 1 - y^2 has no digit left where y is nearly 1. Of complex numbers, by 1 - y^2."""
    if not xp.is_real_floating(x.dtype):
        y = xp.tanh(x)
        return g * (1 - y * y)
    return g * (slope_of_tanh if isinstance(x, Wrapped) else _plain_slope_of_tanh)(xp, x)


def slope_of_tanh(xp: Namespace, x: Array) -> Array:
    """With derivatives of its own; those of |x| would be wrong at 0. The sign is a constant, since the slope is even, and no choice,
    which takes longer than an exponential on random signs."""
    away = 2 - 4 * xp.astype(x >= 0, x.dtype)
    e = xp.exp(away * x)
    return 4 * e / ((1 + e) * (1 + e))


def _plain_slope_of_tanh(xp: Namespace, x: Array) -> Array:
    """The same numbers where nobody differentiates them, without a choice and in two arrays."""
    e = xp.exp(-2 * xp.abs(x))
    below = 1 + e
    below *= below
    e *= 4
    e /= below
    return e


def _is_real(xp: Namespace, x: Array) -> bool:
    return bool(xp.is_real_floating(x.dtype))


def _of_real(xp: Namespace, g: Array) -> Array:
    """The cotangent of a real number, of which only the real part counts, before it becomes one of a complex number."""
    return g if _is_real(xp, g) else xp.real(g)


def _abs(xp: Namespace, g: Array, _y: Array, x: Array) -> Array:
    if _is_real(xp, x):
        return g * xp.sign(x)
    size = xp.abs(x)
    return _of_real(xp, g) * (xp.conj(x) / xp.where(size == 0, xp.ones_like(size), size))


def _imag(xp: Namespace, g: Array, _y: Array, x: Array) -> Array:
    """The imaginary part is the real part of -i times the number."""
    return xp.zeros_like(g) if _is_real(xp, x) else _of_real(xp, g) * xp.full_like(raw(x), -1j)


# The rules of one row: the cotangent of the first argument, of the second, ...
RULES: dict[str, Maker] = {
    "abs": pointwise(_abs),
    "acos": pointwise(lambda xp, g, _y, x: -g / xp.sqrt((1 - x) * (1 + x))),
    "acosh": pointwise(lambda xp, g, _y, x: g / (xp.sqrt(x - 1) * xp.sqrt(x + 1))),
    "asin": pointwise(lambda xp, g, _y, x: g / xp.sqrt((1 - x) * (1 + x))),
    "asinh": pointwise(lambda xp, g, _y, x: g / xp.hypot(x, xp.ones_like(x))),
    "atan": pointwise(lambda xp, g, _y, x: g / (1 + x * x)),
    "atanh": pointwise(lambda xp, g, _y, x: g / ((1 - x) * (1 + x))),
    "conj": pointwise(lambda xp, g, _y, _x: g if _is_real(xp, g) else xp.conj(g)),
    "cos": pointwise(lambda xp, g, _y, x: -g * xp.sin(x)),
    "cosh": pointwise(lambda xp, g, _y, x: g * xp.sinh(x)),
    "exp": pointwise(lambda xp, g, y, _x: g * y),
    "expm1": pointwise(lambda xp, g, _y, x: g * xp.exp(x)),
    "imag": pointwise(_imag),
    "log": pointwise(lambda xp, g, _y, x: g / x),
    "log10": pointwise(lambda xp, g, _y, x: g / (LN10 * x)),
    "log1p": pointwise(lambda xp, g, _y, x: g / (1 + x)),
    "log2": pointwise(lambda xp, g, _y, x: g / (LN2 * x)),
    "negative": pointwise(lambda xp, g, _y, _x: -g),
    "positive": pointwise(lambda xp, g, _y, _x: g),
    "real": pointwise(lambda xp, g, _y, _x: _of_real(xp, g)),
    "reciprocal": pointwise(lambda xp, g, y, _x: -g * y * y),
    "sin": pointwise(lambda xp, g, _y, x: g * xp.cos(x)),
    "sinh": pointwise(lambda xp, g, _y, x: g * xp.cosh(x)),
    "sqrt": pointwise(lambda xp, g, y, _x: 0.5 * g / y),
    "square": pointwise(lambda xp, g, _y, x: 2 * g * x),
    "tan": pointwise(lambda xp, g, y, _x: g * (1 + y * y)),
    "tanh": pointwise(_tanh),
    "add": pointwise(lambda xp, g, _y, _a, _b: g, lambda xp, g, _y, _a, _b: g),
    "subtract": pointwise(lambda xp, g, _y, _a, _b: g, lambda xp, g, _y, _a, _b: -g),
    "multiply": pointwise(lambda xp, g, _y, _a, b: g * b, lambda xp, g, _y, a, _b: g * a),
    "divide": pointwise(lambda xp, g, _y, _a, b: g / b, lambda xp, g, y, _a, b: -g * y / b),
    "pow": pointwise(_pow_base, _pow_exponent),
    "remainder": pointwise(lambda xp, g, _y, _a, _b: g, lambda xp, g, _y, a, b: -g * (a // b)),
    "atan2": pointwise(_atan2_first, lambda xp, g, _y, a, b: -_atan2_first(xp, g, None, b, a)),
    "hypot": pointwise(
        lambda xp, g, y, a, _b: _hypot(xp, g, y, a), lambda xp, g, y, _a, b: _hypot(xp, g, y, b)
    ),
    "logaddexp": pointwise(_logaddexp, lambda xp, g, y, a, b: _logaddexp(xp, g, y, b, a)),
    "nextafter": pointwise(lambda xp, g, _y, _a, _b: g, lambda xp, g, _y, _a, _b: xp.zeros_like(g)),
    "copysign": pointwise(_copysign, lambda xp, g, _y, _a, _b: xp.zeros_like(g)),
    "maximum": pointwise(
        lambda xp, g, _y, a, b: _taken(xp, g, a > b, a == b),
        lambda xp, g, _y, a, b: _taken(xp, g, b > a, a == b),
    ),
    "minimum": pointwise(
        lambda xp, g, _y, a, b: _taken(xp, g, a < b, a == b),
        lambda xp, g, _y, a, b: _taken(xp, g, b < a, a == b),
    ),
    "where": pointwise(
        lambda xp, g, y, c, a, b: xp.zeros_like(g),
        lambda xp, g, y, c, a, b: xp.where(c, g, xp.zeros_like(g)),
        lambda xp, g, y, c, a, b: xp.where(c, xp.zeros_like(g), g),
    ),
    "clip": _clip,
    "_to_device": parametric(_to_device),
}
