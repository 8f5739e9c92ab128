"""Sets: on the host, since the sizes of the results depend on the values."""

from __future__ import annotations

from typing import NamedTuple

import mlx.core as mx
import numpy as np

from multimlp.backend import Array

__all__ = ["unique_all", "unique_counts", "unique_inverse", "unique_values"]


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


def unique_all(x: Array, /) -> UniqueAll:
    host = np.array(x)
    values, first, inverse, counts = np.unique(host, True, True, True, equal_nan=False)
    indices = (mx.array(i, dtype=mx.int64) for i in (first, inverse.reshape(host.shape), counts))
    return UniqueAll(mx.array(values, dtype=x.dtype), *indices)


def unique_counts(x: Array, /) -> UniqueCounts:
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: Array, /) -> UniqueInverse:
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: Array, /) -> Array:
    return unique_all(x).values
