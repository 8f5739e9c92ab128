"""Sums, means and extremes along axes, and differences."""

from __future__ import annotations

from multimlp._typing import Array
from multimlp.xp._dispatch import dispatched
from multimlp.xp._dtypes import DType


@dispatched
def cumulative_prod(
    x: Array, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Array:
    """The products of the first elements along an axis; with `include_initial`, a 1 before them."""


@dispatched
def cumulative_sum(
    x: Array, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Array:
    """The sums of the first elements along an axis; with `include_initial`, a 0 before them."""


@dispatched
def diff(
    x: Array, /, *, axis: int = -1, n: int = 1, prepend: Array | None = None, append: Array | None = None
) -> Array:
    """The n-th differences of neighbours along an axis."""


@dispatched
def max(x: Array, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """The largest element; NaN if one is."""


@dispatched
def mean(x: Array, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """The mean."""


@dispatched
def min(x: Array, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """The smallest element; NaN if one is."""


@dispatched
def prod(
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    dtype: DType | None = None,
    keepdims: bool = False,
) -> Array:
    """The product; 1 of no elements."""


@dispatched
def std(
    x: Array, /, *, axis: int | tuple[int, ...] | None = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    """The standard deviation, with n - correction in the denominator."""


@dispatched
def sum(
    x: Array,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    dtype: DType | None = None,
    keepdims: bool = False,
) -> Array:
    """The sum; 0 of no elements."""


@dispatched
def var(
    x: Array, /, *, axis: int | tuple[int, ...] | None = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    """The variance, with n - correction in the denominator."""
