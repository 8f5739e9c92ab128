"""Products of matrices and vectors."""

from __future__ import annotations

from collections.abc import Sequence

from multimlp._typing import Array
from multimlp.xp._dispatch import dispatched


@dispatched
def matmul(x1: Array, x2: Array, /) -> Array:
    """Matrix product."""


@dispatched
def matrix_transpose(x: Array, /) -> Array:
    """The last two axes exchanged."""


@dispatched
def tensordot(x1: Array, x2: Array, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Array:
    """The sum of products over axes of both."""


@dispatched
def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The scalar products of vectors along an axis, the first one conjugated."""
