"""The standard's sets by NumPy, for libraries whose own have other results: the sizes depend on the values anyway."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from multimlp.backend import Array


class UniqueAll(NamedTuple):
    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCounts(NamedTuple):
    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    values: Array
    inverse_indices: Array


Sets: TypeAlias = tuple[
    Callable[[Array], UniqueAll],
    Callable[[Array], UniqueCounts],
    Callable[[Array], UniqueInverse],
    Callable[[Array], Array],
]


def on_the_host(
    to_numpy: Callable[[Array], np.ndarray],
    from_numpy: Callable[[np.ndarray], Array],
    pick: Callable[[Array, Array], Array],
) -> Sets:
    """``unique_all``, ``unique_counts``, ``unique_inverse`` and ``unique_values`` of a library; indices are int64, each NaN its own.

    ``pick(x, indices)`` are elements of x by their row-major numbers: what passes through the host has no derivative, these have.
    """

    def unique_all(x: Array, /) -> UniqueAll:
        host = to_numpy(x)
        _, first, inverse, counts = np.unique(host, True, True, True, equal_nan=False)
        found = (np.asarray(i, dtype=np.int64) for i in (first, inverse.reshape(host.shape), counts))
        indices, inverse_indices, numbers = map(from_numpy, found)
        return UniqueAll(pick(x, indices), indices, inverse_indices, numbers)

    def unique_counts(x: Array, /) -> UniqueCounts:
        found = unique_all(x)
        return UniqueCounts(found.values, found.counts)

    def unique_inverse(x: Array, /) -> UniqueInverse:
        found = unique_all(x)
        return UniqueInverse(found.values, found.inverse_indices)

    def unique_values(x: Array, /) -> Array:
        return unique_all(x).values

    return unique_all, unique_counts, unique_inverse, unique_values
