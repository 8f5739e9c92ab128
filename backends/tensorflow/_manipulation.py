"""Shape, order and place of elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow import raw_ops as raw

from multimlp.backends.tensorflow._dtypes import (
    INTEGRAL,
    Tensor,
    cast_to,
    int32,
    int64,
    promoted,
    require,
    uint16,
)
from multimlp.backends.tensorflow._shapes import (
    Axes,
    as_shape,
    broadcast_batch,
    broadcast_shape,
    dims,
    fill_unknown,
    many_axes,
    one_axis,
    shape_of,
    size_along,
    static_shape,
)
from multimlp.errors import InputError, ShapeError

__all__ = [
    "broadcast_arrays", "broadcast_to", "concat", "expand_dims", "flip", "matrix_transpose", "moveaxis",
    "permute_dims", "repeat", "reshape", "roll", "squeeze", "stack", "take", "take_along_axis", "tile",
    "unstack",
]  # fmt: skip


def broadcast_to(x: Tensor, /, shape: tuple[int, ...]) -> Tensor:
    """``x`` repeated to ``shape``; a None stands for the unknown length of that axis of ``x``."""
    shape = as_shape(shape)
    if None in shape:
        shape = fill_unknown("broadcast_to", x, shape, offset=len(shape) - len(x.shape))
    return raw.BroadcastTo(input=x, shape=shape)


def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """The arrays, repeated to their common shape."""
    shape = broadcast_shape(*arrays) if arrays else ()
    return [tf.broadcast_to(x, shape) for x in arrays]


def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """The arrays joined along an axis they have; flattened first if ``axis`` is None."""
    if not arrays:
        raise InputError("concat: expected at least one array, got none")
    tensors = promoted(*arrays)
    if axis is None:
        return tf.concat([tf.reshape(x, (-1,)) for x in tensors], 0)
    return tf.concat(tensors, one_axis("concat", axis, len(tensors[0].shape)))


def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """The arrays, which have one shape, joined along a new axis."""
    if not arrays:
        raise InputError("stack: expected at least one array, got none")
    tensors = promoted(*arrays)
    return tf.stack(tensors, one_axis("stack", axis, len(tensors[0].shape) + 1))


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices along an axis whose length is known."""
    return tuple(tf.unstack(x, axis=one_axis("unstack", axis, len(x.shape))))


def expand_dims(x: Tensor, /, axis: int = 0) -> Tensor:
    """A new axis of length 1 at ``axis``."""
    return raw.ExpandDims(input=x, axis=one_axis("expand_dims", axis, len(x.shape) + 1))


def squeeze(x: Tensor, /, axis: int | tuple[int, ...]) -> Tensor:
    """Without the given axes, each of which must have length 1."""
    axes = many_axes("squeeze", axis, len(x.shape))
    for each in axes:
        if x.shape[each] not in (1, None):
            raise ShapeError(f"squeeze: axis {each} of shape {static_shape(x)} has not the length 1")
    return raw.Squeeze(input=x, axis=axes) if axes else x


def flip(x: Tensor, /, *, axis: Axes = None) -> Tensor:
    """The order of the elements reversed along the axes, all of them by default."""
    axes = many_axes("flip", axis, len(x.shape))
    return tf.reverse(x, axes) if axes else x


def permute_dims(x: Tensor, /, axes: tuple[int, ...]) -> Tensor:
    """The axes in another order."""
    order = many_axes("permute_dims", tuple(axes), len(x.shape))
    if len(order) != len(x.shape):
        raise ShapeError(f"permute_dims: axes {tuple(axes)} are not all those of the shape {static_shape(x)}")
    return raw.Transpose(x=x, perm=order) if order else x


def moveaxis(x: Tensor, source: int | tuple[int, ...], destination: int | tuple[int, ...], /) -> Tensor:
    """Some axes moved to other places, the rest in their order."""
    ndim = len(x.shape)
    sources = many_axes("moveaxis: source", source, ndim)
    destinations = many_axes("moveaxis: destination", destination, ndim)
    if len(sources) != len(destinations):
        raise ShapeError(f"moveaxis: {len(sources)} sources but {len(destinations)} destinations")
    order = [axis for axis in range(ndim) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, axis)
    return x if order == list(range(ndim)) else raw.Transpose(x=x, perm=order)


def matrix_transpose(x: Tensor, /) -> Tensor:
    """The last two axes exchanged."""
    ndim = len(x.shape)
    if ndim < 2:
        raise ShapeError(f"matrix_transpose: expected at least 2 dimensions, got shape {static_shape(x)}")
    return raw.Transpose(x=x, perm=[*range(ndim - 2), ndim - 1, ndim - 2])


