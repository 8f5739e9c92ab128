"""Where something is, in which order, and whether: searching, sorting, sets, conditions."""

from __future__ import annotations

from typing import Any

from multimlp._typing import Array
from multimlp.xp._dispatch import dispatched


@dispatched
def all(x: Array, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """Whether all elements are true."""


@dispatched
def any(x: Array, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """Whether one element is true."""


@dispatched
def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the first of the largest elements."""


@dispatched
def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the first of the smallest elements."""


@dispatched
def argsort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """The indices that sort along an axis."""


@dispatched
def count_nonzero(x: Array, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """How many elements are not 0."""


@dispatched
def isin(x1: Array, x2: Array, /, *, invert: bool = False) -> Array:
    """Whether each element of x1 is in x2."""


@dispatched
def nonzero(x: Array, /) -> Any:
    """The indices of the elements that are not 0: one array for each axis."""


@dispatched
def searchsorted(x1: Array, x2: Array, /, *, side: str = "left", sorter: Array | None = None) -> Array:
    """Where the elements of x2 belong in the sorted x1."""


@dispatched
def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """The elements along an axis in order."""


@dispatched
def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    """The elements of these indices along an axis."""


@dispatched
def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """The elements of these indices along an axis, of each row its own."""


@dispatched
def unique_all(x: Array, /) -> Any:
    """The distinct elements, where each is first, which of them each element is, and how often it is there."""


@dispatched
def unique_counts(x: Array, /) -> Any:
    """The distinct elements, and how often each is there."""


@dispatched
def unique_inverse(x: Array, /) -> Any:
    """The distinct elements, and which of them each element is."""


@dispatched
def unique_values(x: Array, /) -> Array:
    """The distinct elements."""


@dispatched
def where(condition: Array, x1: Array | float, x2: Array | float, /) -> Array:
    """x1 where the condition holds, else x2."""
