"""What values and derivatives of smooth gates share, so that both together take one exponential. Every result goes into an array given."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backends.numpy.activations.numbers import Numbers


def _ufuncs() -> Any:
    try:
        import numpy._core.umath as found
    except ImportError:  # NumPy 1
        import numpy.core.umath as found  # type: ignore[no-redef]
    return found


clip: Any = _ufuncs().clip
"""The ufunc under `numpy.clip`. NumPy's `minimum` and `maximum` of an array and a number take three to five times as long as this, and as
they take for two arrays. It leaves -0 as it is at a bound of 0."""


def bounded(x: np.ndarray, low: Any, high: Any, out: np.ndarray) -> np.ndarray:
    """x kept between two numbers; NaN stays."""
    kept: np.ndarray = clip(x, low, high, out)
    return kept


def not_above(n: Numbers, x: np.ndarray, high: Any, out: np.ndarray) -> np.ndarray:
    """The smaller of x and a number; NaN stays."""
    return bounded(x, n.least, high, out)


def not_below(n: Numbers, x: np.ndarray, low: Any, out: np.ndarray) -> np.ndarray:
    """The larger of x and a number; NaN stays."""
    return bounded(x, low, n.most, out)


def left(x: np.ndarray, zeros: np.ndarray, out: np.ndarray) -> None:
    """x where it is below 0, else, and at NaN, 0; ``zeros`` is an array to work in."""
    zeros.fill(0)
    np.fmin(x, zeros, out=out)


def logistic(n: Numbers, z: np.ndarray, s: np.ndarray, rest: np.ndarray) -> None:
    """s = 1 / (1 + exp(-z)) and rest = 1 - s, neither by cancellation, for z up to `Numbers.top`; s may be z."""
    np.exp(z, out=s)
    np.add(s, n.one, out=rest)
    np.divide(s, rest, out=s)
    np.divide(n.one, rest, out=rest)


def logistic_slope(n: Numbers, s: np.ndarray, rest: np.ndarray, moved: np.ndarray, out: np.ndarray) -> None:
    """The derivative of x s: s (1 + moved rest), where ``moved`` is x times the derivative of the argument of s; rest is spent."""
    rest *= moved
    rest += n.one
    np.multiply(s, rest, out=out)


def tanh_argument(n: Numbers, x: np.ndarray, out: np.ndarray) -> None:
    """2 u of the tanh form of GELU, for x that is bounded."""
    np.multiply(x, x, out=out)
    np.multiply(out, n.cubic, out=out)
    np.add(out, n.linear, out=out)
    np.multiply(out, x, out=out)


def tanh_moved(n: Numbers, x: np.ndarray, out: np.ndarray) -> None:
    """x times the derivative of `tanh_argument`."""
    np.multiply(x, x, out=out)
    np.multiply(out, n.cubic_slope, out=out)
    np.add(out, n.linear, out=out)
    np.multiply(out, x, out=out)


def normal(n: Numbers, x: np.ndarray, distribution: np.ndarray, e: np.ndarray, t: np.ndarray) -> None:
    """The normal distribution of x, its left tail with all digits, and e = exp(-x^2 / 2); x^2 must not overflow, t is spent."""
    np.absolute(x, out=e)
    np.multiply(e, n.mills_pole, out=t)
    t += n.one
    np.divide(n.one, t, out=t)
    e *= e
    e *= n.minus_half
    np.exp(e, out=e)
    tail = n.mills(t, distribution)
    tail *= t
    tail *= e
    np.copyto(t, x > n.zero)  # 1 minus the tail there, on the left the tail
    np.subtract(t, tail, out=distribution)
    np.absolute(distribution, out=distribution)


def normal_slope(n: Numbers, x: np.ndarray, distribution: np.ndarray, e: np.ndarray, out: np.ndarray) -> None:
    """The derivative of x times the normal distribution of x; e is spent."""
    e *= n.density_peak
    e *= x
    np.add(distribution, e, out=out)


def mish(n: Numbers, z: np.ndarray, numerator: np.ndarray, inverse: np.ndarray, product: np.ndarray) -> None:
    """w^2 + 2 w, 1 / (w^2 + 2 w + 2) and w + w^2 with w = exp(z), for z up to `Numbers.top`; the numerator may be z."""
    np.exp(z, out=numerator)
    np.multiply(numerator, numerator, out=product)
    product += numerator
    numerator += product
    np.add(numerator, n.two, out=inverse)
    np.divide(n.one, inverse, out=inverse)


def mish_slope(
    n: Numbers,
    x: np.ndarray,
    numerator: np.ndarray,
    inverse: np.ndarray,
    product: np.ndarray,
    out: np.ndarray,
) -> None:
    """The derivative of x numerator inverse; the product is spent."""
    product *= inverse
    product *= x
    product *= n.four
    product += numerator
    np.multiply(product, inverse, out=out)