def reshape(x: Tensor, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """The elements in their order, in another shape.

    One length may be -1. A None, as in the ``x.shape`` of a function of any length, is inferred
    like a -1, or taken from the axis of ``x`` in that place if there is a -1 already.
    """
    if copy is False:
        raise InputError("reshape: TensorFlow does not promise to share memory; use copy=None")
    shape = as_shape(shape)
    if None in shape:
        if shape.count(None) == 1 and -1 not in shape:
            shape = tuple(-1 if size is None else size for size in shape)
        else:
            shape = fill_unknown("reshape", x, shape)
    return raw.Reshape(tensor=x, shape=shape if shape else tf.constant([], int32))


def roll(x: Tensor, /, shift: int | tuple[int, ...], *, axis: Axes = None) -> Tensor:
    """Elements shifted along the axes, around the ends; of the flattened array if ``axis`` is None."""
    if axis is None:
        if x.shape.rank == 1:
            return tf.roll(x, sum(as_shape(shift)), 0)
        return tf.reshape(tf.roll(tf.reshape(x, (-1,)), sum(as_shape(shift)), 0), shape_of(x))
    axes = [one_axis("roll", each, len(x.shape)) for each in as_shape(axis)]
    shifts = as_shape(shift)
    if len(shifts) == 1:
        shifts *= len(axes)
    if len(shifts) != len(axes):
        raise ShapeError(f"roll: {len(shifts)} shifts for {len(axes)} axes")
    return tf.roll(x, list(shifts), axes) if axes else x


def repeat(x: Tensor, repeats: int | Tensor, /, *, axis: int | None = None) -> Tensor:
    """Each element, or slice along ``axis``, repeated."""
    if axis is None:
        x, axis = tf.reshape(x, (-1,)), 0
    axis = one_axis("repeat", axis, len(x.shape))
    if isinstance(repeats, int):
        if repeats < 0:
            raise InputError(f"repeat: repeats must not be negative, got {repeats}")
        sizes = dims(x)
        spread = tf.expand_dims(x, axis + 1)
        spread = tf.broadcast_to(spread, [*sizes[: axis + 1], repeats, *sizes[axis + 1 :]])
        return tf.reshape(spread, [*sizes[:axis], sizes[axis] * repeats, *sizes[axis + 1 :]])
    counts = tf.cast(repeats, int64)
    return tf.gather(x, tf.repeat(tf.range(size_along(x, axis)), counts), axis=axis)


def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Tensor:
    """The whole array repeated along each axis; axes are added in front as needed."""
    counts = as_shape(repetitions)
    ndim = max(len(counts), len(x.shape))
    counts = (1,) * (ndim - len(counts)) + counts
    x = tf.reshape(x, [1] * (ndim - len(x.shape)) + dims(x))
    if x.dtype == uint16:  # no kernel
        return tf.cast(tf.tile(tf.cast(x, int32), counts), uint16)
    return tf.tile(x, counts) if counts else x


def _as_index(name: str, indices: Tensor, size: Any) -> Tensor:
    """Indices as int32 or int64, counted from the front."""
    require(name, indices.dtype, INTEGRAL)
    if indices.dtype not in (int32, int64):
        indices = tf.cast(indices, int64)
    from_front = raw.AddV2(x=indices, y=cast_to(size, indices.dtype))
    return raw.SelectV2(condition=raw.Less(x=indices, y=cast_to(0, indices.dtype)), t=from_front, e=indices)


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """Slices of ``x`` along ``axis``, at ``indices`` of any shape; its derivative is a dense array."""
    if axis is None:
        if len(x.shape) != 1:
            raise ShapeError(f"take: axis is needed for an array of shape {static_shape(x)}")
        axis = 0
    axis = one_axis("take", axis, len(x.shape))
    indices = _as_index("take: indices", indices, size_along(x, axis))
    if axis == 0 and x.dtype.is_floating:
        return _take_rows(x, indices)
    return raw.GatherV2(params=x, indices=indices, axis=axis)


def _take_rows(x: Tensor, indices: Tensor) -> Tensor:
    """A gather along a second axis: along the first, TensorFlow's derivative is a ``tf.IndexedSlices``."""
    return tf.squeeze(raw.GatherV2(params=tf.expand_dims(x, 0), indices=indices, axis=1), 0)


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """The element at ``indices`` of each 1-d slice along ``axis``; the other axes broadcast."""
    ndim = len(x.shape)
    if len(indices.shape) != ndim:
        raise ShapeError(
            f"take_along_axis: x and indices must have as many dimensions, got shapes {static_shape(x)} "
            f"and {static_shape(indices)}"
        )
    axis = one_axis("take_along_axis", axis, ndim)
    indices = _as_index("take_along_axis: indices", indices, size_along(x, axis))
    values, positions = moveaxis(x, axis, -1), moveaxis(indices, axis, -1)
    if ndim > 1:
        values, positions = broadcast_batch(values, positions, but_last=1)
    return moveaxis(tf.gather(values, positions, axis=-1, batch_dims=ndim - 1), -1, axis)
