"""Axes and shapes at the door, with room for a dimension that is known only when the graph runs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, TypeAlias

import tensorflow as tf

from multimlp.errors import ShapeError

Shape: TypeAlias = tuple[int | None, ...]
Axes: TypeAlias = int | tuple[int, ...] | None


class AxisError(ShapeError, IndexError):
    """An axis that the array does not have; also an IndexError, as the standard asks."""


def one_axis(name: str, axis: int, ndim: int) -> int:
    """``axis`` counted from the front."""
    if not -ndim <= axis < ndim:
        raise AxisError(f"{name}: axis {axis} is out of bounds for an array of {ndim} dimensions")
    return int(axis + ndim if axis < 0 else axis)


def many_axes(name: str, axis: Axes | Sequence[int], ndim: int) -> list[int]:
    """The axes counted from the front; None stands for all of them."""
    if axis is None:
        return list(range(ndim))
    given: Any = (axis,) if hasattr(axis, "__index__") else axis
    axes = [one_axis(name, each, ndim) for each in given]
    if len(set(axes)) != len(axes):
        raise AxisError(f"{name}: an axis occurs twice in {axis}")
    return axes


def static_shape(x: tf.Tensor) -> Shape:
    return tuple(x.shape)


def shape_of(x: tf.Tensor) -> Any:
    """The shape: a tuple where it is known, else a tensor."""
    return tuple(x.shape) if x.shape.is_fully_defined() else tf.shape(x)


def size_along(x: tf.Tensor, axis: int) -> Any:
    """The length of one axis: an int where it is known, else a 0-d int32 tensor."""
    size = x.shape[axis]
    return tf.shape(x)[axis] if size is None else size


def dims(x: tf.Tensor) -> list[Any]:
    """The length of each axis, as in ``size_along``."""
    return [size_along(x, axis) for axis in range(len(x.shape))]


def as_shape(shape: int | Sequence[Any]) -> tuple[Any, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def fill_unknown(name: str, x: tf.Tensor, shape: Sequence[Any], offset: int = 0) -> tuple[Any, ...]:
    """``shape`` with each None, copied by the caller from a shape with an unknown dimension, resolved.

    A None at position ``i`` stands for the length of the axis ``i - offset`` of ``x``.
    """
    resolved = []
    for position, size in enumerate(shape):
        if size is None:
            axis = position - offset
            if not 0 <= axis < len(x.shape):
                raise ShapeError(
                    f"{name}: the dimension {position} of the shape {tuple(shape)} is unknown; give a number"
                )
            size = size_along(x, axis)
        resolved.append(size)
    return tuple(resolved)


def broadcast_shape(*arrays: tf.Tensor, but_last: int = 0) -> Any:
    """The common shape, without the last axes: a tuple where it is known, else a tensor."""
    shapes = [x.shape[: len(x.shape) - but_last] for x in arrays]
    try:
        shape = functools.reduce(tf.broadcast_static_shape, shapes)
    except ValueError:
        given = ", ".join(str(static_shape(x)) for x in arrays)
        raise ShapeError(f"arrays of the shapes {given} cannot be broadcast together") from None
    if shape.is_fully_defined():
        return tuple(shape)
    dynamic = [tf.shape(x)[: len(x.shape) - but_last] for x in arrays]
    return functools.reduce(tf.broadcast_dynamic_shape, dynamic)


def broadcast_batch(*arrays: tf.Tensor, but_last: int) -> list[tf.Tensor]:
    """The arrays with all axes but the last ones repeated to their common lengths."""
    batch = broadcast_shape(*arrays, but_last=but_last)
    return [tf.broadcast_to(x, tf.concat([batch, tf.shape(x)[len(x.shape) - but_last :]], 0)) for x in arrays]
