"""The linear algebra of the standard: MLX's, which computes decompositions on the CPU, and what it lacks."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np

from multimlp.backend import Array
from multimlp.backends._decompositions import QR, SVD, Eigh, Slogdet
from multimlp.backends.mlx._functions import HALF
from multimlp.backends.mlx._functions import tensordot as tensordot
from multimlp.backends.mlx._functions import vecdot as vecdot
from multimlp.backends.mlx._mapped import in_front

matmul, matrix_transpose = mx.matmul, mx.matrix_transpose
outer, cross = mx.outer, mx.linalg.cross


def _on_cpu(function: Any) -> Any:
    def compute(*args: Any, **options: Any) -> Any:
        return function(*args, **options, stream=mx.cpu)

    return compute


det, inv, pinv, eigvalsh = map(_on_cpu, (mx.linalg.det, mx.linalg.inv, mx.linalg.pinv, mx.linalg.eigvalsh))


def solve(x1: Array, x2: Array, /) -> Array:
    """Stacks go together as in the standard; MLX wants as many of both."""
    if x2.ndim == 1:
        return solve(x1, mx.expand_dims(x2, 1))[..., 0]
    stack = np.broadcast_shapes(tuple(x1.shape[:-2]), tuple(x2.shape[:-2]))
    a, b = (mx.broadcast_to(x, (*stack, *x.shape[-2:])) for x in (x1, x2))
    found: Array = _solved(a, b)
    return found


_solved: Any = mx.custom_function(lambda a, b: mx.linalg.solve(a, b, stream=mx.cpu))
"""With reverse derivatives of our own: MLX has them in the sides alone.

Forward mode in the matrix is refused, for want of a rule of the factors in MLX.
"""


def _pulled(primals: Any, cotangent: Any, output: Any) -> Any:
    a, b = primals
    g = _solved(mx.swapaxes(a, -1, -2), cotangent)
    return -mx.matmul(g, mx.swapaxes(_solved(a, b), -1, -2)), g


def _mapped(inputs: Any, axes: Any) -> Any:
    return solve(*in_front(inputs, axes)), 0


_solved.vjp(_pulled)
_solved.vmap(_mapped)


def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    return mx.linalg.cholesky(x, upper=upper, stream=mx.cpu)


def eigh(x: Array, /) -> Eigh:
    return Eigh(*mx.linalg.eigh(x, stream=mx.cpu))


def qr(x: Array, /, *, mode: str = "reduced") -> QR:
    if mode != "reduced":
        raise NotImplementedError("qr: MLX has mode='reduced' alone")
    return QR(*mx.linalg.qr(x, stream=mx.cpu))


def slogdet(x: Array, /) -> Slogdet:
    return Slogdet(*mx.linalg.slogdet(x, stream=mx.cpu))


def svd(x: Array, /, *, full_matrices: bool = True) -> SVD:
    U, S, Vh = mx.linalg.svd(x, stream=mx.cpu)
    k = S.shape[-1]
    return SVD(U, S, Vh) if full_matrices else SVD(U[..., :k], S, Vh[..., :k, :])


def svdvals(x: Array, /) -> Array:
    return mx.linalg.svd(x, compute_uv=False, stream=mx.cpu)


def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    return mx.diagonal(x, offset=offset, axis1=-2, axis2=-1)


def trace(x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    found = diagonal(x, offset=offset)
    return mx.sum(found if dtype is None else found.astype(dtype), axis=-1)


def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    if ord in (2, -2, "nuc"):
        singular = svdvals(x)
        found = {2: mx.max, -2: mx.min, "nuc": mx.sum}[ord](singular, axis=-1)
        return mx.expand_dims(found, (-2, -1)) if keepdims else found
    return mx.linalg.norm(x, ord=ord, axis=[-2, -1], keepdims=keepdims)


def vector_norm(x: Array, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Array:
    """Of 16 bits in single precision, since the sum of squares may be infinite."""
    if x.dtype in HALF:
        wide = x.astype(mx.float32)
        return vector_norm(wide, axis=axis, keepdims=keepdims, ord=ord).astype(x.dtype)
    magnitude = mx.abs(x)
    if ord in (float("inf"), -float("inf")):
        return (mx.max if ord > 0 else mx.min)(magnitude, axis=axis, keepdims=keepdims)
    if ord == 0:
        return mx.sum((x != 0).astype(magnitude.dtype), axis=axis, keepdims=keepdims)
    if ord == 1:
        return mx.sum(magnitude, axis=axis, keepdims=keepdims)
    if ord == 2:
        return mx.sqrt(mx.sum(magnitude * magnitude, axis=axis, keepdims=keepdims))
    return mx.power(mx.sum(mx.power(magnitude, ord), axis=axis, keepdims=keepdims), 1 / ord)


def matrix_power(x: Array, n: int, /) -> Array:
    if n < 0:
        return matrix_power(inv(x), -n)
    found = mx.broadcast_to(mx.eye(x.shape[-1], dtype=x.dtype), x.shape)
    while n:
        found, x, n = (mx.matmul(found, x) if n % 2 else found), mx.matmul(x, x), n // 2
    return found


def matrix_rank(x: Array, /, *, rtol: Any = None) -> Array:
    singular = svdvals(x)
    eps = mx.finfo(x.dtype).eps
    bound = mx.max(singular, axis=-1, keepdims=True) * (max(x.shape[-2:]) * eps if rtol is None else rtol)
    return mx.sum(singular > bound, axis=-1).astype(mx.int64)
