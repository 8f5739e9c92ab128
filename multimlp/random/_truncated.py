"""Normal numbers between bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from multimlp._normal_quantile import normal_quantile
from multimlp._polynomials import horner
from multimlp.activations import erfc
from multimlp.backend import Array, Arrays, Namespace, array_namespace
from multimlp.errors import InputError
from multimlp.random._elements import block, by_elements, positive, rounded, wide
from multimlp.random._parameters import parameters_of
from multimlp.random._threefry import BITS, Shape, device_of

_FAR = 20.0
"""From here on the tail is computed from Mills' ratio, whose series has its full accuracy with nine terms."""

_ROUNDS = 7
"""Each is good for a factor of 1 / 400 in the far tail."""

_MILLS = tuple(float((-1) ** k * math.prod(range(1, 2 * k, 2))) for k in range(10))
"""x (1 - F(x)) / f(x) in powers of 1 / x^2."""


def truncated_normal(
    key: Array, lower: float | Array, upper: float | Array, shape: Shape | None = None, dtype: object = None
) -> Array:
    r"""Standard normal numbers between two bounds, by the quantile of the distribution, in the farthest tails too.

    With mean :math:`m` and deviation :math:`s`: :math:`m + s x` for bounds :math:`(l - m) / s`. Differentiated in the bounds by moving
    :math:`x` so that the distribution function stays where it is.

    Parameters
    ----------
    key : array, shape (2,), int32
    lower, upper : float or array
        May be infinite. Of arrays nothing is checked: the result is NaN where ``lower`` is not below ``upper``.
    shape : sequence of int, optional
        Default: what the bounds broadcast to.
    dtype : str or dtype, optional
        As for `exponential`; default: the widest of the bounds, float32 for numbers.

    Returns
    -------
    array of that shape and dtype, of the key's library and device
        Equal on all libraries to two units in the last place of max(1, abs(x)).

    Raises
    ------
    InputError, ShapeError
        If numbers are out of order, or an array does not broadcast to ``shape``.

    References
    ----------
    Wichura, Algorithm AS 241, Applied Statistics 37 (1988), for the quantile; Mills' ratio beyond 20.

    Examples
    --------
    >>> from multimlp import random
    >>> x = random.truncated_normal(random.key(0), 30.0, float("inf"), (10000,))
    >>> x.min() >= 30, x.mean().round(2)
    (np.True_, np.float32(30.03))
    """
    bounds = {"infinite": True}
    given = parameters_of(key, shape, dtype, lower=(lower, bounds), upper=(upper, bounds))
    low, high = given.values
    if isinstance(low, float) and isinstance(high, float) and not low < high:
        raise InputError(f"lower, upper: expected lower < upper, got {lower!r} and {upper!r}")
    with given.backend.scope("float64"):
        if not given.arrays:
            low, high = float(low), float(high)
            if low >= _FAR or high <= -_FAR:
                return given.draw(_draw, given.dtype, given.dtype, True)
            # Chances from the host: of their last bit hangs that of all that is drawn.
            table = [[low, high, *_chances(math.erfc, low, high, low + high < 0)]]
            first = given.xp.asarray(table, dtype=given.xp.float64, device=device_of(key))
            drawn = by_elements(key, first, draw=_by_table, count=given.size, options=(given.dtype,))
            return given.xp.reshape(drawn, given.shape)
        drawn = given.xp.reshape(given.draw(_draw, given.dtype, None, None), (2, *given.shape))
        return given.rounded(given.with_slopes(drawn[0, ...], _slopes, drawn[1, ...]))


def _slopes(x: Array, lower: Array, upper: Array, u: Array) -> Arrays:
    """The share of the density at the bound in that at x; in the exponent, since either may be too small for a number."""
    xp = array_namespace(x, lower, upper)
    return tuple(
        xp.exp(xp.log(share) + 0.5 * (x - bound) * (x + bound))
        for share, bound in ((1 - u, lower), (u, upper))
    )


