"""The draws: every function takes a key and gives the same bits, or nearly so, on every library."""

from __future__ import annotations

import math
import sys
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp.backend import Array, array_namespace, is_array, owner
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import LARGEST, check_number, check_seed, check_whole, refuse
from multimlp.random._elements import leading
from multimlp.random._parameters import PRECISIONS, check_axis, check_broadcast, dtype_name
from multimlp.random._threefry import (
    BITS,
    Shape,
    constant,
    device_of,
    fold_in,
    shape_of,
    threefry2x32,
    words_of,
)

_LARGEST = {
    "float16": 65504.0,
    "bfloat16": (2 - 2.0**-7) * 2.0**127,
    "float32": (2 - 2.0**-23) * 2.0**127,
    "float64": sys.float_info.max,
}


def _flat_bits(key: Array, size: int) -> Array:
    xp, key0, key1 = words_of(key)
    counter = xp.arange((size + 1) // 2, dtype=xp.int32, device=device_of(key))
    return xp.concat(list(threefry2x32(key0, key1, counter, constant(xp, key, BITS))))[:size]


def _window_bits(key: Array, shape: tuple[int, ...], start: int | Array, rows: int) -> Array:
    """Of ``bits(key, (*lead, rows, k))`` the rows from ``start`` on; each word takes a block of its own, so twice the work."""
    xp, key0, key1 = words_of(key)
    *lead, count, k = shape
    size = math.prod(lead) * rows * k
    if size >= 1 << 31:
        raise ShapeError(f"shape: a draw of which rows are taken has fewer than 2**31 words, this one {size}")

    def along(number: int, stride: int) -> Array:
        return xp.arange(number, dtype=xp.int32, device=device_of(key)) * stride

    first = xp.reshape(along(count, 1) + start, (count, 1)) * k + along(k, 1)
    index = xp.reshape(along(math.prod(lead), rows * k), (-1, 1)) + xp.reshape(first, (1, -1))
    index = xp.reshape(index, (-1,))
    half = (size + 1) // 2
    early = index < half
    counter = xp.where(early, index, index - half)
    word0, word1 = threefry2x32(key0, key1, counter, constant(xp, key, BITS))
    return xp.reshape(xp.where(early, word0, word1), shape)


def bits(key: Array, shape: Shape = ()) -> Array:
    """Random 32-bit words as int32; bit-identical on every library.

    Parameters
    ----------
    key : array, shape (2,), int32
    shape : tuple of int

    Returns
    -------
    array, int32, of that shape and the key's library and device

    Raises
    ------
    InputError, ShapeError
        For what is no key, or a shape of 2^32 numbers or more.

    Examples
    --------
    >>> from multimlp import random
    >>> random.bits(random.key(0), (3,))
    array([ 1797259609,  1351547692, -1715843330], dtype=int32)
    """
    xp, shape = words_of(key)[0], shape_of(shape)
    return xp.reshape(_flat_bits(key, math.prod(shape)), shape)


def uniform(
    key: Array, shape: Shape = (), dtype: object = "float32", minval: float = 0.0, maxval: float = 1.0
) -> Array:
    """Uniform numbers in [minval, maxval).

    On [0, 1) they are multiples of 2^-24 (float32), 2^-53 (float64), 2^-11 (float16), 2^-8 (bfloat16).
    Bit-identical on every library for the default range. Rounding may reach ``maxval`` for other ranges.

    Parameters
    ----------
    key : array, shape (2,), int32
    shape : sequence of int
    dtype : str or dtype
        ``"float32"``, ``"float64"``, ``"float16"`` or ``"bfloat16"``, or such a dtype of the key's library.
    minval, maxval : float

    Returns
    -------
    array of that shape and dtype, of the key's library and device

    Examples
    --------
    >>> from multimlp import random
    >>> random.uniform(random.key(0), (2,))
    array([0.4184571 , 0.60049903], dtype=float32)
    """
    dtype, shape = dtype_name(key, dtype), shape_of(shape)
    low, high = check_number("minval", minval), check_number("maxval", maxval)
    if not low < high:
        raise InputError(f"minval, maxval: expected minval < maxval, got {minval!r} and {maxval!r}")
    if max(-low, high, high - low) > _LARGEST[dtype]:
        raise InputError(
            f"minval, maxval: expected numbers not more than {_LARGEST[dtype]:g} from 0 and from each other, since {dtype} ends there, "
            f"got {minval!r} and {maxval!r}"
        )
    backend = owner(key)
    with backend.scope(dtype):
        u = _unit(key, math.prod(shape), backend.dtype(dtype), PRECISIONS[dtype])
        if (low, high) != (0.0, 1.0):
            u = low + u * (high - low)
        return array_namespace(key).reshape(u, shape)


def _unit(key: Array, size: int, dtype: Any, precision: int) -> Array:
    """``size`` multiples of 2^-precision in [0, 1); every operation is exact."""
    xp = array_namespace(key)
    if precision != 53:
        words = leading(xp, _flat_bits(key, size), precision)
        return xp.astype(words, dtype) * 2.0**-precision
    words = _flat_bits(key, 2 * size)
    high = xp.astype(leading(xp, words[:size], 26), dtype)
    low = xp.astype(leading(xp, words[size:], 27), dtype)
    return high * 2.0**-26 + low * 2.0**-53


def bernoulli(
    key: Array,
    p: float | Array = 0.5,
    shape: Shape | None = None,
    *,
    window: tuple[int | Array, int] | None = None,
) -> Array:
    """Booleans that are true with probability ``p``; bit-identical on every library.

    Parameters
    ----------
    key : array, shape (2,), int32
    p : float or array that broadcasts to ``shape``, floating
        A number is resolved to 2^-32, an array to 2^-24.
    shape : sequence of int, optional
        Default: that of ``p``.
    window : (start, rows), optional
        ``shape`` (..., n, k) is that of the rows ``start`` to ``start + n`` of a draw of shape (..., rows, k), and so are the numbers,
        at twice the work: what a process draws that has these rows of a batch. ``start`` may be an int32 array of shape (), also a
        traced one.

    Returns
    -------
    array of that shape, bool

    Examples
    --------
    >>> from multimlp import random
    >>> random.bernoulli(random.key(0), 0.5, (4,))
    array([False, False,  True,  True])
    >>> whole = random.bernoulli(random.key(0), 0.5, (5, 2))
    >>> bool((random.bernoulli(random.key(0), 0.5, (3, 2), window=(1, 5)) == whole[1:4]).all())
    True
    """
    xp = words_of(key)[0]
    shape = shape_of((tuple(p.shape) if is_array(p) else ()) if shape is None else shape)  # type: ignore[union-attr]
    if window is not None:
        check_window(window, shape)
    if is_array(p) and not (isinstance(p, np.generic) and owner(p) is not owner(key)):
        chances: Any = p
        if not owner(key, chances).is_floating(chances):
            raise refuse("p", "a number, or a floating array of probabilities", p)
        check_broadcast("p", tuple(chances.shape), shape)
        if window is None:
            return _below(uniform(key, shape, "float32"), chances)
        words = leading(xp, _window_bits(key, shape, *window), PRECISIONS["float32"])
        return _below(xp.astype(words, xp.float32) * 2.0 ** -PRECISIONS["float32"], chances)
    probability = check_number("p", p, low=0, high=1)
    # Signed words are uniform on [-2^31, 2^31).
    threshold = round(probability * 2**32) - 2**31
    if threshold >= 2**31:
        return xp.full(shape, True, device=device_of(key))
    if window is not None:
        return _window_bits(key, shape, *window) < threshold
    return bits(key, shape) < threshold


def _below(u: Array, chances: Array) -> Array:
    """Where the first, of float32, are less; compared in the wider of both formats, which not every library does by itself."""
    backend = owner(u, chances)
    if chances.dtype == u.dtype:
        return u < chances
    with backend.scope_of(chances):
        xp = array_namespace(u, chances)
        wide = xp.float64 if backend.dtype_name(chances.dtype) == "float64" else xp.float32
        return xp.astype(u, wide) < xp.astype(chances, wide)


def check_window(window: Any, shape: tuple[int, ...]) -> None:
    """`InputError` unless ``window`` is ``(start, rows)`` of a draw from which rows of that shape can be taken."""
    if not isinstance(window, (tuple, list)) or len(window) != 2 or len(shape) < 2:
        raise refuse("window", "(start, rows) for a shape (..., n, k), or None", window)
    start, rows = window
    count = check_whole("window[1]", rows, low=0, high=LARGEST)
    if not is_array(start) and not 0 <= check_whole("window[0]", start, low=0) <= count - shape[-2]:
        raise refuse("window", f"{shape[-2]} rows within the {count} of the draw", window)


def permutation(key: Array, x: int | Array, axis: int = 0) -> Array:
    """A random order, of 0 .. n-1 (int32) for an integer n, else of the parts of an array along an axis, its rows.

    Bit-identical on every library. Stable sorts by random words, so many rounds that ties, which would
    favour the order before, hardly matter.

    Parameters
    ----------
    key : array, shape (2,), int32
    x : int, or array of one axis or more
        Of the key's library.
    axis : int
        Of the array.

    Returns
    -------
    array
        Of shape (n,), int32; or of the shape and dtype of ``x``.

    Examples
    --------
    >>> from multimlp import random
    >>> random.permutation(random.key(0), 5)
    array([0, 1, 4, 3, 2], dtype=int32)
    """
    xp = words_of(key)[0]
    given: Any = x
    rows = given if is_array(given) and tuple(given.shape) else None
    if rows is None:
        n, place = check_whole("x", x, low=0, high=LARGEST), 0
    else:
        place = check_axis(axis, len(rows.shape), "x")
        n = int(rows.shape[place])
        owner(key, rows)
    order = xp.arange(n, dtype=xp.int32, device=device_of(key))
    rounds = max(1, math.ceil(3 * math.log(max(n, 2)) / math.log(2**32 - 1)))
    for i in range(rounds):
        by = xp.argsort(bits(fold_in(key, i), (n,)), stable=True)
        order = xp.take(order, by, axis=0)
    return order if rows is None else xp.take(rows, order, axis=place)


# ---- on the host -----------------------------------------------------------------------------------------


def host_generator(seed: int, *stream: int | str) -> np.random.Generator:
    """NumPy's Philox generator for a seed and the name of a stream; the same on every machine.

    The derivation is ``Generator(Philox(SeedSequence(seed, spawn_key=stream)))``; a text in ``stream``
    stands for the CRC-32 of its UTF-8 bytes.

    Parameters
    ----------
    seed : int
        >= 0.
    *stream : int or str
        What the numbers are for, such as ``"order", epoch``: other streams are independent.

    Returns
    -------
    numpy.random.Generator

    Examples
    --------
    >>> from multimlp import random
    >>> random.host_generator(0, "order", 3).integers(100, size=3)
    array([35, 53,  5])
    """
    return np.random.Generator(np.random.Philox(seed_sequence(seed, stream)))


def seed_sequence(seed: int, stream: Sequence[int | str]) -> np.random.SeedSequence:
    """Where the words of a stream come from."""
    number = check_seed("seed", seed)
    words = tuple(
        zlib.crc32(part.encode()) if isinstance(part, str) else check_whole("stream", part, low=0)
        for part in stream
    )
    return np.random.SeedSequence(number, spawn_key=words)


def host_permutation(seed: int, epoch: int, n: int) -> np.ndarray:
    """The order of ``n`` examples in an epoch: 0 .. n-1 (int64) shuffled by the stream ``("order", epoch)``.

    All of it, in memory; `HostPermutation` makes parts of an order.

    Parameters
    ----------
    seed, epoch, n : int
        >= 0.

    Returns
    -------
    numpy.ndarray, shape (n,), int64

    Examples
    --------
    >>> from multimlp import random
    >>> random.host_permutation(0, 1, 4)
    array([1, 2, 3, 0])
    """
    count = check_whole("n", n, low=0, high=LARGEST)
    return host_generator(seed, "order", check_whole("epoch", epoch, low=0)).permutation(count)
