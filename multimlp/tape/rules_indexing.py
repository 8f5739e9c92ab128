"""Derivative rules of selection: ``x[key]``, ``take``, ``take_along_axis``, ``sort``.

What is picked more than once receives the sum of its cotangents. That scatter-add is not in the standard: a
library may offer it as ``scatter_add(target, key, values)``, which adds into ``target`` and returns it;
`_add_segments` serves the others.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from multimlp._typing import Array, Library, Namespace
from multimlp.tape.core import Traced, device_of
from multimlp.tape.recording import Function, Maker, composed, parametric


def _getitem(xp: Namespace, g: Array, y: Array, x: Array, key: Any) -> Array:
    if _picks_once(xp, key):
        return xp._put(g, key, x.shape)
    return _scatter_flat(xp, g, _positions(xp, x.shape, device_of(x))[key], x.shape)


def _picks_once(xp: Namespace, key: Any) -> bool:
    """Whether no element can be picked twice: no key is an integer array or a list."""
    parts = key if isinstance(key, tuple) else (key,)
    return not any(
        isinstance(k, list) or (hasattr(k, "dtype") and len(k.shape) > 0 and not xp.isdtype(k.dtype, "bool"))
        for k in parts
    )


def _positions(xp: Namespace, shape: tuple[int, ...], device: Any) -> Array:
    """The number of each element in row-major order."""
    return xp.reshape(xp.arange(math.prod(shape), device=device), shape)


def _scatter_flat(xp: Namespace, g: Array, positions: Array, shape: tuple[int, ...]) -> Array:
    """Zeros of a shape, to which g is added at the row-major positions."""
    flat = xp._add_at(xp.reshape(g, (-1,)), xp.reshape(positions, (-1,)), math.prod(shape))
    return xp.reshape(flat, shape)


def _take(xp: Namespace, g: Array, y: Array, x: Array, indices: Array, axis: int | None = None) -> Array:
    shape = (x.size,) if axis is None else tuple(x.shape)
    axis = 0 if axis is None else axis % len(shape)
    indices = xp.reshape(indices, (-1,))
    g = xp.reshape(g, shape[:axis] + tuple(indices.shape) + shape[axis + 1 :])
    out = xp._add_at(xp.moveaxis(g, axis, 0), indices, shape[axis])
    return xp.reshape(xp.moveaxis(out, 0, axis), x.shape)


def _take_along_axis(xp: Namespace, g: Array, y: Array, x: Array, indices: Array, axis: int = -1) -> Array:
    axis %= x.ndim
    size = x.shape[axis]
    place = xp.where(indices < 0, indices + size, indices)
    stride = 1
    positions = xp.zeros_like(place)
    for d in reversed(range(x.ndim)):
        along = place
        if d != axis:
            count = xp.arange(x.shape[d], dtype=place.dtype, device=device_of(place))
            along = xp.reshape(count, tuple(x.shape[d] if i == d else 1 for i in range(x.ndim)))
        positions = positions + along * stride
        stride *= x.shape[d]
    return _scatter_flat(xp, g, xp.broadcast_to(positions, y.shape), x.shape)


def _sort(xp: Namespace, x: Traced, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    order = xp.argsort(x, axis=axis, descending=descending, stable=stable)
    return xp.take_along_axis(x, order, axis=axis)


# ---- the transposes of selection, on raw arrays --------------------------------------------------


def _raw_put(xp: Namespace, g: Array, key: Any, shape: tuple[int, ...]) -> Array:
    """Zeros of a shape with g at the key."""
    out = xp.zeros(shape, dtype=g.dtype, device=device_of(g))
    if isinstance(key, tuple) and any(k is None for k in key):  # the standard has no newaxis in assignment
        key = tuple(k for k in key if k is not None)
        g = xp.reshape(g, out[key].shape)
    out[key] = g
    return out


def _raw_add_at(library: Library, g: Array, indices: Array, size: int) -> Array:
    """Zeros of length ``size``, to which each g[i, ...] is added at indices[i]."""
    kernel = library.scatter_add
    if kernel is None:
        return _add_segments(library.xp, g, indices, size)
    target = library.xp.zeros((size, *g.shape[1:]), dtype=g.dtype, device=device_of(g))
    return kernel(target, indices, g)


def _add_segments(xp: Namespace, g: Array, indices: Array, size: int) -> Array:
    """Scatter-add on the standard alone: sorted by target, the k-th contributions of all targets are added at
    once.

    No product with zeros, so that an infinite cotangent reaches only its own target.
    """
    out = xp.zeros((size, *g.shape[1:]), dtype=g.dtype, device=device_of(g))
    if size == 0 or g.size == 0:
        return out
    indices = xp.where(indices < 0, indices + size, indices)
    order = xp.argsort(indices)
    indices, g = xp.take(indices, order, axis=0), xp.take(g, order, axis=0)
    targets = xp.arange(size, dtype=indices.dtype, device=device_of(indices))
    start = xp.searchsorted(indices, targets, side="left")
    count = xp.searchsorted(indices, targets, side="right") - start
    zero = xp.zeros_like(out)
    last = indices.shape[0] - 1
    for k in range(int(xp.max(count))):
        contribution = xp.take(g, xp.clip(start + k, max=last), axis=0)
        present = xp.reshape(count > k, (size,) + (1,) * (g.ndim - 1))
        out = out + xp.where(present, contribution, zero)
    return out


def _put(function: Function, xp: Namespace) -> Function:
    rule = parametric(lambda xp, g, y, x, key, shape: g[key])
    return rule(partial(_raw_put, xp.library.xp), xp)


def _add_at(function: Function, xp: Namespace) -> Function:
    rule = parametric(lambda xp, g, y, x, indices, size: xp.take(g, indices, axis=0))
    return rule(partial(_raw_add_at, xp.library), xp)


def _select(function: Function, xp: Namespace) -> Function:
    return parametric(_getitem)(lambda x, key: x[key], xp)


RULES: dict[str, Maker] = {
    "take": parametric(_take),
    "take_along_axis": parametric(_take_along_axis),
    "sort": composed(_sort),
    "_getitem": _select,
    "_put": _put,
    "_add_at": _add_at,
}
