"""The linear algebra extension of the standard."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import tensorflow as tf

from multimlp.backends.tensorflow import _determinants
from multimlp.backends.tensorflow._dtypes import (
    COMPLEX_FLOATING,
    FLOATING,
    HALF,
    NUMERIC,
    DType,
    Tensor,
    finfo,
    float32,
    float64,
    int64,
    require,
    result_type,
)
from multimlp.backends.tensorflow._linear_algebra import matmul, operands, tensordot, vecdot
from multimlp.backends.tensorflow._manipulation import matrix_transpose, moveaxis
from multimlp.backends.tensorflow._shapes import Axes, broadcast_batch, dims, one_axis, static_shape
from multimlp.backends.tensorflow._statistics import sum as _sum
from multimlp.backends.tensorflow._tracing import is_for_xla
from multimlp.errors import InputError, ShapeError

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

_SOLVABLE = frozenset({float32, float64}) | COMPLEX_FLOATING


class EighResult(NamedTuple):
    """What ``eigh`` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class QRResult(NamedTuple):
    """What ``qr`` returns."""

    Q: Tensor
    R: Tensor


class SlogdetResult(NamedTuple):
    """What ``slogdet`` returns."""

    sign: Tensor
    logabsdet: Tensor


class SVDResult(NamedTuple):
    """What ``svd`` returns."""

    U: Tensor
    S: Tensor
    Vh: Tensor


def _matrices(name: str, x: Tensor, allowed: frozenset[DType] = _SOLVABLE, square: bool = False) -> None:
    require(name, result_type(x), allowed)
    shape = static_shape(x)
    if len(shape) < 2 or (square and None not in shape[-2:] and shape[-2] != shape[-1]):
        expected = "square matrices (..., n, n)" if square else "matrices (..., n, m)"
        raise ShapeError(f"{name}: expected {expected}, got shape {shape}")


def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """L with x = L L^H, or its conjugate transpose if ``upper``; only the lower triangle of ``x`` is read."""
    _matrices("cholesky", x, square=True)
    lower = tf.linalg.cholesky(x)
    return tf.linalg.adjoint(lower) if upper else lower


def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Vector product of vectors of 3 elements along ``axis``; the other axes broadcast."""
    x1, x2 = operands("cross", x1, x2)
    parts = []
    for x in (x1, x2):
        place = one_axis("cross", axis, len(x.shape))
        if x.shape[place] != 3:
            raise ShapeError(f"cross: expected 3 elements along axis {axis}, got shape {static_shape(x)}")
        parts.append(tf.unstack(x, 3, place))
    (a, b, c), (u, v, w) = parts
    product = tf.stack([b * w - c * v, c * u - a * w, a * v - b * u], -1)
    return moveaxis(product, -1, axis)


def det(x: Tensor, /) -> Tensor:
    """Determinants; of a singular matrix the derivative, its cofactors, is NaN, for it would be 0 under XLA and fail eagerly."""
    _matrices("det", x, square=True)
    found = _determinants.det(x) if is_for_xla() else tf.linalg.det(x)
    singular = tf.where(found == 0, found, tf.ones_like(found))  # no square of a small one, which would be 0
    return tf.where(found == 0, tf.sqrt(singular * singular), found)


def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """The diagonals: above the main one for ``offset > 0``, below for ``offset < 0``."""
    if len(x.shape) < 2:
        raise ShapeError(f"diagonal: expected at least 2 dimensions, got shape {static_shape(x)}")
    *batch, rows, columns = dims(x)
    down, right = max(-offset, 0), max(offset, 0)
    length = tf.maximum(tf.minimum(rows - down, columns - right), 0)
    step = tf.range(length)
    flat = tf.reshape(x, (*batch, rows * columns))
    out = tf.gather(flat, (step + down) * columns + step + right, axis=-1)
    known = x.shape[-2:].is_fully_defined()
    if known:
        out = tf.ensure_shape(out, (*x.shape[:-2], max(min(rows - down, columns - right), 0)))
    return out


def eigh(x: Tensor, /) -> EighResult:
    """Ascending eigenvalues, and eigenvectors, of Hermitian matrices; the lower triangle is read."""
    _matrices("eigh", x, square=True)
    values, vectors = tf.linalg.eigh(x)
    return EighResult(tf.math.real(values), vectors)


def eigvalsh(x: Tensor, /) -> Tensor:
    """Ascending eigenvalues of Hermitian matrices, of which the lower triangle is read."""
    _matrices("eigvalsh", x, square=True)
    return tf.math.real(tf.linalg.eigvalsh(x))


def inv(x: Tensor, /) -> Tensor:
    """Inverse matrices."""
    _matrices("inv", x, square=True)
    return tf.linalg.inv(x)


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """Norms of matrices: "fro", "nuc", 1, -1, 2, -2, inf or -inf."""
    _matrices("matrix_norm", x, FLOATING)
    if ord == "fro" or ord is None:
        norm = tf.sqrt(tf.reduce_sum(tf.square(tf.abs(x)), (-2, -1)))
    elif ord in ("nuc", 2, -2):
        reduce = {"nuc": tf.reduce_sum, 2: tf.reduce_max, -2: tf.reduce_min}[ord]
        norm = reduce(svdvals(x), -1)
    elif ord in (1, -1, math.inf, -math.inf):
        reduce = tf.reduce_max if ord > 0 else tf.reduce_min
        norm = reduce(tf.reduce_sum(tf.abs(x), -2 if ord in (1, -1) else -1), -1)
    else:
        raise InputError(f"matrix_norm: ord must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}")
    return norm[..., None, None] if keepdims else norm


def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """``x`` multiplied with itself ``n`` times; negative powers are those of the inverse."""
    _matrices("matrix_power", x, NUMERIC if n >= 0 else _SOLVABLE, square=True)
    if n < 0:
        x, n = tf.linalg.inv(x), -n
    out = None
    while n:
        if n & 1:
            out = x if out is None else matmul(out, x)
        n >>= 1
        if n:
            x = matmul(x, x)
    return tf.zeros_like(x) + tf.eye(dims(x)[-1], dtype=x.dtype) if out is None else out


def _cutoff(x: Tensor, singular_values: Tensor, rtol: float | Tensor | None) -> Tensor:
    """The singular value from which on one counts."""
    if rtol is None:
        size = tf.maximum(*dims(x)[-2:])
        rtol = tf.cast(size, singular_values.dtype) * finfo(x.dtype).eps
    return tf.reduce_max(singular_values, -1, keepdims=True) * tf.cast(rtol, singular_values.dtype)[..., None]


def matrix_rank(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """How many singular values exceed ``rtol``, by default max(n, m) eps, times the largest."""
    _matrices("matrix_rank", x)
    s = svdvals(x)
    return tf.reduce_sum(tf.cast(s > _cutoff(x, s, rtol), int64), -1)


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Products of all pairs of elements of two 1-d arrays."""
    x1, x2 = operands("outer", x1, x2)
    if len(x1.shape) != 1 or len(x2.shape) != 1:
        raise ShapeError(f"outer: expected 1-d arrays, got shapes {static_shape(x1)} and {static_shape(x2)}")
    return x1[:, None] * x2[None, :]


