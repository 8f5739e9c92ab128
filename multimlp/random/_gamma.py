"""Gamma numbers, and their logarithms."""

from __future__ import annotations

from typing import Any

from multimlp.backend import Array, Arrays, Namespace, array_namespace
from multimlp.random._elements import block, centred, exponential_of, positive, rounded
from multimlp.random._gamma_slope import log_gamma_slope
from multimlp.random._parameters import Parameters, parameters_of
from multimlp.random._rejection import accepted
from multimlp.random._threefry import Shape

SHAPE_BOUNDS: dict[str, Any] = {"low": 0, "low_open": True}

_BOOST = 3
"""The second counter word of the numbers that make small shapes of large ones."""

_REJECTED, _PLAN = 0.31, (1, 1, 3, 15)
"""One element in 10^10 is left without a candidate, and gets about the median."""

_HEIGHT = 149 / 128
"""Above sqrt(e / 2); its products with 33 bits are exact."""


def gamma(key: Array, a: float | Array, shape: Shape | None = None, dtype: object = None) -> Array:
    r"""Gamma numbers of shape :math:`a` and scale 1, density :math:`x^{a - 1} e^{-x} / \Gamma(a)` for :math:`x > 0`.

    Of scale :math:`s`: multiply by it. Differentiated in :math:`a` by moving :math:`x` so that the distribution function stays where it
    is, as implicit reparametrisation does.

    Parameters
    ----------
    key : array, shape (2,), int32
    a : float or array
        Above 0. Of arrays nothing is checked: the result is NaN where it is not above 0, or NaN, and infinite where it is infinite.
    shape : sequence of int, optional
        Default: that of ``a``.
    dtype : str or dtype, optional
        As for `exponential`; default: that of ``a``, float32 for a number.

    Returns
    -------
    array of that shape and dtype, of the key's library and device
        For :math:`a \ge 1` the bits of float64 are the same on every library, but where the decision on a candidate hangs on the last
        bit of a logarithm, once in some 10^14 draws. Below that they are equal to two units in the last place of max(1, x). Small shapes
        underflow: `beta` and `dirichlet` work with the logarithms.

    Raises
    ------
    InputError, ShapeError
        If a number is not above 0, or an array does not broadcast to ``shape``.

    References
    ----------
    Marsaglia, Tsang, A simple method for generating gamma variables, ACM Transactions on Mathematical Software 26 (2000).
    Kinderman, Monahan, Computer generation of random variables using the ratio of uniform deviates, ibid. 3 (1977).
    Figurnov, Mohamed, Mnih, Implicit reparameterization gradients, NeurIPS 2018.

    Examples
    --------
    >>> from multimlp import random
    >>> random.gamma(random.key(0), 2.5, (10000,)).mean().round(1)
    np.float32(2.5)
    """
    given = parameters_of(key, shape, dtype, a=(a, SHAPE_BOUNDS))
    with given.backend.scope("float64"):
        if not given.arrays:
            return given.draw(_draw, given.dtype, False, float(given.values[0]) < 1)
        return given.rounded(given.with_slopes(given.draw(_draw, "float64", False, None), _slope))


def _slope(x: Array, a: Array) -> Arrays:
    xp = array_namespace(x, a)
    there = x > 0
    safe = xp.where(there, x, xp.ones_like(x))
    return (xp.where(there, x * log_gamma_slope(xp.log(safe), a), xp.zeros_like(x)),)


def log_gamma_numbers(given: Parameters, dtype: str = "float64") -> Array:
    """The logarithms of gamma numbers, which are finite for the smallest shapes too. In the scope of float64."""
    if not given.arrays:
        return given.draw(_draw, dtype, True, float(given.values[0]) < 1)
    return given.with_slopes(given.draw(_draw, "float64", True, None), lambda y, a: (log_gamma_slope(y, a),))


def _draw(
    key: Array, counter: Array, a: Array, second: None, dtype: str, logarithm: bool, small: bool | None
) -> tuple[Array, ...]:
    """``small``: whether the shape is below 1, None where that is to be looked at."""
    xp = array_namespace(counter)
    one = xp.ones_like(a)
    usable = a > 0 if small is None else None
    shape = a if usable is None else xp.where(xp.logical_and(usable, a <= _LARGEST), a, one)
    is_small = shape < 1 if small is None else None
    boosted = shape if small is False else shape + 1
    if is_small is not None:
        boosted = xp.where(is_small, boosted, shape)
    d = boosted - 1 / 3
    t, found = accepted(key, counter, _candidate, (d,), _REJECTED, _PLAN)
    t = xp.where(found, t, xp.ones_like(t))
    x = xp.log(d) + 3 * xp.log(t) if logarithm else d * (t * t * t)
    if small is not False:
        boost = exponential_of(xp, block(key, counter, _BOOST)) / shape
        if is_small is not None:
            boost = xp.where(is_small, boost, xp.zeros_like(boost))
        x = x - boost if logarithm else x * xp.exp(-boost)
    if usable is not None:
        x = xp.where(a <= _LARGEST, x, xp.log(a) if logarithm else a)
        x = xp.where(usable, x, xp.full_like(x, float("nan")))
    return (rounded(xp, x, dtype),)


_LARGEST = 1e30
"""Above it a gamma number in float64 is its shape."""


def _candidate(xp: Namespace, high: Array, low: Array, d: Array) -> tuple[Array, Array]:
    """t such that d t^3 is a candidate for a gamma number of shape d + 1/3.

    Marsaglia and Tsang's t = 1 + c z, but with z from a ratio of uniform numbers rather than from Box and Muller: of logarithms and
    cosines hangs a decision only, and no product stands in a sum, which some compilers round and others do not. So what is drawn
    has the same bits on every library.
    """
    u = positive(xp, high)
    c = xp.sqrt(1 / (9 * d))  # compilers make a rougher function of 1 / sqrt(x)
    y = (centred(xp, low) * c) / (u * _HEIGHT)
    inside = xp.maximum(y, xp.full_like(y, 2.0**-50 - 1))
    density = d * (3 * xp.log1p(inside) - inside * (3 + inside * (3 + inside)))
    return 1 + y, xp.logical_and(2 * xp.log(u) <= density, y > -1)
