"""The linear algebra of the standard, by Paddle's, which computes on LAPACK."""

from __future__ import annotations

from typing import Any

import paddle

from multimlp.backends._decompositions import QR, SVD, Eigh, Slogdet
from multimlp.backends.paddle._creation import eye
from multimlp.backends.paddle._dtypes import Array, finfo, kind_of, operands
from multimlp.backends.paddle._elementwise import not_equal, pow, sqrt
from multimlp.backends.paddle._manipulation import broadcast_to, expand_dims, matrix_transpose
from multimlp.backends.paddle._statistics import max, min, sum

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power", "matrix_rank",
    "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip


def matmul(x1: Array, x2: Array, /) -> Array:
    """Small integers in 64 bits, from where they wrap as they should."""
    a, b = operands(x1, x2)
    if kind_of(a.dtype) in "fc" or a.dtype in (paddle.int32, paddle.int64):
        return paddle.matmul(a, b)
    return paddle.matmul(a.astype("int64"), b.astype("int64")).astype(a.dtype)


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    a, b = operands(x1, x2)
    return paddle.sum((paddle.conj(a) if kind_of(a.dtype) == "c" else a) * b, axis=axis, dtype=a.dtype)


def tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    a, b = operands(x1, x2)
    return paddle.tensordot(a, b, axes if isinstance(axes, int) else [list(part) for part in axes])


def outer(x1: Array, x2: Array, /) -> Array:
    a, b = operands(x1, x2)
    return expand_dims(a, axis=-1) * b


def cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    return paddle.cross(*operands(x1, x2), axis=axis)


det, inv, eigvalsh = paddle.linalg.det, paddle.linalg.inv, paddle.linalg.eigvalsh


def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    return paddle.linalg.cholesky(x, upper=upper)


def solve(x1: Array, x2: Array, /) -> Array:
    a, b = operands(x1, x2)
    return (
        paddle.linalg.solve(a, expand_dims(b, axis=-1))[..., 0] if b.ndim == 1 else paddle.linalg.solve(a, b)
    )


def eigh(x: Array, /) -> Eigh:
    return Eigh(*paddle.linalg.eigh(x))


def qr(x: Array, /, *, mode: str = "reduced") -> QR:
    return QR(*paddle.linalg.qr(x, mode=mode))


def slogdet(x: Array, /) -> Slogdet:
    """Paddle stacks the two."""
    sign, logabsdet = paddle.unbind(paddle.linalg.slogdet(x), 0)
    return Slogdet(sign, logabsdet)


def svd(x: Array, /, *, full_matrices: bool = True) -> SVD:
    return SVD(*paddle.linalg.svd(x, full_matrices=full_matrices))


def svdvals(x: Array, /) -> Array:
    return svd(x, full_matrices=False).S


def pinv(x: Array, /, *, rtol: Any = None) -> Array:
    U, S, Vh = svd(x, full_matrices=False)
    kept = S > _bound(x, S, rtol)
    inverse = paddle.where(kept, 1 / paddle.where(kept, S, paddle.ones_like(S)), paddle.zeros_like(S))
    return matmul(matrix_transpose(paddle.conj(Vh)) * inverse.unsqueeze(-2), matrix_transpose(paddle.conj(U)))


def matrix_rank(x: Array, /, *, rtol: Any = None) -> Array:
    singular = svdvals(x)
    return sum(singular > _bound(x, singular, rtol), axis=-1)


def _bound(x: Array, singular: Array, rtol: Any) -> Array:
    relative = (
        finfo(singular.dtype).eps * (x.shape[-2] if x.shape[-2] > x.shape[-1] else x.shape[-1])
        if rtol is None
        else rtol
    )
    largest = max(singular, axis=-1, keepdims=True)
    return largest * (
        relative.unsqueeze(-1) if isinstance(relative, paddle.Tensor) and relative.ndim else relative
    )


def matrix_power(x: Array, n: int, /) -> Array:
    if n < 0:
        return matrix_power(inv(x), -n)
    found = broadcast_to(eye(x.shape[-1], dtype=x.dtype, device=x.place), x.shape)
    while n:
        found, x, n = (matmul(found, x) if n % 2 else found), matmul(x, x), n // 2
    return found


def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    return paddle.diagonal(x, offset, -2, -1)


def trace(x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    return sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    if ord in (2, -2, "nuc"):
        singular = svdvals(x)
        found = {2: max, -2: min, "nuc": sum}[ord](singular, axis=-1)
        return found.unsqueeze([-2, -1]) if keepdims else found
    if ord == "fro":
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    axis = -2 if ord in (1, -1) else -1
    totals = sum(paddle.abs(x), axis=axis, keepdims=True)
    return (max if ord > 0 else min)(totals, axis=(-2, -1), keepdims=keepdims)


def vector_norm(x: Array, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Array:
    size = paddle.abs(x)
    if ord in (float("inf"), -float("inf")):
        return (max if ord > 0 else min)(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        return sum(not_equal(x, 0).astype(size.dtype), axis=axis, keepdims=keepdims)
    if ord == 1:
        return sum(size, axis=axis, keepdims=keepdims)
    if ord == 2:
        return sqrt(sum(size * size, axis=axis, keepdims=keepdims))
    return pow(sum(pow(size, float(ord)), axis=axis, keepdims=keepdims), 1 / ord)
