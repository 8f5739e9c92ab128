"""Derivative rules of sums, products, extrema and running sums and products.

At a tie, ``max`` and ``min`` share the cotangent evenly; a NaN extremum hands it to the NaNs. The derivative
of a product needs no division, so zeros among the factors are harmless.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from multimlp._typing import Array, Namespace
from multimlp.tape.batching import Function
from multimlp.tape.core import Rule
from multimlp.tape.recording import check_real, composed, parametric
from multimlp.tape.source import Maker, Source

Axis = int | Sequence[int] | None


def axes_of(x: Array, axis: Axis) -> tuple[int, ...]:
    """The axes as a tuple of non-negative integers."""
    if axis is None:
        return tuple(range(x.ndim))
    return tuple(a % x.ndim for a in ((axis,) if hasattr(axis, "__index__") else axis))


def restore_axes(xp: Namespace, g: Array, x: Array, axis: Any) -> Array:
    """A reduced array with its axes back, of length 1."""
    if hasattr(axis, "__index__"):
        shape = list(x.shape)
        shape[axis] = 1
        return xp.reshape(g, tuple(shape))
    axes = axes_of(x, axis)
    return xp.reshape(g, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


def _count(x: Array, axis: Axis) -> int:
    return math.prod(x.shape[a] for a in axes_of(x, axis))


def _sum(
    xp: Namespace, g: Array, _y: Array, x_like: Array, axis: Axis = None, keepdims: bool = False
) -> Array:
    if axis is not None and not keepdims:
        g = restore_axes(xp, g, x_like, axis)
    return xp.broadcast_to(g, x_like.shape)


def _mean(
    xp: Namespace, g: Array, _y: Array, x_like: Array, axis: Axis = None, keepdims: bool = False
) -> Array:
    return _sum(xp, _divided(xp, g, _count(x_like, axis)), _y, x_like, axis, keepdims)


def _divided(xp: Namespace, g: Array, count: int) -> Array:
    """``g / count``, also where the dtype holds no such number: float16 ends at 65504."""
    if count > 65504 and xp.is_half(g.dtype):
        return xp.astype(xp.astype(g, xp.float32) / count, g.dtype)
    return g / count


def _extremum(
    xp: Namespace, g: Array, y: Array, x: Array, axis: Axis = None, keepdims: bool = False
) -> Array:
    reached, share = shares_of_extrema(xp, x, restore_axes(xp, y, x, axis), axes_of(x, axis))
    share = restore_axes(xp, g, x, axis) * share
    return xp.where(reached, share, xp.zeros_like(share))


def shares_of_extrema(xp: Namespace, x: Array, extremum: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Where x reaches its extremum along the axes, of which it has them, and one over how often it does."""
    reached = (x == extremum) | (x != x)
    kind = xp.float32 if xp.is_half(x.dtype) else x.dtype
    share = 1 / xp.sum(xp.astype(reached, kind), axis=axes, keepdims=True)
    return reached, share if kind == x.dtype else xp.astype(share, x.dtype)


def _prod(xp: Namespace, g: Array, _y: Array, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    if 0 in x.shape:
        return xp.zeros_like(x)
    axes = axes_of(x, axis)
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    order = kept + axes
    moved = xp.permute_dims(x, order)
    flat = xp.reshape(moved, (*(x.shape[i] for i in kept), _count(x, axes)))
    one = xp.ones_like(flat[..., :1])
    before = _exclusive_product(xp, flat, one)
    after = xp.flip(_exclusive_product(xp, xp.flip(flat, axis=-1), one), axis=-1)
    others = xp.permute_dims(xp.reshape(before * after, moved.shape), _inverse(order))
    return restore_axes(xp, g, x, axis) * others


def _exclusive_product(xp: Namespace, x: Array, one: Array) -> Array:
    return xp.cumulative_prod(xp.concat([one, x[..., :-1]], axis=-1), axis=-1)


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def _running_axis(x: Array, axis: int | None) -> int:
    return 0 if axis is None else axis % x.ndim


def _without_initial(g: Array, axis: int, include_initial: bool) -> Array:
    return g[(slice(None),) * axis + (slice(1, None), ...)] if include_initial else g


def _cumulative_sum(
    xp: Namespace, g: Array, _y: Array, x_like: Array, axis: int | None = None, include_initial: bool = False
) -> Array:
    axis = _running_axis(x_like, axis)
    g = _without_initial(g, axis, include_initial)
    return xp.flip(xp.cumulative_sum(xp.flip(g, axis=axis), axis=axis), axis=axis)


def _cumulative_prod(
    xp: Namespace, g: Array, _y: Array, x: Array, axis: int | None = None, include_initial: bool = False
) -> Array:
    """With P_i the product before i: P_i S_i, where S_i = g_i + x_(i+1) S_(i+1), solved by doubling."""
    if 0 in x.shape:
        return xp.zeros_like(x)
    axis = _running_axis(x, axis)
    total = xp.moveaxis(_without_initial(g, axis, include_initial), axis, -1)
    x = xp.moveaxis(x, axis, -1)
    factor = xp.concat([x[..., 1:], xp.zeros_like(x[..., :1])], axis=-1)
    step = 1
    while step < x.shape[-1]:
        zero = xp.zeros_like(x[..., :step])
        total = total + factor * xp.concat([total[..., step:], zero], axis=-1)
        factor = factor * xp.concat([factor[..., step:], zero], axis=-1)
        step *= 2
    return xp.moveaxis(total * _exclusive_product(xp, x, xp.ones_like(x[..., :1])), -1, axis)


def _with_dtype(rule: Rule) -> Maker:
    """A reduction that takes ``dtype``: the array is cast first, which has a rule of its own."""
    plain = parametric(rule)

    def make(source: Source, xp: Any) -> Function:
        wrapped, record = xp.wrapped, plain(source, xp)

        def reduce(x: Any, /, *args: Any, dtype: Any = None, **params: Any) -> Any:
            if dtype is None:
                return record(x, *args, **params)
            if type(x) in wrapped:
                return reduce(xp.astype(x, dtype), *args, **params)
            return source.plain(x, *args, dtype=dtype, **params)

        return reduce

    return make


def _var(
    xp: Namespace, x: Array, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    if not xp.is_real_floating(x.dtype) and xp.isdtype(x.dtype, "complex floating"):
        check_real(xp, "var", x)
    if xp.is_half(x.dtype):  # of whose squares there are no sums
        return xp.astype(_var(xp, xp.astype(x, xp.float32), axis, correction, keepdims), x.dtype)
    centred = x - xp.mean(x, axis=axis, keepdims=True)
    return xp.sum(centred * centred, axis=axis, keepdims=keepdims) / max(_count(x, axis) - correction, 0.0)


def _std(
    xp: Namespace, x: Array, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    return xp.sqrt(_var(xp, x, axis, correction, keepdims))


RULES: dict[str, Maker] = {
    "sum": _with_dtype(_sum),
    "prod": _with_dtype(_prod),
    "cumulative_sum": _with_dtype(_cumulative_sum),
    "cumulative_prod": _with_dtype(_cumulative_prod),
    "mean": parametric(_mean),
    "max": parametric(_extremum),
    "min": parametric(_extremum),
    "var": composed(_var),
    "std": composed(_std),
}
