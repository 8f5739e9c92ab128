"""Arrays cut into pieces that stay in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

CACHE = 1 << 19
"""Bytes of all arrays that a formula touches at a time: half of a second-level cache; smaller pieces take longer in calls."""


def piece_bytes(count: int) -> int:
    """Of a piece of each array, if there are so many to work in beside input and output."""
    return CACHE // (count + 2)


def pieces(count: int, *arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Views of arrays of one shape, piece by piece, and beside each so many arrays like it to work in, the same memory for all."""
    size = piece_bytes(count) // arrays[0].itemsize
    work = np.empty((count, min(size, arrays[0].size)), dtype=arrays[0].dtype)
    for views in _cut(arrays, size):
        like = views[0]
        yield (*views, *(row[: like.size].reshape(like.shape) for row in work))


def _cut(arrays: Sequence[np.ndarray], size: int) -> Iterator[Sequence[np.ndarray]]:
    first = arrays[0]
    if all(array.flags.c_contiguous for array in arrays):
        flat = [array.reshape(-1) for array in arrays]
        for start in range(0, first.size, size):
            yield [array[start : start + size] for array in flat]
    elif first[0].size > size:
        for members in zip(*arrays, strict=True):
            yield from _cut(members, size)
    else:
        together = size // first[0].size
        for start in range(0, len(first), together):
            yield [array[start : start + together] for array in arrays]
