"""Functions of the standard without the layers of Python around NumPy's: on a hundred numbers these take most of the time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from multimlp.backends.numpy._standard import xp

_COPIED = 4096
"""Elements up to which a copy takes less time than a view of stretched strides."""

_BLOCK, _MANY = 64, 4096
"""Rows that are added one to the other, where there are so many."""


def _reduced(reduce: Callable[..., Any]) -> Callable[..., Any]:
    def function(x: Any, /, axis: Any = None, dtype: Any = None, keepdims: bool = False, **more: Any) -> Any:
        return reduce(x, axis, dtype, None, keepdims, **more)

    return function


_add: Callable[..., Any] = np.add.reduce


def _sum(x: Any, /, axis: Any = None, dtype: Any = None, keepdims: bool = False, **more: Any) -> Any:
    """Of half precision in single: a running sum of ones would end at 2048. Of many rows in blocks: NumPy adds one to the other, and of
    a million in single precision one percent may be lost."""
    if dtype is None and not more:
        kind = x.dtype.char
        if kind == "e":
            return _add(x, axis, np.float32, None, keepdims).astype(x.dtype)
        if kind in "fF" and axis is not None and x.size >= _MANY and x.ndim > 1:
            axes = sorted(a % x.ndim for a in ((axis,) if hasattr(axis, "__index__") else axis))
            if math.prod([x.shape[a] for a in axes]) >= _MANY and len(axes) < x.ndim:
                for each in axes:
                    x = _by_blocks(x, each)
                return x if keepdims else np.squeeze(x, tuple(axes))
    return _add(x, axis, dtype, None, keepdims, **more)


def _by_blocks(x: Any, axis: int) -> Any:
    """The sum along one axis, which stays."""
    count = x.shape[axis]
    if count < _MANY or (axis == x.ndim - 1 and x.flags.c_contiguous):
        return _add(x, axis, None, None, True)
    first, rest = np.split(x, [count // _BLOCK * _BLOCK], axis)
    blocks = first.reshape(*x.shape[:axis], -1, _BLOCK, *x.shape[axis + 1 :])
    return _by_blocks(_add(blocks, axis + 1), axis) + _add(rest, axis, None, None, True)


def _vecdot(a: Any, b: Any, /, *, axis: int = -1) -> Any:
    """The sum of products along an axis that is not the last, without an array of the products."""
    axis = axis % a.ndim if a.ndim else axis
    if a.shape != b.shape or axis == a.ndim - 1 or a.dtype.char not in "fd" or a.dtype != b.dtype:
        return xp.vecdot(a, b, axis=axis - a.ndim if a.ndim else axis)
    axes = list(range(a.ndim))
    return np.einsum(a, axes, b, axes, [*axes[:axis], *axes[axis + 1 :]])


def _broadcast_to(x: Any, /, shape: tuple[int, ...]) -> Any:
    if math.prod(shape) > _COPIED:
        return np.broadcast_to(x, shape)
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


def _ones(shape: Any, dtype: Any) -> Any:
    out = np.empty(shape, dtype)
    out.fill(1)
    return out


def _like(full: Callable[..., Any]) -> Callable[..., Any]:
    def function(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
        _check(device)
        return full(x.shape, x.dtype if dtype is None else dtype)

    return function


def _zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Any:
    _check(device)
    return np.zeros(shape, dtype)


def _check(device: Any) -> None:
    if device not in (None, "cpu"):
        raise ValueError(f"device: NumPy has 'cpu' alone, got {device!r}")


def _reshape(x: Any, /, shape: Any, copy: bool | None = None) -> Any:
    return x.reshape(shape) if copy is None else xp.reshape(x, shape, copy=copy)


def _matrix_transpose(x: Any, /) -> Any:
    return x.swapaxes(-1, -2)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "broadcast_to": _broadcast_to,
    "matmul": np.matmul,
    "matrix_transpose": _matrix_transpose,
    "max": _reduced(np.maximum.reduce),
    "min": _reduced(np.minimum.reduce),
    "ones_like": _like(_ones),
    "reshape": _reshape,
    "sum": _sum,
    "vecdot": _vecdot,
    "zeros": _zeros,
    "zeros_like": _like(np.zeros),
}
