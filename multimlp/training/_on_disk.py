"""Training from a memory map: whatever the size of the file, a few dozen megabytes of it are in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from multimlp.backend import Array, owner
from multimlp.errors import DataError
from multimlp.training import _orders
from multimlp.training._orders import BlockOrdering, Kept, Ordering, Stretch
from multimlp.training._rows import all_finite
from multimlp.training._sources import Piece, prefetch
from multimlp.training.engines import Chunk

STREAM_BYTES = 32 * 2**20
"""About how much host data one streamed chunk holds."""

Parts = list[np.ndarray]
"""Inputs, targets and, if there are any, weights of the same rows."""
Take = Callable[[np.ndarray], Parts]
"""From numbers of rows to these."""


class OnDisk:
    """A memory-mapped array, of which only the chunks under way are in memory.

    Parameters
    ----------
    X : numpy.memmap
    y : array
    weights : array or None
    held : numpy.ndarray
        Rows of it that are not trained on, in ascending order.
    ordering : Ordering
    place : callable
        Makes a `Chunk` of host arrays.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: Array,
        weights: Array | None,
        held: np.ndarray,
        ordering: Ordering,
        place: Callable[..., Chunk],
    ) -> None:
        self.batch_size = ordering.batch_size
        self._arrays: Parts = [X, *(owner(a).to_numpy(a) for a in (y, weights) if a is not None)]
        self._kept, self._ordering, self._place = Kept(X.shape[0], held), ordering, place
        row_bytes = max(1, X[:1].nbytes)
        self._rows = max(1, STREAM_BYTES // (row_bytes * self.batch_size)) * self.batch_size
        large = X.shape[0] >= _orders.LARGE_ROWS or X.size >= _orders.LARGE_NUMBERS
        self._blocks = BlockOrdering(ordering, self._kept.count, X.shape[1]) if large else None
        self._checked = X.dtype.kind != "f"
        self.order = self._blocks.peculiar if self._blocks else None

    def epoch(self, number: int) -> Iterator[Piece]:
        return prefetch(self._pieces(number))

    def _pieces(self, number: int) -> Iterator[Piece]:
        """Chunks of whole batches, all of one size but the last; one may begin in one stretch and end in the next."""
        left = self._ordering.taken(self._kept.count)
        parts: list[Parts] = []
        missing = min(self._rows, left)
        for take, order in self._stretches(number):
            start = 0
            while missing and start < len(order):
                rows = order[start : start + missing]
                parts.append(take(rows))
                start, missing, left = start + len(rows), missing - len(rows), left - len(rows)
                if not missing:
                    joined = [a[0] if len(a) == 1 else np.concatenate(a) for a in zip(*parts, strict=True)]
                    parts = []
                    if not self._checked:
                        _check_finite(joined[0])
                    chunk = self._place(*joined)
                    yield chunk, np.arange(len(joined[0]))
                    missing = min(self._rows, left)
        self._checked = True

    def _stretches(self, number: int) -> Iterator[tuple[Take, np.ndarray]]:
        if self._blocks is None:
            yield self._from_the_file, self._ordering.rows(number, self._kept.count)
            return
        buffers = [np.empty((self._blocks.largest, *a.shape[1:]), a.dtype) for a in self._arrays]
        for stretch in self._blocks.stretches(number):
            self._read(stretch, buffers)
            yield lambda rows: [np.take(buffer, rows, axis=0) for buffer in buffers], stretch.order

    def _from_the_file(self, numbers: np.ndarray) -> Parts:
        rows = self._kept.rows(numbers)
        return [np.take(np.asarray(array), rows, axis=0) for array in self._arrays]

    def _read(self, stretch: Stretch, buffers: Parts) -> None:
        at = 0
        for start, stop in stretch.ranges:
            for array, buffer in zip(self._arrays, buffers, strict=True):
                self._kept.copy(array, start, stop, buffer[at : at + stop - start])
            at += stop - start


def _check_finite(X: np.ndarray) -> None:
    """While the file is read for the first time, since to look through all of it before would be to read it once more."""
    if not all_finite(X):
        bad = np.argwhere(~np.isfinite(X))
        raise DataError(
            f"X: {len(bad)} values among {len(X)} rows of the memory map are NaN or infinite, the first of them in column {bad[0][1]}; "
            "remove or fill them in"
        )
