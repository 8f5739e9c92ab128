"""Derivative rules of selection: ``x[key]``, ``take``, ``take_along_axis``, ``sort``, ``unique_values`` and its kin.

What is picked more than once receives the sum of its cotangents, by a scatter-add: see ``raw_selection.py``.
"""

from __future__ import annotations

import math
from typing import Any

from multimlp._typing import Array, Namespace
from multimlp.tape._array import Wrapped, any_wrapped, device_of
from multimlp.tape.recording import composed, constant, parametric, selecting
from multimlp.tape.source import Maker, Source


def _getitem(xp: Namespace, g: Array, _y: Array, x_like: Array, key: Any) -> Array:
    if _picks_once(xp, key):
        return xp._put(g, key, x_like.shape)
    places = xp._getitem(_positions(xp, x_like.shape, x_like.device), key)
    return _scatter_flat(xp, g, places, x_like.shape)


def _picks_once(xp: Namespace, key: Any) -> bool:
    """Whether no element can be picked twice: no key is an integer array or a sequence, or batched."""
    return all(_is_single(xp, k) for k in (key if isinstance(key, tuple) else (key,)))


def _is_single(xp: Namespace, k: Any) -> bool:
    if isinstance(k, Wrapped):
        return False
    if hasattr(k, "dtype"):
        return len(k.shape) == 0 or bool(xp.isdtype(k.dtype, "bool"))
    return k is None or k is Ellipsis or isinstance(k, slice) or hasattr(k, "__index__")


def _positions(xp: Namespace, shape: tuple[int, ...], device: Any) -> Array:
    """The number of each element in row-major order."""
    return xp.reshape(xp.arange(math.prod(shape), device=device), shape)


def _scatter_flat(xp: Namespace, g: Array, positions: Array, shape: tuple[int, ...]) -> Array:
    """Zeros of a shape, to which g is added at the row-major positions."""
    flat = xp._add_at(xp.reshape(g, (-1,)), xp.reshape(positions, (-1,)), math.prod(shape))
    return xp.reshape(flat, shape)


def _take(
    xp: Namespace, g: Array, _y: Array, x_like: Array, indices: Array, axis: int | None = None
) -> Array:
    shape = (x_like.size,) if axis is None else tuple(x_like.shape)
    axis = 0 if axis is None else axis % len(shape)
    indices = xp.reshape(indices, (-1,))
    g = xp.reshape(g, shape[:axis] + tuple(indices.shape) + shape[axis + 1 :])
    out = xp._add_at(xp.moveaxis(g, axis, 0), indices, shape[axis])
    return xp.reshape(xp.moveaxis(out, 0, axis), x_like.shape)


def _take_along_axis(
    xp: Namespace, g: Array, _y: Array, x_like: Array, indices: Array, axis: int = -1
) -> Array:
    axis %= x_like.ndim
    size, indices = x_like.shape[axis], xp.as_places(indices)
    place = xp.where(indices < 0, indices + size, indices)
    stride = 1
    positions = xp.zeros_like(place)
    for d in reversed(range(x_like.ndim)):
        along = place
        if d != axis:
            count = xp.arange(x_like.shape[d], dtype=place.dtype, device=device_of(place))
            along = xp.reshape(count, tuple(x_like.shape[d] if i == d else 1 for i in range(x_like.ndim)))
        positions = positions + along * stride
        stride *= x_like.shape[d]
    return _scatter_flat(xp, g, xp.broadcast_to(positions, g.shape), x_like.shape)


def _sort(xp: Namespace, x: Array, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    order = xp.argsort(x, axis=axis, descending=descending, stable=stable)
    return xp.take_along_axis(x, order, axis=axis)


def _unique_all(source: Source, xp: Any) -> Any:
    """The maker: each distinct value is the first element that has it."""
    find = constant(source, xp)

    def unique_all(x: Array, /) -> Any:
        found = find(x)
        if not any_wrapped((x,)):
            return found
        return found._replace(values=xp.take(xp.reshape(x, (-1,)), found.indices))

    return unique_all


def _unique_values(xp: Namespace, x: Array, /) -> Array:
    return xp.unique_all(x).values


def _unique_with(source: Source, xp: Any) -> Any:
    """The maker of those that return values and something of each."""
    find = constant(source, xp)

    def unique_with(x: Array, /) -> Any:
        found = find(x)
        return found._replace(values=xp.unique_all(x).values) if any_wrapped((x,)) else found

    return unique_with


def _put(xp: Namespace, g: Array, _y: Array, _x: Array, key: Any, shape: Any) -> Array:
    return g[key]


def _add_at(xp: Namespace, g: Array, _y: Array, _x: Array, indices: Array, size: int) -> Array:
    return xp.take(g, indices, axis=0)


RULES: dict[str, Maker] = {
    "take": selecting(_take),
    "take_along_axis": selecting(_take_along_axis),
    "sort": composed(_sort),
    "unique_all": _unique_all,
    "unique_counts": _unique_with,
    "unique_inverse": _unique_with,
    "unique_values": composed(_unique_values),
    "_getitem": selecting(_getitem),
    "_put": parametric(_put),
    "_add_at": selecting(_add_at),
}
