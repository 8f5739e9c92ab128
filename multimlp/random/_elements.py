"""How the elements of a draw are made: each from its own number, so that they may be made in any order and in pieces.

Element i has the blocks (i, purpose) of the generator for itself, two words each. What is drawn is computed in float64 whatever dtype is
asked for, and rounded once at the end: libraries whose logarithms differ in the last bit then give float32 numbers that are the same or
neighbours, and decide a comparison differently once in some 10^15.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp.backend import Array, Namespace, array_namespace, op, owner
from multimlp.random._threefry import constant, device_of, threefry2x32, words_of

Draw = Callable[..., tuple[Array, ...]]
"""``draw(key, counter, first, second, *options)``: arrays of the counter's length. Parameters are arrays of that length or of length 1,
or tables, which have two dimensions."""


@op(arrays=3)
def by_elements(
    key: Array,
    first: Array | None = None,
    second: Array | None = None,
    *,
    draw: Draw,
    count: int,
    options: tuple[Any, ...] = (),
) -> Array:
    """What ``draw`` makes of the counters 0 .. count-1, its arrays one behind the other; a backend may do that piece by piece."""
    xp = array_namespace(key)
    counter = xp.arange(count, dtype=xp.int32, device=device_of(key))
    drawn = draw(key, counter, first, second, *options)
    return drawn[0] if len(drawn) == 1 else joined(*drawn)


def joined(first: Array, second: Array) -> Array:
    """One behind the other, as a choice by rows: XLA fuses a concatenation with what it joins, and decides for each element which one to
    compute: normal numbers took seven times as long."""
    xp = array_namespace(first, second)
    rows = xp.reshape(xp.arange(2, dtype=xp.int32, device=device_of(first)), (2, 1))
    return xp.reshape(xp.where(rows == 0, first[None, :], second[None, :]), (-1,))


def block(key: Array, counter: Array, purpose: int | Array) -> tuple[Array, Array]:
    """Two random words for each counter."""
    xp, key0, key1 = words_of(key)
    second = constant(xp, key, purpose) if isinstance(purpose, int) else purpose
    high, low = threefry2x32(key0, key1, counter, second)
    return high, low


# ---- numbers from words; all of these are exact ---------------------------------------------------------------------------


def centred(xp: Namespace, word: Array) -> Array:
    """An odd multiple of 2^-32 in (-1, 1)."""
    return (xp.astype(word, xp.float64) + 0.5) * 2.0**-31


def positive(xp: Namespace, word: Array) -> Array:
    """An odd multiple of 2^-33 in (0, 1)."""
    return (xp.astype(word, xp.float64) + (2.0**31 + 0.5)) * 2.0**-32


def wide(xp: Namespace, high: Array, low: Array) -> Array:
    """A multiple of 2^-53 in [0, 1), of the 26 leading bits of one word and the 27 of the other; as `uniform` in float64."""
    upper = xp.astype(leading(xp, high, 26), xp.float64)
    return upper * 2.0**-26 + xp.astype(leading(xp, low, 27), xp.float64) * 2.0**-53


def leading(xp: Namespace, word: Array, count: int) -> Array:
    """The ``count`` highest bits of each word as a non-negative int32."""
    shifted = xp.bitwise_right_shift(word, constant(xp, word, 32 - count))
    return xp.bitwise_and(shifted, constant(xp, word, (1 << count) - 1))


def coin(xp: Namespace, word: Array) -> Array:
    """-1 or 1, by the lowest bit, which `wide` does not look at."""
    return 1.0 - 2.0 * xp.astype(xp.bitwise_and(word, constant(xp, word, 1)), xp.float64)


def exponential_of(xp: Namespace, words: tuple[Array, Array]) -> Array:
    """An exponential number of 53 bits; never infinite."""
    return -xp.log(1.0 - wide(xp, *words))


def rounded(xp: Namespace, x: Array, dtype: str) -> Array:
    return x if dtype == "float64" else xp.astype(x, owner(x).dtype(dtype))
