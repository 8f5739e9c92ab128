"""Poisson numbers: by a table for a number as rate, by inversion and by transformed rejection for arrays of rates."""

from __future__ import annotations

import functools
import math

import numpy as np

from multimlp._polynomials import horner
from multimlp.backend import Array, Namespace, array_namespace
from multimlp.random._elements import block, centred, positive, wide
from multimlp.random._parameters import integer_name, parameters_of
from multimlp.random._rejection import accepted
from multimlp.random._tables import drawn_by_table
from multimlp.random._threefry import BITS, Shape, words_of

_LARGEST = 2e9
"""From here on int32 might not hold what is drawn."""

_TABULATED = 1e7
_SMALL = 10.0
"""Below it the terms of the distribution function are added up; from here on transformed rejection works."""

_TERMS = 48
"""P(X >= 48) < 2^-53 for rates up to 10."""

_REJECTED, _PLAN = 0.27, (1, 1, 3, 14)

_LOG_FACTORIALS = tuple(math.lgamma(k + 1) for k in range(16))
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)


def poisson(key: Array, lam: float | Array, shape: Shape | None = None, dtype: object = "int32") -> Array:
    r"""Poisson numbers, probability :math:`e^{-\lambda} \lambda^k / k!` of :math:`k = 0, 1, \dots`

    Parameters
    ----------
    key : array, shape (2,), int32
    lam : float or array
        From 0 to 2e9, the mean. Of arrays nothing is checked: the result is -1 where it is anything else. A number and an array of it
        give other draws: up to 10^7 a number's come from a table, which is several times as fast.
    shape : sequence of int, optional
        Default: that of ``lam``.
    dtype : str or dtype
        ``"int32"`` or ``"int64"``.

    Returns
    -------
    array of that shape and dtype, of the key's library and device
        For a number up to 10^7 the same integers on every library. Else they depend on comparisons in float64, which libraries whose
        logarithms differ in the last bit decide differently about once in :math:`10^{14} / \sqrt{\lambda}` draws.

    Raises
    ------
    InputError, ShapeError
        If a number is out of range, or an array does not broadcast to ``shape``.

    References
    ----------
    Hoermann, The transformed rejection method for generating Poisson random variables, Insurance: Mathematics and Economics 12 (1993).

    Examples
    --------
    >>> from multimlp import random
    >>> random.poisson(random.key(0), 3.0, (5,))
    array([2, 2, 2, 4, 4], dtype=int32)
    """
    words_of(key)
    name = integer_name(key, dtype)
    given = parameters_of(key, shape, "float64", lam=(lam, {"low": 0, "high": _LARGEST}))
    with given.backend.scope("float64"):
        if given.arrays:
            return given.draw(_of_any, name)
        rate = float(given.values[0])
        if rate <= _TABULATED:
            first, chances = _table(rate)
            return drawn_by_table(key, chances, given.shape, name, first)
        return given.draw(_of_large, name)


@functools.lru_cache(maxsize=64)
def _table(rate: float) -> tuple[int, np.ndarray]:
    """The least number that is drawn, and the distribution function from there on; what is left out is less than 2^-60."""
    if rate < 2.0**-60:  # nothing but 0 is ever drawn, and the formulas below divide by it
        return 0, np.ones(1)
    reach = 9 * math.sqrt(rate) + 40
    k = np.arange(max(0, math.floor(rate - reach)), math.ceil(rate + reach) + 1, dtype=np.float64)
    return int(k[0]), np.cumsum(np.exp(_log_chances(array_namespace(k), k, np.full((1,), rate))))


# ---- arrays --------------------------------------------------------------------------------------------------------------


def _of_any(key: Array, counter: Array, lam: Array, second: None, dtype: str) -> tuple[Array, ...]:
    xp = array_namespace(counter)
    usable = xp.logical_and(lam >= 0, lam <= _LARGEST)
    small = lam < _SMALL
    few = _by_inversion(xp, key, counter, xp.where(xp.logical_and(usable, small), lam, xp.zeros_like(lam)))
    rate = xp.where(xp.logical_and(usable, xp.logical_not(small)), lam, xp.full_like(lam, _SMALL))
    many = _by_rejection(key, counter, rate)
    drawn = xp.where(usable, xp.where(small, few, many), xp.full_like(many, -1.0))
    return (xp.astype(drawn, getattr(xp, dtype)),)


def _of_large(key: Array, counter: Array, lam: Array, second: None, dtype: str) -> tuple[Array, ...]:
    xp = array_namespace(counter)
    return (xp.astype(_by_rejection(key, counter, lam), getattr(xp, dtype)),)


def _by_inversion(xp: Namespace, key: Array, counter: Array, lam: Array) -> Array:
    """How many terms of the distribution function are not above a uniform number."""
    u = wide(xp, *block(key, counter, BITS))
    chance = xp.exp(-lam) + xp.zeros_like(u)
    total, k = chance, xp.zeros_like(u)
    for i in range(1, _TERMS):
        k = k + xp.astype(u >= total, xp.float64)
        chance = chance * (lam / i)
        total = total + chance
    return k


def _by_rejection(key: Array, counter: Array, lam: Array) -> Array:
    xp = array_namespace(counter)
    k, found = accepted(key, counter, _candidate, (lam,), _REJECTED, _PLAN)
    return xp.where(found, k, xp.floor(lam) + xp.zeros_like(k))


def _candidate(xp: Namespace, high: Array, low: Array, lam: Array) -> tuple[Array, Array]:
    """Hoermann's PTRS, without the short cuts that spare scalar code a logarithm. The whole part of the rate is added after rounding down,
    so that large rates take no digits away."""
    b = 0.931 + 2.53 * xp.sqrt(lam)
    a = 0.02483 * b - 0.059
    u, v = centred(xp, high) / 2, positive(xp, low)
    us = 0.5 - xp.abs(u)
    whole = xp.floor(lam)
    k = whole + xp.floor((2 * a / us + b) * u + (lam - whole) + 0.43)
    height = xp.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (us * us) + b))
    return k, xp.logical_and(k >= 0, height <= _log_chances(xp, k, lam))


def _log_chances(xp: Namespace, k: Array, lam: Array) -> Array:
    """log of e^-lam lam^k / k!: as it stands for k < 16, else from Stirling's series and the deviance, where no large numbers cancel."""
    few = k < 16
    index = xp.astype(xp.where(xp.logical_and(few, k >= 0), k, xp.zeros_like(k)), xp.int32)
    factorials = xp.asarray(_LOG_FACTORIALS, dtype=xp.float64, device=getattr(k, "device", None) or None)
    near = k * xp.log(lam) - lam - xp.take(factorials, index, axis=0)
    m = xp.where(few, xp.full_like(k, 16.0), k)
    inverse = 1 / m
    square = inverse * inverse
    series = horner(_STIRLING[::-1], square)
    x = (m - lam) / lam
    deviance = lam * ((1 + x) * xp.log1p(x) - x)
    far = -deviance - 0.5 * xp.log(2 * math.pi * m) - series * inverse
    return xp.where(few, near, far)
