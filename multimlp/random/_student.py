"""Student's t."""

from __future__ import annotations

import math

from multimlp._polynomials import horner
from multimlp.backend import Array, array_namespace
from multimlp.random._elements import block, centred, exponential_of, positive, rounded, wide
from multimlp.random._parameters import parameters_of
from multimlp.random._threefry import BITS, Shape

_ANGLE = 3
"""The second counter word of the angles in float64."""

_QUARTER = tuple((-1) ** i * (math.pi / 2) ** (2 * i + 1) / math.factorial(2 * i + 1) for i in range(12))
"""Taylor's coefficients of sin(pi w / 2), good to an ulp for abs(w) <= 1."""

_LARGEST = 1e100
"""From here on the number is a normal one."""


def student_t(key: Array, df: float | Array, shape: Shape | None = None, dtype: object = None) -> Array:
    r"""Numbers of Student's t distribution with :math:`\nu` degrees of freedom, by Bailey's formula.

    :math:`t = \sqrt{\nu (u^{-2 / \nu} - 1)} \cos 2 \pi v` for uniform :math:`u, v`: Box and Muller's is its limit. No number is rejected,
    and it is differentiated in :math:`\nu` as it stands. One degree of freedom is Cauchy's distribution, infinitely many the normal.

    Parameters
    ----------
    key : array, shape (2,), int32
    df : float or array
        Above 0, ``inf`` included. Of arrays nothing is checked: the result is NaN where it is not above 0.
    shape : sequence of int, optional
        Default: that of ``df``.
    dtype : str or dtype, optional
        As for `exponential`; default: that of ``df``, float32 for a number.

    Returns
    -------
    array of that shape and dtype, of the key's library and device
        Equal on all libraries to two units in the last place of max(1, abs(t)) times :math:`1 + 20 / \nu`. Few degrees of freedom
        overflow.

    Raises
    ------
    InputError, ShapeError
        If a number is not above 0, or an array does not broadcast to ``shape``.

    References
    ----------
    Bailey, Polar generation of random variates with the t-distribution, Mathematics of Computation 62 (1994).

    Examples
    --------
    >>> from multimlp import random
    >>> bool(abs(random.student_t(random.key(0), 5.0, (10000,)).mean()) < 0.05)
    True
    """
    given = parameters_of(key, shape, dtype, df=(df, {"low": 0, "low_open": True, "infinite": True}))
    with given.backend.scope("float64"):
        if not given.arrays:
            return given.draw(_drawn, given.dtype)
        raw, shape = given.draw(_ingredients, given.dtype), given.shape
        e, w = (given.xp.reshape(raw[i * given.size : (i + 1) * given.size], shape) for i in (0, 1))
        (nu,) = given.smooth()
        return given.rounded(_polar(e, w, nu))


def _drawn(key: Array, counter: Array, df: Array, second: None, dtype: str) -> tuple[Array, ...]:
    e, w = _ingredients(key, counter, df, second, dtype)
    return (rounded(array_namespace(e), _polar(e, w, df), dtype),)


def _ingredients(key: Array, counter: Array, df: Array, second: None, dtype: str) -> tuple[Array, ...]:
    """An exponential number and the angle from the axis, in quarters of a turn between -1 and 1: the cosine of a uniform angle is the sine
    of one in that half."""
    xp = array_namespace(counter)
    high, low = block(key, counter, BITS)
    if dtype != "float64":
        return -xp.log(positive(xp, high)), centred(xp, low)
    return exponential_of(xp, (high, low)), 2 * wide(xp, *block(key, counter, _ANGLE)) - (1 - 2.0**-53)


def _polar(e: Array, w: Array, df: Array) -> Array:
    xp = array_namespace(e, w, df)
    usable = df > 0
    nu = xp.where(usable, df, xp.ones_like(df))
    nu = xp.where(nu < _LARGEST, nu, xp.full_like(nu, _LARGEST))
    radius = xp.sqrt(nu * xp.expm1(2 * e / nu))
    return xp.where(usable, radius * _sine(w), xp.full_like(radius, float("nan")))


def _sine(w: Array) -> Array:
    return w * horner(_QUARTER[::-1], w * w)
