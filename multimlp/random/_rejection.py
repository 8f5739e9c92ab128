"""Rejection sampling without loops: shapes, and so programs, that depend on no values."""

from __future__ import annotations

import math
from collections.abc import Callable

from multimlp.backend import Array, Namespace, array_namespace, op
from multimlp.random._elements import block
from multimlp.random._threefry import constant, device_of

Candidate = Callable[..., tuple[Array, Array]]
"""``candidate(xp, word, word, *parameters)``: what is proposed, and whether it is accepted."""

_FIRST_CANDIDATE = 16
"""The second counter word of the first candidate: above those of `multimlp.random._threefry` and of the draws' own numbers."""


def accepted(
    key: Array,
    counter: Array,
    candidate: Candidate,
    parameters: tuple[Array, ...],
    rejected: float,
    plan: tuple[int, ...],
    tried: int = 0,
) -> tuple[Array, Array]:
    """The first candidate of each element that is accepted, and whether there was one.

    All elements get ``plan[0]`` candidates. Those that are left are moved together into an array that has room for them but once in
    10^15 draws, get ``plan[1]`` candidates there, and so on. Which candidates an element has depends on its number alone.

    Parameters
    ----------
    parameters : tuple of array
        Of the counter's length or of length 1.
    rejected : float
        The largest probability with which a candidate is rejected.
    plan : tuple of int
        How many candidates each element has at each stage; ``rejected ** sum(plan)`` is the chance of having none.
    tried : int
        How many candidates the elements have had.
    """
    xp = array_namespace(counter)
    value, good = _first_of(xp, key, counter, candidate, parameters, plan[0], tried)
    if len(plan) == 1:
        return value, good
    size = int(counter.shape[0])
    mean = size * rejected ** plan[0]
    room = min(size, math.ceil(mean + 8 * math.sqrt(mean) + 16))
    places, left = left_over(good, room)
    more, more_good = accepted(
        key,
        xp.take(counter, places, axis=0),
        candidate,
        tuple(p if p.shape[0] == 1 else xp.take(p, places, axis=0) for p in parameters),
        rejected,
        plan[1:],
        tried + plan[0],
    )
    one, end = constant(xp, counter, 1), constant(xp, counter, room)
    rank = xp.minimum(xp.maximum(left, one), end) - one
    found = xp.logical_and(left <= end, xp.take(more_good, rank, axis=0))
    return xp.where(good, value, xp.take(more, rank, axis=0)), xp.logical_or(good, found)


@op()
def left_over(good: Array, room: int) -> tuple[Array, Array]:
    """The places of the first ``room`` elements that are not good, and how many there are up to each element. If there are fewer, the rest
    of the places is that of any element."""
    xp = array_namespace(good)
    left = xp.cumulative_sum(xp.astype(xp.logical_not(good), xp.int32), dtype=xp.int32)
    ranks = xp.arange(1, room + 1, dtype=xp.int32, device=device_of(good))
    places = xp.astype(xp.searchsorted(left, ranks), xp.int32)
    return xp.minimum(places, constant(xp, places, int(good.shape[0]) - 1)), left


def _first_of(
    xp: Namespace,
    key: Array,
    counter: Array,
    candidate: Candidate,
    parameters: tuple[Array, ...],
    count: int,
    tried: int,
) -> tuple[Array, Array]:
    """The first of ``count`` candidates that is good, all of them made at once."""
    if count == 1:
        return candidate(xp, *block(key, counter, _FIRST_CANDIDATE + tried), *parameters)
    size = int(counter.shape[0])

    def side_by_side(x: Array) -> Array:
        return x if x.shape[0] == 1 else xp.concat([x] * count)

    purposes = xp.arange(count, dtype=xp.int32, device=device_of(counter))
    purposes = purposes + constant(xp, counter, _FIRST_CANDIDATE + tried)
    purposes = xp.reshape(xp.broadcast_to(purposes[:, None], (count, size)), (-1,))
    words = block(key, xp.concat([counter] * count), purposes)
    values, goods = candidate(xp, *words, *map(side_by_side, parameters))
    value, good = values[-size:], goods[-size:]
    for i in reversed(range(count - 1)):
        here = slice(i * size, (i + 1) * size)
        value, good = xp.where(goods[here], values[here], value), xp.logical_or(goods[here], good)
    return value, good
