"""How a training step is cut for threads of our own: by the problem alone, never by the number of cores.

A step has two phases. In the first each slice of the batch goes forward and back; in the second each share of the weights gets its
gradient, from all examples at once, and its update. Slices are columns, and shares rows, of the same matrices that an uncut step works
on; so nothing is summed in parts, and what a thread computes does not depend on who computes the rest. One thread can do all of it,
with the same bits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_FEWEST_EXAMPLES = 128
"""In a slice: each slice reads all weights anew, so that narrow products are less efficient. Processor time of a step, NumPy, one
slice / two / four: 16 x 128 on 128 examples 2.6 / 3.5 / 3.8 ms, 784-256-10 on 256 examples 2.4 / 2.8 / 3.0 ms."""
_FEWEST_OF_TWO = 32
"""In two slices, where more examples are not to be had."""
_FEWEST_OPERATIONS = 1 << 24
"""In a slice, forward and back, float32: about 0.1 to 0.2 ms, several times as long as threads take to meet."""
MOST_OPERATIONS = 1 << 32
"""Of the largest product, about 40 ms on one thread: beyond, reading weights twice costs more (a sixth at 1024-4096-4096-10) than a library
loses whose threads wait for a core."""
_ALIGNED = 16
"""Slices begin at multiples of so many examples: a cache line of float32."""
_FEWEST_WEIGHTS = 1 << 15
_MOST = 16
"""Slices and shares: more cores than that find nothing to do, and a phase is no longer than its longest part."""


class Rows(NamedTuple):
    """Rows ``start`` to ``stop`` of a layer's matrix (in + 1, out), the bias being the last."""

    layer: int
    start: int
    stop: int


def example_slices(
    batch: int, widths: Sequence[int], members: int | None = None, dtype: str = "float32"
) -> tuple[slice, ...]:
    """The slices of a batch, in order; one if it is not worth being cut.

    Parameters
    ----------
    batch : int
        Examples.
    widths : sequence of int
        Inputs, hidden widths, outputs.
    members : int, optional
        Of an ensemble, whose batch is not cut: its members are what can be dealt out.
    dtype : str

    Examples
    --------
    >>> from multimlp.training.engines.slices import example_slices
    >>> example_slices(64, (64, 128, 10))
    (slice(0, 64, None),)
    >>> example_slices(128, (128,) * 17 + (10,))
    (slice(0, 64, None), slice(64, 128, None))
    """
    weights = sum(fan_in * fan_out for fan_in, fan_out in itertools.pairwise(widths))
    operations = 6 * batch * weights * np.dtype(dtype).itemsize // 4
    count = 1
    if members is None and 2 * batch * max(map(math.prod, itertools.pairwise(widths))) < MOST_OPERATIONS:
        most = max(batch // _FEWEST_EXAMPLES, min(2, batch // _FEWEST_OF_TWO))
        count = _power_of_two(min(most, operations // _FEWEST_OPERATIONS))
    cuts = [round(batch * i / count / _ALIGNED) * _ALIGNED for i in range(count)]
    return tuple(slice(start, stop) for start, stop in itertools.pairwise((*cuts, batch)))


def weight_shares(shapes: Sequence[tuple[int, int]]) -> tuple[tuple[Rows, ...], ...]:
    """The shares of the weights: runs of rows of one layer or of neighbours, about equally many numbers in each.

    A number of a weight costs the same in every layer, in the product as in the update.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Of the layers' matrices, a bias counted as a row.

    Examples
    --------
    >>> from multimlp.training.engines.slices import weight_shares
    >>> weight_shares([(9, 16), (17, 2)])
    ((Rows(layer=0, start=0, stop=9), Rows(layer=1, start=0, stop=17)),)
    >>> [[tuple(rows) for rows in share] for share in weight_shares([(257, 256), (257, 4)])]
    [[(0, 0, 131)], [(0, 131, 257), (1, 0, 257)]]
    """
    ends = (0, *itertools.accumulate(rows * columns for rows, columns in shapes))
    count = _power_of_two(ends[-1] // _FEWEST_WEIGHTS)
    share = ends[-1] / count
    cuts = []
    for wanted in (share * i for i in range(count + 1)):
        nearest = min(
            ends, key=lambda end: abs(end - wanted)
        )  # rather a whole layer than a product of few rows
        cuts.append(nearest if abs(nearest - wanted) < share / 8 else wanted)
    found = []
    for first, last in itertools.pairwise(cuts):
        rows = [
            Rows(
                layer, *(min(max(math.ceil((cut - begin) / shape[1]), 0), shape[0]) for cut in (first, last))
            )
            for layer, (begin, shape) in enumerate(zip(ends, shapes, strict=False))
        ]
        found.append(tuple(part for part in rows if part.start < part.stop))
    return tuple(part for part in found if part)


def _power_of_two(most: int) -> int:
    """The largest not above ``most`` and `_MOST`, at least 1: two, four, eight threads are equally busy."""
    return 1 << (max(1, min(most, _MOST)).bit_length() - 1)
