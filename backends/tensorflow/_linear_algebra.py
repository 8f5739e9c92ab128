"""Products of matrices: the linear algebra that is not in the extension."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import tensorflow as tf
from tensorflow import raw_ops as raw

from multimlp.backends.tensorflow._dtypes import (
    COMPLEX_FLOATING,
    INTEGRAL,
    NUMERIC,
    Tensor,
    int32,
    int64,
)
from multimlp.backends.tensorflow._functions import matched
from multimlp.backends.tensorflow._manipulation import moveaxis
from multimlp.backends.tensorflow._shapes import dims, one_axis, static_shape
from multimlp.errors import ShapeError

__all__ = ["matmul", "tensordot", "vecdot"]

_NO_KERNEL = INTEGRAL - {int32, int64}


def operands(name: str, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    """Two arrays of one numeric dtype."""
    if getattr(x1, "dtype", None) is not getattr(x2, "dtype", None) or x1.dtype not in NUMERIC:
        x1, x2 = matched(name, NUMERIC, x1, x2)
    return x1, x2


def _in_kernel_dtype(product: Callable[[Tensor, Tensor], Tensor], x1: Tensor, x2: Tensor) -> Tensor:
    """Small and unsigned integers are multiplied as int64, which has the same residues."""
    if x1.dtype in _NO_KERNEL:
        return tf.cast(product(tf.cast(x1, int64), tf.cast(x2, int64)), x1.dtype)
    return product(x1, x2)


def _check(name: str, x1: Tensor, x2: Tensor, contracted1: int | None, contracted2: int | None) -> None:
    if contracted1 != contracted2 and contracted1 is not None and contracted2 is not None:
        raise ShapeError(
            f"{name}: the contracted axes differ in length: shapes {static_shape(x1)} and {static_shape(x2)}"
        )


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Matrix product; 1-d operands are vectors, and further axes in front broadcast.

    Parameters
    ----------
    x1, x2
        Arrays of numbers, of shapes (..., n, k) or (k,) and (..., k, m) or (k,).

    Returns
    -------
    Tensor
        Of shape (..., n, m), without n or m for a 1-d operand.

    Raises
    ------
    ShapeError
        An operand has no dimensions, or the contracted axes differ in length.
    """
    x1, x2 = operands("matmul", x1, x2)
    ndim1, ndim2 = len(x1.shape), len(x2.shape)
    if not (ndim1 and ndim2):
        raise ShapeError(
            f"matmul: expected at least 1 dimension, got shapes {static_shape(x1)} and {static_shape(x2)}"
        )
    _check("matmul", x1, x2, x1.shape[-1], x2.shape[-2 if ndim2 > 1 else 0])
    return _in_kernel_dtype(_matmul, x1, x2)


def _matmul(x1: Tensor, x2: Tensor) -> Tensor:
    ndim1, ndim2 = len(x1.shape), len(x2.shape)
    if ndim1 == 2 and ndim2 == 2:
        return raw.MatMul(a=x1, b=x2)
    if ndim1 == 1:
        return tf.squeeze(_matmul(tf.expand_dims(x1, 0), x2), 0 if ndim2 == 1 else -2)
    if ndim2 == 1:
        return tf.squeeze(_matmul(x1, tf.expand_dims(x2, 1)), -1)
    if ndim2 == 2:  # one large product, whose derivative needs no sum over a batch of matrices
        *batch, inner = dims(x1)
        rows = tf.reshape(x1, (math.prod(batch), inner))
        return tf.reshape(raw.MatMul(a=rows, b=x2), (*batch, dims(x2)[1]))
    return raw.BatchMatMulV2(x=x1, y=x2)


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor:
    """Sum of products over pairs of axes; a number takes the last of ``x1`` and the first of ``x2``."""
    x1, x2 = operands("tensordot", x1, x2)
    ndim1, ndim2 = len(x1.shape), len(x2.shape)
    if isinstance(axes, int):
        first, second = list(range(ndim1 - axes, ndim1)), list(range(axes))
    else:
        first = [one_axis("tensordot", axis, ndim1) for axis in axes[0]]
        second = [one_axis("tensordot", axis, ndim2) for axis in axes[1]]
    for axis1, axis2 in zip(first, second, strict=True):
        _check("tensordot", x1, x2, x1.shape[axis1], x2.shape[axis2])
    return _in_kernel_dtype(lambda a, b: tf.tensordot(a, b, (first, second)), x1, x2)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Sum of conj(x1) * x2 over one axis; the others broadcast."""
    x1, x2 = operands("vecdot", x1, x2)
    place1, place2 = one_axis("vecdot", axis, len(x1.shape)), one_axis("vecdot", axis, len(x2.shape))
    _check("vecdot", x1, x2, x1.shape[place1], x2.shape[place2])
    x1, x2 = moveaxis(x1, place1, -1), moveaxis(x2, place2, -1)
    return tf.reduce_sum((tf.math.conj(x1) if x1.dtype in COMPLEX_FLOATING else x1) * x2, -1)
