"""A random order in constant memory: which row comes at a position is computed, not looked up.

A Feistel network on pairs (q, r) of the digits of a position in the base sqrt(n), after Black and Rogaway (Ciphers with arbitrary finite
domains, CT-RSA 2002): whatever the round function, each round can be undone, so that the whole is a bijection of 0 .. a b - 1. The few
values from n on (fewer than sqrt(n)) are sent through once more until they fall below n (cycle walking), which keeps it one.
"""

from __future__ import annotations

import math

import numpy as np

from multimlp.errors.checks import check_whole
from multimlp.random._draws import seed_sequence

_ROUNDS, _ROUNDS_OF_FEW, _FEW = 8, 24, 1 << 12
"""Four rounds make a good cipher of a good round function: twice as many, since ours is a quick one. Digits of few values mix slowly: all
orders of six rows are equally likely after 16 rounds."""
_AT_ONCE = 1 << 15
"""Positions whose words stay in the cache between operations."""
LARGEST_ORDER = (1 << 62) - 1
"""Its digits are below 2^31, so that the sum of two of them is a 32-bit word."""


class HostPermutation:
    """A random order of 0 .. n-1 of which any part is made without the rest.

    Parameters
    ----------
    n : int
        How many rows, up to 2^62 - 1.
    seed : int
        >= 0.
    *stream : int or str
        What the order is for, such as ``"order", epoch``, as in `multimlp.random.host_generator`: other streams are other orders.

    Notes
    -----
    Integer arithmetic of 32 and 64 bits on the host alone: the same on every machine, in every process and for every backend. About
    40 million rows a second on one core, as fast as to shuffle them in memory.

    Examples
    --------
    >>> from multimlp import random
    >>> order = random.HostPermutation(10**12, 0, "order", 3)
    >>> order.rows(10**9, 10**9 + 2)
    array([858234346940, 181896239637])
    """

    def __init__(self, n: int, seed: int, *stream: int | str) -> None:
        self.n = check_whole("n", n, low=0, high=LARGEST_ORDER)
        rounds = _ROUNDS if self.n >= _FEW else _ROUNDS_OF_FEW
        self._keys = seed_sequence(seed, stream).generate_state(2 * rounds, np.uint32).reshape(rounds, 2)
        self._low = math.isqrt(max(self.n - 1, 0)) + 1
        self._low += self._low % 2  # with two odd numbers all orders would be even ones
        self._high = max(1, -(-self.n // self._low))

    def __repr__(self) -> str:
        return f"<HostPermutation of {self.n} rows>"

    def rows(self, start: int, stop: int) -> np.ndarray:
        """The rows at the positions from ``start`` to ``stop - 1``.

        Parameters
        ----------
        start, stop : int
            0 <= start <= stop <= n.

        Returns
        -------
        numpy.ndarray, shape (stop - start,), int64

        Raises
        ------
        InputError
            For positions that there are not.
        """
        stop = check_whole("stop", stop, low=0, high=self.n)
        start = check_whole("start", start, low=0, high=stop)
        found = np.empty(stop - start, dtype=np.int64)
        for i in range(start, stop, _AT_ONCE):
            part = found[i - start : i - start + _AT_ONCE]
            part[:] = self._below_n(np.arange(i, i + len(part), dtype=np.uint64))
        return found

    def _below_n(self, positions: np.ndarray) -> np.ndarray:
        found = self._network(positions)
        beyond = np.flatnonzero(found >= self.n)
        while beyond.size:
            found[beyond] = self._network(found[beyond])
            beyond = beyond[found[beyond] >= self.n]
        return found

    def _network(self, values: np.ndarray) -> np.ndarray:
        base = np.uint64(self._low)
        quotient = values // base
        left = quotient.astype(np.uint32)
        right = (values - quotient * base).astype(np.uint32)
        extent, other = self._high, self._low
        wide, word, spare = np.empty_like(values), np.empty_like(left), np.empty_like(left)
        for keys in self._keys:
            _mix(right, keys, word, spare)
            np.multiply(word, np.uint64(extent), out=wide, dtype=np.uint64)
            np.right_shift(wide, np.uint64(32), out=wide)  # a number below the extent
            np.copyto(word, wide, casting="unsafe")
            left += word
            # Wraps to a large number where nothing is to be taken off.
            np.subtract(left, np.uint32(extent), out=word)
            np.minimum(left, word, out=left)
            left, right = right, left
            extent, other = other, extent
        found: np.ndarray = left.astype(np.uint64) * base + right  # the rounds are even in number
        return found


def _mix(x: np.ndarray, keys: np.ndarray, out: np.ndarray, spare: np.ndarray) -> None:
    """Wellons's 32-bit finaliser (Prospecting for hash functions, 2018) with a key word before each product."""
    np.add(x, keys[0], out=out)
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        np.right_shift(out, np.uint32(shift), out=spare)
        np.bitwise_xor(out, spare, out=out)
        if shift == 15:
            np.add(out, keys[1], out=out)
        np.multiply(out, np.uint32(factor), out=out)
    np.right_shift(out, np.uint32(15), out=spare)
    np.bitwise_xor(out, spare, out=out)
