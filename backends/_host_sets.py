"""The standard's functions of distinct elements: by NumPy for libraries whose own have other results (the sizes depend on the values
anyway), and those that follow from `unique_all` for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from multimlp.backend import Array


class UniqueAll(NamedTuple):
    """What ``unique_all`` returns."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCounts(NamedTuple):
    """What ``unique_counts`` returns."""

    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    """What ``unique_inverse`` returns."""

    values: Array
    inverse_indices: Array


Sets: TypeAlias = tuple[
    Callable[[Array], UniqueAll],
    Callable[[Array], UniqueCounts],
    Callable[[Array], UniqueInverse],
    Callable[[Array], Array],
]


def with_the_others(unique_all: Callable[[Array], UniqueAll]) -> Sets:
    """A library's ``unique_all``, and ``unique_counts``, ``unique_inverse`` and ``unique_values`` made of it."""

    def unique_counts(x: Array, /) -> UniqueCounts:
        """The values in ascending order, and how often each occurs; see ``unique_all``."""
        found = unique_all(x)
        return UniqueCounts(found.values, found.counts)

    def unique_inverse(x: Array, /) -> UniqueInverse:
        """The values in ascending order, and which of them each element is; see ``unique_all``."""
        found = unique_all(x)
        return UniqueInverse(found.values, found.inverse_indices)

    def unique_values(x: Array, /) -> Array:
        """The values in ascending order; see ``unique_all``."""
        return unique_all(x).values

    return unique_all, unique_counts, unique_inverse, unique_values


def on_the_host(
    to_numpy: Callable[[Array], np.ndarray],
    from_numpy: Callable[[np.ndarray, Array], Array],
    pick: Callable[[Array, Array], Array],
) -> Sets:
    """The four functions of a library; indices are int64, each NaN its own.

    ``from_numpy(host, x)`` brings an array to where x is. ``pick(x, indices)`` are elements of x by their row-major numbers: what passes
    through the host has no derivative, these have.
    """

    def unique_all(x: Array, /) -> UniqueAll:
        host = to_numpy(x)
        _, first, inverse, counts = np.unique(host, True, True, True, equal_nan=False)
        found = (first, inverse.reshape(host.shape), counts)
        indices, *others = (from_numpy(np.asarray(i, dtype=np.int64), x) for i in found)
        return UniqueAll(pick(x, indices), indices, *others)

    return with_the_others(unique_all)
