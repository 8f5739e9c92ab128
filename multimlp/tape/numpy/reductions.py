"""NumPy's sums, means, extrema and orders, defined by the standard's functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp._typing import Array, Namespace
from multimlp.tape.rules_reductions import axes_of

Definition = Callable[..., Any]


def _same(name: str) -> Definition:
    def reduce(xp: Namespace, a: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
        return getattr(xp, name)(a, axis=axis, keepdims=keepdims)

    return reduce


def _with_dtype(name: str) -> Definition:
    def reduce(
        xp: Namespace, a: Array, axis: Any = None, dtype: Any = None, *, keepdims: bool = False
    ) -> Array:
        a = a if dtype is None else xp.astype(a, dtype)
        return getattr(xp, name)(a, axis=axis, keepdims=keepdims)

    return reduce


def _spread(name: str) -> Definition:
    def reduce(
        xp: Namespace, a: Array, axis: Any = None, dtype: Any = None, *,
        ddof: float = 0, keepdims: bool = False, correction: float | None = None,
    ) -> Array:  # fmt: skip
        a = a if dtype is None else xp.astype(a, dtype)
        free = ddof if correction is None else correction
        return getattr(xp, name)(a, axis=axis, correction=free, keepdims=keepdims)

    return reduce


def _running(name: str) -> Definition:
    def run(xp: Namespace, a: Array, axis: int | None = None, dtype: Any = None) -> Array:
        a = a if dtype is None else xp.astype(a, dtype)
        if axis is None:
            a, axis = xp.reshape(a, (-1,)), 0
        return getattr(xp, name)(a, axis=axis)

    return run


def _place(name: str) -> Definition:
    def find(xp: Namespace, a: Array, axis: int | None = None, *, keepdims: bool = False) -> Array:
        return getattr(xp, name)(a, axis=axis, keepdims=keepdims)

    return find


def _without_nan(name: str, filling: float) -> Definition:
    def reduce(xp: Namespace, a: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
        return getattr(xp, name)(_filled(xp, a, filling), axis=axis, keepdims=keepdims)

    return reduce


def _filled(xp: Namespace, a: Array, filling: float) -> Array:
    return xp.where(xp.isnan(a), xp.full_like(a, filling), a)


def _nanmean(xp: Namespace, a: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    count = xp.sum(xp.astype(~xp.isnan(a), a.dtype), axis=axis, keepdims=keepdims)
    return xp.sum(_filled(xp, a, 0.0), axis=axis, keepdims=keepdims) / count


def _ptp(xp: Namespace, a: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    return xp.max(a, axis=axis, keepdims=keepdims) - xp.min(a, axis=axis, keepdims=keepdims)


def _average(
    xp: Namespace, a: Array, axis: int | None = None, weights: Any = None, *, keepdims: bool = False
) -> Array:
    if weights is None:
        return xp.mean(a, axis=axis, keepdims=keepdims)
    weights = xp.asarray(weights) if isinstance(weights, (list, tuple)) else weights
    if weights.shape != a.shape:
        weights = xp.reshape(weights, tuple(n if i == axis % a.ndim else 1 for i, n in enumerate(a.shape)))
        weights = xp.broadcast_to(weights, a.shape)
    total = xp.sum(weights, axis=axis, keepdims=keepdims)
    return xp.sum(a * weights, axis=axis, keepdims=keepdims) / total


def _median(xp: Namespace, a: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    if axis is None or isinstance(axis, (tuple, list)):
        gone = axes_of(a, axis)
        kept = tuple(i for i in range(a.ndim) if i not in gone)
        ordered = xp.permute_dims(a, (*kept, *gone)) if a.ndim else a
        result = _median(xp, xp.reshape(ordered, (*(a.shape[i] for i in kept), -1)), -1)
        return (
            xp.reshape(result, tuple(1 if i in gone else n for i, n in enumerate(a.shape)))
            if keepdims
            else result
        )
    ordered = xp.moveaxis(xp.sort(a, axis=axis), axis, 0)
    size = a.shape[axis]
    middle = ordered[size // 2, ...]
    if size % 2 == 0:  # each halved before, so that the sum does not overflow
        middle = 0.5 * ordered[size // 2 - 1, ...] + 0.5 * middle
    middle = xp.where(xp.isnan(ordered[-1, ...]), ordered[-1, ...], middle)
    return xp.expand_dims(middle, axis=axis) if keepdims else middle


def _sort(xp: Namespace, a: Array, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Array:
    if axis is None:
        a, axis = xp.reshape(a, (-1,)), 0
    return xp.sort(a, axis=axis)


def _argsort(
    xp: Namespace, a: Array, axis: int | None = -1, kind: Any = None, *, stable: Any = None
) -> Array:
    if axis is None:
        a, axis = xp.reshape(a, (-1,)), 0
    return xp.argsort(a, axis=axis)


def _partition(xp: Namespace, a: Array, kth: Any, axis: int | None = -1) -> Array:
    """Sorted, which is a partition at any place."""
    return _sort(xp, a, axis)


def _searchsorted(xp: Namespace, a: Array, v: Any, side: str = "left") -> Array:
    return xp.searchsorted(a, v, side=side)


def _nonzero(xp: Namespace, a: Array) -> Any:
    return xp.nonzero(a)


def _flatnonzero(xp: Namespace, a: Array) -> Array:
    return xp.nonzero(xp.reshape(a, (-1,)))[0]


def _count_nonzero(xp: Namespace, a: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    return xp.sum(xp.astype(a != 0, xp.int64), axis=axis, keepdims=keepdims)


DEFINITIONS: dict[str, Definition] = {
    **{name: _with_dtype(name) for name in ("sum", "prod", "mean")},
    **{name: _spread(name) for name in ("var", "std")},
    **{name: _same(name) for name in ("max", "min", "all", "any")},
    "amax": _same("max"),
    "amin": _same("min"),
    "cumsum": _running("cumulative_sum"),
    "cumprod": _running("cumulative_prod"),
    "argmax": _place("argmax"),
    "argmin": _place("argmin"),
    "nansum": _without_nan("sum", 0.0),
    "nanprod": _without_nan("prod", 1.0),
    "nanmean": _nanmean,
    "ptp": _ptp,
    "average": _average,
    "median": _median,
    "sort": _sort,
    "argsort": _argsort,
    "partition": _partition,
    "searchsorted": _searchsorted,
    "nonzero": _nonzero,
    "flatnonzero": _flatnonzero,
    "count_nonzero": _count_nonzero,
}
"""By NumPy's name: ``definition(xp, *args, **kwargs)`` with NumPy's parameters, less those that are refused."""