def pinv(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """Moore-Penrose inverses.

    Singular values up to ``rtol``, by default max(n, m) eps, times the largest count as 0.
    """
    _matrices("pinv", x)
    s, u, v = tf.linalg.svd(x)
    counts = s > _cutoff(x, s, rtol)
    inverse = tf.where(counts, 1 / tf.where(counts, s, tf.ones_like(s)), tf.zeros_like(s))
    return tf.matmul(v * tf.cast(inverse, v.dtype)[..., None, :], u, adjoint_b=True)


def qr(x: Tensor, /, *, mode: str = "reduced") -> QRResult:
    """Q with orthonormal columns and upper triangular R, with x = Q R."""
    _matrices("qr", x)
    if mode not in ("reduced", "complete"):
        raise InputError(f"qr: mode must be 'reduced' or 'complete', got {mode!r}")
    return QRResult(*tf.linalg.qr(x, full_matrices=mode == "complete"))


def slogdet(x: Tensor, /) -> SlogdetResult:
    """Sign and logarithm of the absolute value of determinants."""
    _matrices("slogdet", x, square=True)
    sign, logarithm = _determinants.slogdet(x) if is_for_xla() else tf.linalg.slogdet(x)
    return SlogdetResult(sign, tf.math.real(logarithm))


def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Solutions of x1 @ solution = x2, a vector or of shape (..., n, k); leading axes broadcast."""
    x1, x2 = operands("solve", x1, x2)
    _matrices("solve", x1, square=True)
    is_vector = len(x2.shape) == 1
    right = x2[:, None] if is_vector else x2
    _matrices("solve: x2", right)
    if x1.shape[-1] != right.shape[-2] and None not in (x1.shape[-1], right.shape[-2]):
        raise ShapeError(f"solve: shapes {static_shape(x1)} and {static_shape(x2)} do not fit")
    if len(x1.shape) != 2 or len(right.shape) != 2:
        x1, right = broadcast_batch(x1, right, but_last=2)
    out = tf.linalg.solve(x1, right)
    return out[..., 0] if is_vector else out


def svd(x: Tensor, /, *, full_matrices: bool = True) -> SVDResult:
    """U, the singular values in descending order, and V^H, with x = U S V^H."""
    _matrices("svd", x)
    s, u, v = tf.linalg.svd(x, full_matrices=full_matrices)
    return SVDResult(u, s, tf.linalg.adjoint(v))


def svdvals(x: Tensor, /) -> Tensor:
    """Singular values in descending order."""
    _matrices("svdvals", x)
    return tf.linalg.svd(x, compute_uv=False)


def trace(x: Tensor, /, *, offset: int = 0, dtype: DType | None = None) -> Tensor:
    """Sums of the diagonals; integers are summed in 64 bits."""
    return _sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(x: Tensor, /, *, axis: Axes = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """Norms of vectors along the axes, of any order; 0 counts what is not 0, inf takes the largest. Of 16 bits in single precision."""
    require("vector_norm", result_type(x), FLOATING)
    if x.dtype in HALF:
        wide = tf.cast(x, tf.float32)
        return tf.cast(vector_norm(wide, axis=axis, keepdims=keepdims, ord=ord), x.dtype)
    size = tf.abs(x)
    if ord in (math.inf, -math.inf):
        return (tf.reduce_max if ord > 0 else tf.reduce_min)(size, axis, keepdims)
    if ord == 0:
        return tf.reduce_sum(tf.cast(tf.not_equal(size, 0), size.dtype), axis, keepdims)
    if ord == 1:
        return tf.reduce_sum(size, axis, keepdims)
    if ord == 2:
        return tf.sqrt(tf.reduce_sum(tf.square(size), axis, keepdims))
    return tf.reduce_sum(size**ord, axis, keepdims) ** (1 / ord)
