"""Shapes and order. Paddle reads 0 in a new shape as "as it was", and leaves alone an axis that it is to squeeze and cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import paddle

from multimlp.backends.paddle._creation import zeros
from multimlp.backends.paddle._dtypes import Array, operands
from multimlp.errors import ShapeError

__all__ = [
    "broadcast_arrays", "broadcast_to", "concat", "expand_dims", "flip", "matrix_transpose", "moveaxis", "permute_dims", "repeat",
    "reshape", "roll", "squeeze", "stack", "tile", "tril", "triu", "unstack",
]  # fmt: skip


def reshape(x: Array, /, shape: Any, *, copy: bool | None = None) -> Array:
    shape = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
    if x.size == 0 or 0 in shape:
        return zeros(np.empty(tuple(x.shape)).reshape(shape).shape, dtype=x.dtype, device=x.place)
    found = paddle.reshape(x, shape)
    return found.clone() if copy else found


def broadcast_to(x: Array, /, shape: Any) -> Array:
    shape = tuple(int(n) for n in shape)
    return x if tuple(x.shape) == shape else paddle.broadcast_to(x, shape)


def broadcast_arrays(*arrays: Array) -> list[Array]:
    shape = np.broadcast_shapes(*(tuple(x.shape) for x in arrays))
    return [broadcast_to(x, shape) for x in arrays]


def permute_dims(x: Array, /, axes: Sequence[int]) -> Array:
    return paddle.transpose(x, [int(axis) for axis in axes])


def matrix_transpose(x: Array, /) -> Array:
    return paddle.transpose(x, [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2])


def moveaxis(x: Array, source: Any, destination: Any, /) -> Array:
    return paddle.moveaxis(x, source, destination)


def expand_dims(x: Array, /, *, axis: Any = 0) -> Array:
    return paddle.unsqueeze(x, axis)


def squeeze(x: Array, /, axis: Any) -> Array:
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    long = [a for a in axes if x.shape[a] != 1]
    if long:
        raise ShapeError(f"squeeze: axis {long[0]} has length {x.shape[long[0]]}, not 1")
    return paddle.squeeze(x, list(axes)) if axes else x


def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
    arrays = operands(*arrays)
    if axis is None:
        arrays, axis = tuple(reshape(x, (-1,)) for x in arrays), 0
    return paddle.concat(list(arrays), axis=axis)


def stack(arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
    return paddle.stack(list(operands(*arrays)), axis=axis)


def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    return tuple(paddle.unbind(x, axis)) if x.shape[axis] else ()


def flip(x: Array, /, *, axis: Any = None) -> Array:
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return paddle.flip(x, list(axes)) if x.ndim else x


def roll(x: Array, /, shift: Any, *, axis: Any = None) -> Array:
    return paddle.roll(x, shift, axis)


def repeat(x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    """By indices, which serve for every dtype."""
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    counts = repeats.numpy() if isinstance(repeats, paddle.Tensor) else repeats
    places = np.repeat(np.arange(x.shape[axis]), counts)
    return x[(*(slice(None),) * (axis % x.ndim), paddle.to_tensor(places, place=x.place))]


def tile(x: Array, repetitions: Sequence[int], /) -> Array:
    return paddle.tile(x, list(repetitions))


def tril(x: Array, /, *, k: int = 0) -> Array:
    return _triangle(paddle.tril, x, k)


def triu(x: Array, /, *, k: int = 0) -> Array:
    return _triangle(paddle.triu, x, k)


def _triangle(function: Any, x: Array, k: int) -> Array:
    return function(x.astype("int32"), k).astype("bool") if x.dtype == paddle.bool else function(x, k)
