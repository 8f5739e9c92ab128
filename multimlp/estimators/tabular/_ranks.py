"""What scikit-learn's ``QuantileTransformer`` computes, on arrays of any library: for models that leave for elsewhere."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from multimlp._normal_quantile import normal_quantile
from multimlp.backend import Array, array_namespace

_BOUND = 1e-7
"""How near to the ends a number counts as one (scikit-learn's)."""


def normal_scores(quantiles: np.ndarray, x: Array) -> Array:
    """Numbers (n, k), float64, as normal ones by where they lie among quantiles (q, k) that rise, shares of the way from 0 to 1.

    A number that several quantiles equal lies in the middle of them.
    """
    xp = array_namespace(x)
    count, columns = quantiles.shape
    share = np.linspace(0, 1, count)
    below, before = _places(quantiles, x, equal=True), _places(quantiles, x, equal=False) + 1
    # The line to the right of the last quantile that is not above x, and to the left of the first that is not below.
    width = np.diff(quantiles, axis=0)
    slope = np.divide(np.diff(share)[:, None], width, out=np.zeros_like(width), where=width > 0)
    none = np.zeros((1, columns))
    right, left = np.concatenate([slope, none]), np.concatenate([none, slope])

    def line(places: Array, slopes: np.ndarray) -> Array:
        at = _taken(np.broadcast_to(share[:, None], quantiles.shape), places)
        return at + _taken(slopes, places) * (x - _taken(quantiles, places))

    last = xp.minimum(before, xp.full_like(before, count - 1))
    inside = 0.5 * (line(xp.maximum(below, xp.zeros_like(below)), right) + line(last, left))
    low, high = xp.asarray(quantiles[0]), xp.asarray(quantiles[-1])
    zeros, ones = xp.zeros_like(x), xp.ones_like(x)
    chance = xp.where(x - _BOUND < low, zeros, xp.where(x + _BOUND > high, ones, inside))
    least = _BOUND - np.spacing(1)
    kept = xp.minimum(xp.maximum(chance, zeros + least), ones - least)
    end = float(ndtri(1 - least))
    return xp.minimum(xp.maximum(normal_quantile(xp, kept, 1 - kept), zeros - end), zeros + end)


def _places(quantiles: np.ndarray, x: Array, equal: bool) -> Array:
    """Of the last quantile below x, or ``equal`` to it, int64; -1 where there is none. Found by halves, without branches."""
    xp = array_namespace(x)
    count, columns = quantiles.shape
    size = 1 << count.bit_length()
    table = np.full((size + 1, columns), np.inf)
    table[1 : count + 1] = quantiles
    place = xp.astype(xp.zeros_like(x), xp.int64)
    step = size // 2
    while step:
        found = _taken(table, place + step)
        further = found <= x if equal else found < x
        place = place + step * xp.astype(further, xp.int64)
        step //= 2
    return place - 1


def _taken(table: np.ndarray, places: Array) -> Array:
    """``table[places[i, j], j]``."""
    xp = array_namespace(places)
    columns = table.shape[1]
    flat = xp.asarray(np.ascontiguousarray(table).reshape(-1))
    return xp.take(flat, places * columns + xp.asarray(np.arange(columns, dtype=np.int64)))
