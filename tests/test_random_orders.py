"""Orders in constant memory: bijections, the same in parts as in whole, and as random as an order that was shuffled."""

import math
from collections import Counter

import numpy as np
import pytest

from multimlp import random
from multimlp.errors import InputError
from multimlp.random import HostPermutation

SIZES = [*range(70), 255, 256, 257, 4095, 4096, 4097, 65535, 65537, 10**5 + 3, 2**17]
LARGE = [10**8, 2**32 + 1, 10**15, 2**62 - 1]


def by_python(order: HostPermutation, position: int) -> int:
    """The network once more, in Python's integers, one position at a time."""
    mask = 0xFFFFFFFF

    def mix(x: int, first: int, second: int) -> int:
        x = (x + first) & mask
        x = ((x ^ (x >> 16)) * 0x21F0AAAD) & mask
        x = (((x ^ (x >> 15)) + second) * 0x735A2D97) & mask
        return x ^ (x >> 15)

    a, b = order._high, order._low
    while True:
        left, right = divmod(position, b)
        for round_, (first, second) in enumerate(order._keys.tolist()):
            extent = (a, b)[round_ % 2]
            left, right = right, (left + (mix(right, first, second) * extent >> 32)) % extent
        position = left * b + right
        if position < order.n:
            return position


def test_every_row_comes_once():
    for n in SIZES:
        for seed in range(3 if n < 70 else 1):
            order = HostPermutation(n, seed, "order", 0)
            np.testing.assert_array_equal(np.sort(order.rows(0, n)), np.arange(n))
            assert order._low * order._high - n <= 2 * math.isqrt(n) + 2  # what is sent through twice


@pytest.mark.parametrize("n", [1, 7, 1000, 40_000, *LARGE])
def test_parts_are_those_of_the_whole(n):
    order, again = (HostPermutation(n, 5, "order", 2) for _ in range(2))
    for start in {0, n // 3, max(0, n - 50_000)}:
        stop = min(n, start + 50_000)
        rows = order.rows(start, stop)
        assert rows.dtype == np.int64
        assert len(set(rows.tolist())) == stop - start
        assert rows.min() >= 0
        assert rows.max() < n
        middle = (start + 2 * stop) // 3
        np.testing.assert_array_equal(
            np.concatenate([again.rows(start, middle), again.rows(middle, stop)]), rows
        )
        assert by_python(order, start) == rows[0]
        assert by_python(order, stop - 1) == rows[-1]


def test_the_numbers_are_these_on_every_machine():
    assert HostPermutation(10**12, 0, "order", 3).rows(10**9, 10**9 + 2).tolist() == [
        858234346940,
        181896239637,
    ]
    assert HostPermutation(6, 1, "order", 0).rows(0, 6).tolist() == [0, 2, 5, 4, 1, 3]


def test_other_seeds_and_streams_are_other_orders():
    keys = [(0, "order", 0), (0, "order", 1), (1, "order", 0), (2**40, "order", 0), (0, "window", 0), (0,)]
    orders = [HostPermutation(10**9, *key).rows(0, 1000) for key in keys]
    for i, one in enumerate(orders):
        for other in orders[:i]:
            assert np.count_nonzero(one == other) == 0
            assert abs(np.corrcoef(one, other)[0, 1]) < 5 / math.sqrt(1000)


def deviation(counts: np.ndarray, expected: float) -> float:
    """Chi-square in standard deviations from its mean."""
    freedom = counts.size - 1
    return float((np.sum((counts - expected) ** 2) / expected - freedom) / math.sqrt(2 * freedom))


@pytest.mark.parametrize("n", [3, 4, pytest.param(5, marks=pytest.mark.slow)])
def test_all_orders_of_few_rows_are_equally_likely(n):
    count = 20 * math.factorial(n)
    seen = Counter(tuple(HostPermutation(n, seed, "few").rows(0, n).tolist()) for seed in range(count))
    assert len(seen) == math.factorial(n)
    assert abs(deviation(np.asarray([*seen.values()]), 20)) < 4.5


@pytest.mark.parametrize("n", [1009, 10**6, 10**8, 2**32 + 1])
def test_rows_are_spread_like_random_ones(n):
    """In one order: rows of a window, steps between neighbours, and how a row hangs on its position."""
    count = min(n, 200_000)
    order = HostPermutation(n, 3, "order", 7)
    start = (n - count) // 2
    rows = order.rows(start, start + count)
    if count < n:
        assert abs(deviation(np.bincount((rows / n * 500).astype(int), minlength=500), count / 500)) < 4.5
        low = np.bincount(rows % 499, minlength=499)  # the last digits too
        assert abs(deviation(low, count / 499)) < 4.5
    steps = (np.diff(rows) % n) / n
    assert abs(deviation(np.bincount((steps * 100).astype(int), minlength=100), (count - 1) / 100)) < 4.5
    pairs = (rows[:-1] / n * 20).astype(int) * 20 + (rows[1:] / n * 20).astype(int)
    assert abs(deviation(np.bincount(pairs, minlength=400), (count - 1) / 400)) < 4.5
    ascents = np.count_nonzero(np.diff(rows) > 0)
    assert abs(ascents - (count - 1) / 2) < 4.5 * math.sqrt((count + 1) / 12)
    assert abs(np.corrcoef(np.arange(count), rows)[0, 1]) < 4.5 / math.sqrt(count)


def test_over_many_seeds_each_position_has_each_row():
    n, seeds = 257, 500
    orders = np.stack([HostPermutation(n, seed, "many").rows(0, n) for seed in range(seeds)])
    bins = orders * 8 // n
    counts = np.stack([np.count_nonzero(bins == b, axis=0) for b in range(8)])
    share = np.bincount(np.arange(n) * 8 // n)[:, None] / n * seeds
    freedom = n * 7
    assert abs((np.sum((counts - share) ** 2 / share) - freedom) / math.sqrt(2 * freedom)) < 4.5
    fixed = np.count_nonzero(orders == np.arange(n))  # one an order on average
    assert abs(fixed - seeds) < 4.5 * math.sqrt(seeds)


def test_wrong_arguments():
    for wrong, words in (
        (lambda: HostPermutation(2**62, 0), "n: .*4611686018427387904"),
        (lambda: HostPermutation(-1, 0), "n: .*-1"),
        (lambda: HostPermutation(3, -1), "seed: "),
        (lambda: HostPermutation(3, 0, -2), "stream: "),
        (lambda: HostPermutation(3, 0).rows(0, 4), "stop: .*4"),
        (lambda: HostPermutation(3, 0).rows(3, 2), "start: .*3"),
        (lambda: random.HostPermutation("3", 0), "n: "),
    ):
        with pytest.raises(InputError, match=words):
            wrong()
    assert repr(HostPermutation(3, 0)) == "<HostPermutation of 3 rows>"
    assert HostPermutation(0, 0).rows(0, 0).shape == (0,)