def _uniform(key: Array, counter: Array, dtype: str) -> Array:
    xp = array_namespace(counter)
    words = block(key, counter, BITS)
    u = wide(xp, *words) if dtype == "float64" else positive(xp, words[0])
    return xp.maximum(u, xp.full_like(u, 2.0**-53))


def _draw(
    key: Array, counter: Array, lower: Array, upper: Array, bits: str, dtype: str | None, far: bool | None
) -> tuple[Array, ...]:
    """Without a ``dtype`` the numbers as they are, and the uniform ones that they come from; ``far`` is None where one must look."""
    xp = array_namespace(counter)
    u = _uniform(key, counter, bits)
    # The bound nearer to the middle is the lower one from here on: chances of the upper tail are exact where they are small.
    turned = lower + upper < 0
    low, high = xp.where(turned, -upper, lower), xp.where(turned, -lower, upper)
    share = xp.where(turned, 1 - u, u)
    is_far = low >= _FAR
    beyond = xp.where(is_far, low, xp.full_like(low, _FAR))
    x = _in_the_tail(xp, share, beyond, xp.maximum(high, beyond))
    if far is None:
        middle = xp.where(is_far, xp.zeros_like(low), low)
        x = xp.where(is_far, x, _between(xp, share, _chances(erfc.portable, middle, high, False)))
    x = xp.minimum(xp.maximum(x, low), high)
    x = xp.where(turned, -x, x)
    if dtype is None:
        return xp.where(lower < upper, x, xp.full_like(x, float("nan"))), u
    return (rounded(xp, x, dtype),)


def _by_table(key: Array, counter: Array, table: Array, second: None, dtype: str) -> tuple[Array, ...]:
    xp = array_namespace(counter)
    lower, upper = table[0, 0], table[0, 1]
    u = _uniform(key, counter, dtype)
    turned = lower + upper < 0
    share = xp.where(turned, 1 - u, u)
    x = _between(xp, share, tuple(table[0, i] for i in range(2, 6)))
    x = xp.where(turned, -x, x)
    return (rounded(xp, xp.minimum(xp.maximum(x, lower), upper), dtype),)


Complement: TypeAlias = Callable[[Any], Any]


def _chances(complement: Complement, lower: Any, upper: Any, turned: bool) -> tuple[Any, ...]:
    """Those below and above each of the bounds, of which the first is the one nearer to the middle."""
    low, high = (-upper, -lower) if turned else (lower, upper)
    return tuple(0.5 * complement(side * bound * math.sqrt(0.5)) for bound in (low, high) for side in (-1, 1))


def _between(xp: Namespace, share: Array, chances: tuple[Array, ...]) -> Array:
    below_low, above_low, below_high, above_high = chances
    below = below_low * (1 - share) + below_high * share
    above = above_low * (1 - share) + above_high * share
    return normal_quantile(xp, below, above)


def _in_the_tail(xp: Namespace, share: Array, low: Array, high: Array) -> Array:
    """With Q(x) = f(x) M(x) the equation Q(x) = c Q(low) is one for d = x^2 - low^2, in which M changes little."""
    mills = _log_mills(xp, low)
    ratio = xp.exp(-0.5 * (high - low) * (high + low) + _log_mills(xp, high) - mills - xp.log(high / low))
    start = -2 * xp.log1p(-share * (1 - ratio))
    d = start
    for _ in range(_ROUNDS):
        x = low * xp.sqrt(1 + d / low / low)
        d = start - xp.log1p(d / low / low) + 2 * (_log_mills(xp, x) - mills)
    x = low * xp.sqrt(1 + d / low / low)
    return low + d / (x + low)


def _log_mills(xp: Namespace, x: Array) -> Array:
    inverse_square = 1 / x / x
    return xp.log1p(horner(_MILLS[:0:-1], inverse_square) * inverse_square)
