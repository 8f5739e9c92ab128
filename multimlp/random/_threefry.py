"""The counter-based generator of `multimlp.random`: the block function, and keys from seeds and keys.

Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw, Parallel random numbers: as easy as 1, 2, 3,
SC'11), in wrapping int32 additions, xors and shifts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from multimlp.backend import Array, Backend, Namespace, array_namespace, is_array, op, owner, select
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import LARGEST, check_items, check_seed, check_shape, check_whole, refuse

Shape: TypeAlias = Sequence[int]

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
BITS, SPLIT, FOLD = 0, 1, 2
"""The second counter word, by purpose."""


def constant(xp: Namespace, like: Array, value: int) -> Array:
    """An int32 array of one element, modulo 2^32; NumPy would warn of a 0-d one's intended overflow."""
    value &= 0xFFFFFFFF
    signed = value - (1 << 32) if value >= 1 << 31 else value
    return xp.full((1,), signed, dtype=xp.int32, device=device_of(like))


def device_of(x: Array) -> Any:
    return getattr(x, "device", None) or None


def _rotate_left(xp: Namespace, x: Array, count: int) -> Array:
    left = xp.bitwise_left_shift(x, constant(xp, x, count))
    # The shift to the right is arithmetic in a signed type; the mask makes it logical.
    right = xp.bitwise_right_shift(x, constant(xp, x, 32 - count))
    return xp.bitwise_or(left, xp.bitwise_and(right, constant(xp, x, (1 << count) - 1)))


@op(arrays=4)
def threefry2x32(key0: Array, key1: Array, counter0: Array, counter1: Array) -> tuple[Array, Array]:
    """The block function: two key words and two counter words to two random words, 20 rounds.

    Parameters
    ----------
    key0, key1 : array, shape (1,), int32
    counter0, counter1 : array, shape (n,) or (1,), int32

    Returns
    -------
    two arrays, shape (n,), int32
        The bits of the unsigned words of the reference.

    References
    ----------
    Salmon et al., SC'11; known answers from the Random123 distribution.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.random import threefry2x32
    >>> zero = np.zeros(1, dtype=np.int32)
    >>> [hex(int(word[0]) & 0xFFFFFFFF) for word in threefry2x32(zero, zero, zero, zero)]
    ['0x6b200159', '0x99ba4efe']
    """
    xp = array_namespace(key0, key1, counter0, counter1)
    key2 = xp.bitwise_xor(xp.bitwise_xor(key0, key1), constant(xp, key0, _PARITY))
    schedule = (key0, key1, key2)
    x0, x1 = counter0 + key0, counter1 + key1
    for block in range(5):
        for count in _ROTATIONS[block % 2]:
            x0 = x0 + x1
            x1 = xp.bitwise_xor(_rotate_left(xp, x1, count), x0)
        x0 = x0 + schedule[(block + 1) % 3]
        x1 = x1 + (schedule[(block + 2) % 3] + constant(xp, key0, block + 1))
    return x0, x1


def key(
    seed: int,
    backend: str | Backend | None = None,
    *,
    xp: Namespace | None = None,
    like: Array | None = None,
) -> Array:
    """A key from a seed.

    Parameters
    ----------
    seed : int
        0 <= seed < 2^64; its low and high 32 bits are the two words.
    backend : str or Backend, optional
        Whose array the key is, and so is everything that is drawn with it. Default: the selected one
        (`multimlp.set_backend`).
    xp, like : namespace, array, optional
        In place of a backend: the key is an array of that namespace, or of that array's library and on its
        device.

    Returns
    -------
    array, shape (2,), int32

    Examples
    --------
    >>> from multimlp import random
    >>> random.key(7)
    array([7, 0], dtype=int32)
    """
    number = check_seed("seed", seed)
    if sum(given is not None for given in (backend, xp, like)) > 1:
        raise InputError("backend, xp, like: each says whose array the key is; give one of them")
    words = np.asarray([number & 0xFFFFFFFF, number >> 32], dtype=np.uint32).view(np.int32)
    if xp is not None:
        if not hasattr(xp, "asarray") or not hasattr(xp, "int32"):
            raise refuse("xp", "a namespace of the array API standard, as multimlp.array_namespace(x)", xp)
        return xp.asarray(words.tolist(), dtype=xp.int32)
    if like is not None:
        namespace = array_namespace(like)
        return namespace.asarray(words.tolist(), dtype=namespace.int32, device=device_of(like))
    target = select(backend)
    return target.backend.asarray(words, dtype="int32", device=target.device)


def words_of(key: Array) -> tuple[Namespace, Array, Array]:
    """The namespace and the key's two words, each of shape (1,)."""
    if not is_array(key):
        raise InputError(f"key: expected a key as multimlp.random.key makes it, got {type(key).__name__}")
    xp = array_namespace(key)
    if tuple(key.shape) != (2,) or key.dtype != xp.int32:
        raise InputError(
            f"key: expected an int32 array of shape (2,), got {key.dtype} of shape {tuple(key.shape)}; "
            "take one row of split's result"
        )
    return xp, key[0:1], key[1:2]


def split(key: Array, n: int = 2) -> Array:
    """``n`` new keys, one in each row; independent of each other and of what is drawn with ``key``.

    Parameters
    ----------
    key : array, shape (2,), int32
    n : int
        >= 0.

    Returns
    -------
    array, shape (n, 2), int32

    Examples
    --------
    >>> from multimlp import random
    >>> first, second = random.split(random.key(0))
    >>> first
    array([ 928981903, -841280227], dtype=int32)
    """
    xp, key0, key1 = words_of(key)
    count = check_whole("n", n, low=0, high=LARGEST)
    counter = xp.arange(count, dtype=xp.int32, device=device_of(key))
    return xp.stack(list(threefry2x32(key0, key1, counter, constant(xp, key, SPLIT))), axis=-1)


def fold_in(key: Array, i: int | Array) -> Array:
    """A new key from a key and a number, such as a layer or a step; the number may be traced.

    Parameters
    ----------
    key : array, shape (2,), int32
    i : int or array of shape (), integer
        Taken modulo 2^32.

    Returns
    -------
    array, shape (2,), int32

    Raises
    ------
    InputError
        If ``i`` is no integer.

    Examples
    --------
    >>> from multimlp import random
    >>> bool((random.fold_in(random.key(0), 3) == random.fold_in(random.key(0), 4)).any())
    False
    """
    xp, key0, key1 = words_of(key)
    if isinstance(i, (int, np.integer)) and not isinstance(i, bool):
        counter = constant(xp, key, int(i))
    elif is_array(i) and owner(key, i) and tuple(i.shape) == () and xp.isdtype(i.dtype, "integral"):
        counter = xp.reshape(xp.astype(i, xp.int32), (1,))
    else:
        raise refuse("i", "an integer, or an integer array of shape () of the key's library", i)
    return xp.concat(list(threefry2x32(key0, key1, counter, constant(xp, key, FOLD))))


def shape_of(shape: Shape) -> tuple[int, ...]:
    """A shape that one key has enough words for, as a tuple of Python's integers."""
    if not isinstance(shape, (tuple, list)):
        shape = check_items("shape", shape, "of integers >= 0")
    for extent in shape:
        if type(extent) is not int or extent < 0:
            return shape_of(check_shape("shape", shape))
    if math.prod(shape) >= 1 << 32:
        raise ShapeError(
            f"shape: one key makes fewer than 2**32 words, {tuple(shape)} needs {math.prod(shape)}; split the key"
        )
    return tuple(shape)
