"""Indices, sorting, membership; the sets are found on the host, since their sizes depend on the values."""

from __future__ import annotations

from typing import Any

import paddle

from multimlp.backends import _host_sets
from multimlp.backends._axes import needed
from multimlp.backends.paddle._creation import asarray
from multimlp.backends.paddle._dtypes import Array, bool_, operands
from multimlp.backends.paddle._elementwise import equal
from multimlp.backends.paddle._manipulation import broadcast_to, flip, reshape

__all__ = [
    "argmax", "argmin", "argsort", "isin", "nonzero", "searchsorted", "sort", "take", "take_along_axis", "unique_all", "unique_counts",
    "unique_inverse", "unique_values",
]  # fmt: skip


def _ordered(x: Array) -> Array:
    return x.astype("int32") if x.dtype == bool_ else x


def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    return paddle.argmax(_ordered(x), axis=axis, keepdim=keepdims)


def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    return paddle.argmin(_ordered(x), axis=axis, keepdim=keepdims)


def argsort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    return paddle.argsort(_ordered(x), axis=axis, descending=descending, stable=True)


def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    found = paddle.sort(_ordered(x), axis=axis, stable=True).astype(x.dtype)
    return flip(found, axis=axis) if descending else found


def searchsorted(x1: Array, x2: Any, /, *, side: str = "left", sorter: Array | None = None) -> Array:
    ordered, values = operands(x1 if sorter is None else take(x1, sorter), x2)
    found = paddle.searchsorted(ordered, reshape(values, (-1,)), right=side == "right")
    return reshape(found, tuple(values.shape))


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Array:
    elements, tested = operands(x1, x2)
    found = paddle.any(equal(paddle.unsqueeze(elements, -1), reshape(tested, (-1,))), axis=-1)
    return paddle.logical_not(found) if invert else found


def nonzero(x: Array, /) -> tuple[Array, ...]:
    return tuple(paddle.nonzero(x, as_tuple=True))


def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    return x[(*(slice(None),) * needed("take", x, axis), indices)]


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    axis %= x.ndim
    shape = [
        m if i == axis else max(n, m) for i, (n, m) in enumerate(zip(x.shape, indices.shape, strict=True))
    ]
    around = [n if i == axis else m for i, (n, m) in enumerate(zip(x.shape, shape, strict=True))]
    return paddle.take_along_axis(
        broadcast_to(x, around), broadcast_to(indices, shape), axis, broadcast=False
    )


unique_all, unique_counts, unique_inverse, unique_values = _host_sets.on_the_host(
    lambda x: x.numpy(), lambda host, x: asarray(host), lambda x, indices: paddle.reshape(x, [-1])[indices]
)
