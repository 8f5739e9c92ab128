"""In which order rows are taken, and which are held out: by seed, epoch and number of rows alone, so that every process finds the same.

Up to `LARGE_ROWS` an order is a shuffled array. Longer ones are computed in parts by `multimlp.random.HostPermutation`, and nothing is ever
held of the length of the data. Arrays in memory are visited row by row in any order. A file is not, since a read of one row takes as long
as one of thousands: of large memory maps whole blocks are read, those of a stretch are together in memory, and rows are shuffled
inside the stretch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from multimlp import random
from multimlp.random import HostPermutation

LARGE_ROWS = 1 << 24
"""From here on an order is made in parts: a whole one would take 128 MiB, and that of the next epoch as much again."""
LARGE_NUMBERS = 1 << 30
"""Of a memory map, 4 GiB in float32: from here on, too, rows are read in blocks, since the file may not stay in memory."""
_PART_ROWS = 1 << 20
_BLOCK_NUMBERS = 1 << 16
"""256 KiB in float32: a disk is about as fast as with longer reads."""
_STRETCH_BLOCKS = 256
"""64 MiB in float32."""


@dataclass(frozen=True)
class Ordering:
    """How rows are visited: shuffled by seed and epoch or as they come, with or without the last incomplete batch."""

    seed: int
    batch_size: int
    shuffle: bool
    drop_last: bool

    def taken(self, count: int) -> int:
        """How many of the rows an epoch takes."""
        return count - count % self.batch_size if self.drop_last else count

    def rows(self, epoch: int, count: int) -> np.ndarray:
        """The whole order of an epoch."""
        if not self.shuffle:
            return np.arange(self.taken(count))
        if count < LARGE_ROWS:
            return random.host_permutation(self.seed, epoch, count)[: self.taken(count)]
        return self._permutation(epoch, count).rows(0, self.taken(count))

    def parts(self, epoch: int, count: int) -> Iterator[np.ndarray]:
        """The same in parts of whole batches, the last one but for the rest; a short order is one part."""
        if count < LARGE_ROWS:
            yield self.rows(epoch, count)
            return
        step, end = max(1, _PART_ROWS // self.batch_size) * self.batch_size, self.taken(count)
        permutation = self._permutation(epoch, count)
        for start in range(0, max(end, 1), step):
            stop = min(start + step, end)
            yield permutation.rows(start, stop) if self.shuffle else np.arange(start, stop)

    def peculiar(self, count: int) -> str | None:
        """What a checkpoint says of the order of so many rows in memory, where it is more than whether they are shuffled."""
        if count < LARGE_ROWS:
            return None
        return "by a Feistel network" if self.shuffle else "as they come, in parts"

    def _permutation(self, epoch: int, count: int) -> HostPermutation:
        return HostPermutation(count, self.seed, "order", epoch)


class Stretch(NamedTuple):
    """Rows that are in memory together."""

    ranges: list[tuple[int, int]]
    """First rows and ends of what is read, from the front of the file to its end."""
    order: np.ndarray
    """Of what has been read."""


@dataclass(frozen=True)
class BlockOrdering:
    """The order of the rows of a large file, in stretches.

    Where blocks begin is drawn anew in each epoch, and with it which rows are the short block at the end, which belongs to the last
    stretch. All blocks are permuted and dealt to the stretches; within one the rows of all its blocks are permuted.

    Parameters
    ----------
    ordering : Ordering
    count, width : int
        Rows, and numbers in one.
    """

    ordering: Ordering
    count: int
    width: int

    @property
    def block(self) -> int:
        """Rows of a block: by their width, and not by what number format the file has."""
        return min(self.count, max(1, _BLOCK_NUMBERS // max(1, self.width)))

    @property
    def largest(self) -> int:
        """The most rows of a stretch."""
        return min(self.count, (_STRETCH_BLOCKS + 1) * self.block)

    @property
    def peculiar(self) -> str:
        """What a checkpoint says of it."""
        if not self.ordering.shuffle:
            return "as they come, in parts"
        return f"blocks of {self.block} rows, {_STRETCH_BLOCKS} together, by a Feistel network"

    def stretches(self, epoch: int) -> Iterator[Stretch]:
        seed, size, blocks = self.ordering.seed, self.block, self.count // self.block
        stretches = -(-blocks // _STRETCH_BLOCKS)
        begin = int(HostPermutation(self.count, seed, "first block", epoch).rows(0, 1)[0])
        permutation = HostPermutation(blocks, seed, "blocks", epoch)
        for i in range(stretches):
            first, last = i * blocks // stretches, (i + 1) * blocks // stretches
            rest = self.count - blocks * size if i == stretches - 1 else 0
            if not self.ordering.shuffle:
                start, stop = first * size, last * size + rest
                yield Stretch([(start, stop)], np.arange(stop - start))
                continue
            found = [(begin + int(b) * size, size) for b in permutation.rows(first, last)]
            found.append((begin + blocks * size, rest))
            ranges = sorted(part for start, rows in found for part in self._around(start, rows))
            rows = (last - first) * size + rest
            yield Stretch(ranges, HostPermutation(rows, seed, "stretch", epoch, i).rows(0, rows))

    def _around(self, start: int, rows: int) -> list[tuple[int, int]]:
        """Rows from ``start`` on, those behind the last one counted from the first."""
        start %= self.count
        beyond = max(0, start + rows - self.count)
        return [(a, b) for a, b in ((start, start + rows - beyond), (0, beyond)) if a < b]


def held_out(seed: int, count: int, held: int) -> np.ndarray:
    """The rows to validate on, in ascending order."""
    if count < LARGE_ROWS:
        return np.sort(random.host_generator(seed, "validation").permutation(count)[:held])
    return np.sort(HostPermutation(count, seed, "validation").rows(0, held))


class Kept:
    """The rows of an array that are not held out, by their number among these.

    Parameters
    ----------
    count : int
        Rows of the array.
    held : numpy.ndarray
        Those held out, in ascending order.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.training._orders import Kept
    >>> kept = Kept(6, np.asarray([1, 4]))
    >>> kept.count, kept.rows(np.asarray([0, 1, 3]))
    (4, array([0, 2, 5]))
    """

    def __init__(self, count: int, held: np.ndarray) -> None:
        self.count = count - len(held)
        self._held = held
        self._before = held - np.arange(len(held))
        """How many are kept before each that is not."""

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Which rows these are."""
        return numbers + np.searchsorted(self._before, numbers, side="right")

    def copy(self, array: np.ndarray, start: int, stop: int, out: np.ndarray) -> None:
        """Those from ``start`` to ``stop - 1``, by one read."""
        first, last = np.searchsorted(self._before, [start, stop - 1], side="right")
        low = start + first
        read = array[low : stop + last]
        out[:] = read if first == last else np.delete(read, self._held[first:last] - low, axis=0)
