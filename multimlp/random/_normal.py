"""Normal numbers."""

from __future__ import annotations

import math

from multimlp._polynomials import horner
from multimlp.backend import Array, Namespace, array_namespace, owner
from multimlp.random._elements import block, by_elements, leading, rounded, wide
from multimlp.random._parameters import dtype_name
from multimlp.random._threefry import BITS, Shape, constant, shape_of

_SINE = tuple((-1) ** i * (math.pi / 2) ** (2 * i + 1) / math.factorial(2 * i + 1) for i in range(9))
_COSINE = tuple((-1) ** i * (math.pi / 2) ** (2 * i) / math.factorial(2 * i) for i in range(10))
"""Taylor's coefficients of sin(pi r / 2) and cos(pi r / 2), good to an ulp for abs(r) <= 1/2."""

_LEAST_DIGITS = 24


def normal(key: Array, shape: Shape = (), dtype: object = "float32") -> Array:
    """Standard normal numbers, by Box and Muller: ``sqrt(-2 log u1) cos(2 pi u2)``, and the sine.

    Computed in float64; float32 numbers are of 24 bits each, the largest possible magnitude is 5.8 (8.6 in float64). The angle is
    reduced exactly, so that small numbers are as accurate as large ones.

    Parameters
    ----------
    key : array, shape (2,), int32
    shape : sequence of int
    dtype : str or dtype
        As for `uniform`.

    Returns
    -------
    array of that shape and dtype, of the key's library and device
        Equal on all libraries to two units in the last place.

    References
    ----------
    Box, Muller, A note on the generation of random normal deviates, Annals of Mathematical Statistics 29
    (1958).

    Examples
    --------
    >>> from multimlp import random
    >>> random.normal(random.key(0), (10000,)).std().round(1)
    np.float32(1.0)
    """
    name, shape = dtype_name(key, dtype), shape_of(shape)
    size, backend = math.prod(shape), owner(key)
    half = (size + 1) // 2
    with backend.scope("float64"):
        flat = by_elements(key, draw=_pairs, count=half, options=(half, name))
        return array_namespace(key).reshape(flat[:size], shape)


def _pairs(
    key: Array, counter: Array, first: None, second: None, half: int, dtype: str
) -> tuple[Array, Array]:
    """The cosines and the sines. In float64 the angles have blocks of their own, ``half`` after those of the radii."""
    xp = array_namespace(counter)
    words = block(key, counter, BITS)
    if dtype == "float64":
        u1, u2 = wide(xp, *words), wide(xp, *block(key, counter + constant(xp, counter, half), BITS))
    else:
        u1, u2 = (
            xp.astype(leading(xp, word, _LEAST_DIGITS), xp.float64) * 2.0**-_LEAST_DIGITS for word in words
        )
    radius = xp.sqrt(-2.0 * xp.log(1.0 - u1))
    cosine, sine = _on_the_circle(xp, u2)
    return rounded(xp, radius * cosine, dtype), rounded(xp, radius * sine, dtype)


def _on_the_circle(xp: Namespace, turns: Array) -> tuple[Array, Array]:
    """Cosine and sine of so many turns in [0, 1): those of what is left beside the nearest quarter, exchanged and signed by it."""
    quarters = 4.0 * turns
    nearest = xp.floor(quarters + 0.5)
    r = quarters - nearest
    square = r * r
    sine, cosine = r * horner(_SINE[::-1], square), horner(_COSINE[::-1], square)
    half_turns = xp.floor(nearest * 0.5)
    odd = nearest - 2.0 * half_turns
    even = 1.0 - odd
    sign = 1.0 - 2.0 * (half_turns - 2.0 * xp.floor(half_turns * 0.5))
    # Products with 0 and 1: exact, and faster than a choice by a random mask.
    return sign * (even * cosine - odd * sine), sign * (even * sine + odd * cosine)
