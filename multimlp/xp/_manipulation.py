"""Other shapes of the same elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp._typing import Array
from multimlp.errors import ShapeError
from multimlp.xp._dispatch import dispatched
from multimlp.xp._dtypes import DType


@dispatched
def astype(x: Array, dtype: DType, /, *, copy: bool = True, device: Any | None = None) -> Array:
    """The same values in another dtype."""


@dispatched
def broadcast_arrays(*arrays: Array) -> Any:
    """All arrays in their common shape."""


@dispatched
def broadcast_to(x: Array, /, shape: tuple[int, ...]) -> Array:
    """The array repeated along axes of size 1 and new leading ones."""


@dispatched
def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
    """The arrays one behind the other along an axis that they have; None flattens them."""


@dispatched
def expand_dims(x: Array, /, *, axis: int = 0) -> Array:
    """One more axis, of size 1."""


@dispatched
def flip(x: Array, /, *, axis: int | tuple[int, ...] | None = None) -> Array:
    """The elements in reverse order along axes."""


@dispatched
def moveaxis(x: Array, source: int | tuple[int, ...], destination: int | tuple[int, ...], /) -> Array:
    """Axes at other places, the others in their order."""


@dispatched
def permute_dims(x: Array, /, axes: tuple[int, ...]) -> Array:
    """All axes in another order."""


@dispatched
def repeat(x: Array, repeats: int | Array, /, *, axis: int | None = None) -> Array:
    """Each element several times, next to each other."""


@dispatched
def reshape(x: Array, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Array:
    """The same elements, in their order, in another shape; one size may be -1."""


@dispatched
def roll(x: Array, /, shift: int | tuple[int, ...], *, axis: int | tuple[int, ...] | None = None) -> Array:
    """The elements moved on along axes; what leaves at the end comes back at the start."""


@dispatched
def squeeze(x: Array, /, axis: int | tuple[int, ...]) -> Array:
    """Without axes of size 1."""


@dispatched
def stack(arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
    """The arrays, all of one shape, along a new axis."""


@dispatched
def tile(x: Array, repetitions: tuple[int, ...], /) -> Array:
    """The whole array several times along each axis."""


@dispatched
def tril(x: Array, /, *, k: int = 0) -> Array:
    """What is on the k-th diagonal and below it, else 0."""


@dispatched
def triu(x: Array, /, *, k: int = 0) -> Array:
    """What is on the k-th diagonal and above it, else 0."""


@dispatched
def unstack(x: Array, /, *, axis: int = 0) -> Any:
    """The slices along an axis, as a tuple."""


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that arrays of these shapes have in common."""
    try:
        return tuple(np.broadcast_shapes(*shapes))
    except ValueError:
        given = ", ".join(map(str, shapes))
        raise ShapeError(f"broadcast_shapes: {given} do not go together: sizes must be equal, or 1") from None
