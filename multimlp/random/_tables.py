"""Integers by their distribution function: as many as there are entries that are not above a uniform number of 53 bits."""

from __future__ import annotations

import math

import numpy as np

from multimlp.backend import Array, Namespace, array_namespace, owner
from multimlp.random._elements import block, by_elements, wide
from multimlp.random._threefry import BITS, constant

GRID = 2.0**52
"""Chances are rounded down to multiples of 1 / GRID: sums of such that stay below 1 are exact in float64, in whatever order."""


def exact_sums(xp: Namespace, weights: Array) -> Array:
    """The partial sums along the last axis of weights of 0 or more, as chances: the same bits for the same weights on every library but
    for what a division may differ in, 2^-52."""
    total = xp.sum(weights, axis=-1, keepdims=True)
    shares = weights / total * (1 - 2.0**-40)
    return xp.cumulative_sum(xp.floor(shares * GRID) / GRID, axis=-1)


def drawn_by_table(
    key: Array, sums: np.ndarray | Array, shape: tuple[int, ...], dtype: str, first: int = 0
) -> Array:
    """Integers from ``first`` on, by one distribution function, an array of one dimension. In the scope of float64."""
    xp = array_namespace(key)
    if isinstance(sums, np.ndarray):
        sums = owner(key).asarray(sums, dtype="float64", device=owner(key).device_name(key))
    table = xp.reshape(sums, (1, -1))
    drawn = by_elements(key, table, draw=_look_up, count=math.prod(shape), options=(dtype, first))
    return xp.reshape(drawn, shape)


def _look_up(
    key: Array, counter: Array, table: Array, second: None, dtype: str, first: int
) -> tuple[Array, ...]:
    xp = array_namespace(counter)
    sums = table[0, :]
    u = wide(xp, *block(key, counter, BITS)) * sums[-1]
    k = xp.astype(xp.searchsorted(sums, u, side="right"), xp.int32)
    last = constant(xp, counter, int(sums.shape[0]) - 1)  # sums that are NaN lead out of the table
    k = xp.minimum(k, last) + constant(xp, counter, first)
    return (xp.astype(k, getattr(xp, dtype)),)
