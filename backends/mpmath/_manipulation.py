"""Shape, order and place of elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from multimlp.backends.mpmath.array import Array, as_array, unwrap

__all__ = [
    "broadcast_arrays", "broadcast_to", "concat", "expand_dims", "flip", "moveaxis", "permute_dims",
    "repeat", "reshape", "roll", "squeeze", "stack", "take", "take_along_axis", "tile", "unstack",
]  # fmt: skip


def _moved(function: Callable[..., Any]) -> Callable[..., Array]:
    def apply(x: Array, /, *args: Any, **kwargs: Any) -> Array:
        return Array(function(x.data, *args, **kwargs))

    return apply


squeeze, expand_dims, flip, roll, permute_dims, moveaxis, broadcast_to, tile = (
    _moved(getattr(np, name))
    for name in ("squeeze", "expand_dims", "flip", "roll", "transpose", "moveaxis", "broadcast_to", "tile")
)


def reshape(x: Array, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Array:
    return Array(np.reshape(x.data, shape))


def repeat(x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    return Array(np.repeat(x.data, unwrap(repeats), axis=axis))


def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
    return Array(np.concatenate([a.data for a in arrays], axis=axis))


def stack(arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
    return Array(np.stack([a.data for a in arrays], axis=axis))


def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    return tuple(as_array(part, x.data.dtype) for part in np.moveaxis(x.data, axis, 0))


def broadcast_arrays(*arrays: Array) -> tuple[Array, ...]:
    return tuple(map(Array, np.broadcast_arrays(*(a.data for a in arrays))))


def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    return Array(np.take(x.data, indices.data, axis=axis))


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    return Array(np.take_along_axis(x.data, indices.data, axis=axis))
