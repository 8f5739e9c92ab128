"""Linear algebra: the standard's extension, on libraries that have it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from multimlp._typing import Array
from multimlp.xp._dispatch import LINALG, dispatched
from multimlp.xp._dtypes import DType

__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]

of_linalg = functools.partial(dispatched, part=LINALG)


@of_linalg
def matmul(x1: Array, x2: Array, /) -> Array:
    """Matrix product."""


@of_linalg
def matrix_transpose(x: Array, /) -> Array:
    """The last two axes exchanged."""


@of_linalg
def tensordot(x1: Array, x2: Array, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Array:
    """The sum of products over axes of both."""


@of_linalg
def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The scalar products of vectors along an axis, the first one conjugated."""


@of_linalg
def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    """L with L L^H = x, of Hermitian positive definite matrices."""


@of_linalg
def cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The vector product, of vectors of three."""


@of_linalg
def det(x: Array, /) -> Array:
    """Determinant."""


@of_linalg
def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    """The elements on a diagonal."""


@of_linalg
def eigh(x: Array, /) -> Any:
    """Eigenvalues, in ascending order, and eigenvectors of Hermitian matrices."""


@of_linalg
def eigvalsh(x: Array, /) -> Array:
    """Eigenvalues of Hermitian matrices, in ascending order."""


@of_linalg
def inv(x: Array, /) -> Array:
    """Inverse."""


@of_linalg
def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: float | str | None = "fro") -> Array:
    """A norm of matrices."""


@of_linalg
def matrix_power(x: Array, n: int, /) -> Array:
    """The n-th power of square matrices."""


@of_linalg
def matrix_rank(x: Array, /, *, rtol: Array | float | None = None) -> Array:
    """The number of singular values above rtol times the largest."""


@of_linalg
def outer(x1: Array, x2: Array, /) -> Array:
    """All products of the elements of two vectors."""


@of_linalg
def pinv(x: Array, /, *, rtol: Array | float | None = None) -> Array:
    """Pseudo-inverse."""


@of_linalg
def qr(x: Array, /, *, mode: str = "reduced") -> Any:
    """Q and R with Q R = x."""


@of_linalg
def slogdet(x: Array, /) -> Any:
    """Sign, and logarithm of the magnitude, of the determinant."""


@of_linalg
def solve(x1: Array, x2: Array, /) -> Array:
    """y with x1 y = x2."""


@of_linalg
def svd(x: Array, /, *, full_matrices: bool = True) -> Any:
    """U, S and Vh with U diag(S) Vh = x."""


@of_linalg
def svdvals(x: Array, /) -> Array:
    """Singular values, in descending order."""


@of_linalg
def trace(x: Array, /, *, offset: int = 0, dtype: DType | None = None) -> Array:
    """The sum of a diagonal."""


@of_linalg
def vector_norm(
    x: Array, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, ord: float = 2
) -> Array:
    """A norm of vectors."""
