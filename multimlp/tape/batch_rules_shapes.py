"""Batching of functions that move, repeat or join."""

from __future__ import annotations

import math
from typing import Any

from multimlp.tape.batched import Batched
from multimlp.tape.batching import (
    BatchRule,
    Function,
    along,
    forward,
    level_of,
    rows_of,
    spread,
    stretched,
)


def _reshape(record: Function, xp: Any) -> Function:
    def batch(x: Batched, /, shape: Any, **params: Any) -> Any:
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        if -1 in shape:  # found here: of no elements it would be anything
            known = math.prod(extent for extent in shape if extent != -1)
            shape = tuple(x.size // known if extent == -1 else extent for extent in shape)
        return xp.batched(record(x.value, (x.value.shape[0], *shape), **params), x.level)

    return batch


def _expand_dims(record: Function, xp: Any) -> Function:
    def batch(x: Batched, /, axis: Any = 0) -> Any:
        added = len(axis) if isinstance(axis, tuple) else 1
        return xp.batched(record(x.value, axis=forward(axis, x.ndim + added)), x.level)

    return batch


def _squeeze(record: Function, xp: Any) -> Function:
    def batch(x: Batched, /, axis: Any = None) -> Any:
        if axis is None:  # beyond the standard
            axis = tuple(i for i, extent in enumerate(x.shape) if extent == 1)
        return xp.batched(record(x.value, axis=forward(axis, x.ndim)), x.level)

    return batch


def _broadcast_to(record: Function, xp: Any) -> Function:
    def batch(x: Batched, /, shape: Any) -> Any:
        shape = tuple(shape)
        value = spread(xp, x, x.level, len(shape))
        return xp.batched(record(value, (value.shape[0], *shape)), x.level)

    return batch


def _permute_dims(record: Function, xp: Any) -> Function:
    def batch(x: Batched, /, axes: Any) -> Any:
        return xp.batched(record(x.value, (0, *forward(tuple(axes), x.ndim))), x.level)

    return batch


def _moveaxis(record: Function, xp: Any) -> Function:
    def batch(x: Batched, source: Any, destination: Any, /) -> Any:
        return xp.batched(record(x.value, forward(source, x.ndim), forward(destination, x.ndim)), x.level)

    return batch


def _flip(record: Function, xp: Any) -> Function:
    def batch(x: Batched, /, *, axis: Any = None) -> Any:
        axis = tuple(range(x.ndim)) if axis is None else axis
        return xp.batched(record(x.value, axis=forward(axis, x.ndim)), x.level)

    return batch


def _roll(record: Function, xp: Any) -> Function:
    def batch(x: Batched, /, shift: Any, *, axis: Any = None) -> Any:
        value = x.value
        if axis is not None:
            return xp.batched(record(value, shift, axis=forward(axis, x.ndim)), x.level)
        rolled = record(xp.reshape(value, (value.shape[0], x.size)), shift, axis=1)
        return xp.batched(xp.reshape(rolled, value.shape), x.level)

    return batch


def _concat(record: Function, xp: Any) -> Function:
    def batch(arrays: Any, /, *, axis: int | None = 0) -> Any:
        level = level_of(arrays)
        rows = rows_of(arrays, level)
        values = [stretched(xp, x, level, rows) for x in arrays]
        if axis is None:
            sizes = [math.prod(x.shape) for x in arrays]
            values = [xp.reshape(x, (rows, size)) for x, size in zip(values, sizes, strict=True)]
        joined = 1 if axis is None else forward(axis, len(arrays[0].shape))
        return xp.batched(record(values, axis=joined), level)

    return batch


def _stack(record: Function, xp: Any) -> Function:
    def batch(arrays: Any, /, *, axis: int = 0) -> Any:
        level = level_of(arrays)
        rows = rows_of(arrays, level)
        values = [stretched(xp, x, level, rows) for x in arrays]
        return xp.batched(record(values, axis=forward(axis, len(arrays[0].shape) + 1)), level)

    return batch


BATCH_RULES: dict[str, BatchRule] = {
    "argsort": along(-1),
    "broadcast_to": _broadcast_to,
    "concat": _concat,
    "expand_dims": _expand_dims,
    "flip": _flip,
    "moveaxis": _moveaxis,
    "permute_dims": _permute_dims,
    "reshape": _reshape,
    "roll": _roll,
    "squeeze": _squeeze,
    "stack": _stack,
}
