"""Determinants by elimination with row exchanges, for XLA, which has no kernel for them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from multimlp.backends.tensorflow._dtypes import Tensor


def _pivots(a: Tensor) -> tuple[Tensor, Tensor]:
    """The sign of the row exchanges, shape (...), and the pivots of Gaussian elimination, shape (..., n)."""
    n = a.shape[-1]
    rows = tf.range(n)
    zero, one = tf.zeros((), a.dtype), tf.ones((), a.dtype)

    def eliminate(k: Tensor, a: Tensor, sign: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        column = tf.gather(a, k, axis=-1)
        size = tf.where(rows >= k, tf.abs(column), -tf.ones((), a.dtype.real_dtype))
        largest = tf.argmax(size, axis=-1, output_type=tf.int32)[..., tf.newaxis]
        is_k, is_largest = rows == k, rows == largest
        row = tf.reduce_sum(tf.where(is_largest[..., tf.newaxis], a, zero), axis=-2)
        other = tf.gather(a, k, axis=-2)
        a = tf.where(is_largest[..., tf.newaxis], other[..., tf.newaxis, :], a)
        a = tf.where(is_k[:, tf.newaxis], row[..., tf.newaxis, :], a)
        sign = tf.where(largest[..., 0] == k, sign, -sign)
        pivot = tf.gather(row, k, axis=-1)[..., tf.newaxis]
        factor = tf.where((rows > k) & (pivot != zero), tf.gather(a, k, axis=-1), zero)
        factor = factor / tf.where(pivot == zero, one, pivot)
        return k + 1, a - factor[..., tf.newaxis] * row[..., tf.newaxis, :], sign

    start = (tf.constant(0), a, tf.ones(tf.shape(a)[:-2], a.dtype))
    _, eliminated, sign = tf.while_loop(lambda k, *_: k < n, eliminate, start, maximum_iterations=n)
    return sign, tf.linalg.diag_part(eliminated)


@tf.custom_gradient
def det(a: Tensor) -> Any:
    """The determinants of square matrices (..., n, n)."""
    sign, pivots = _pivots(a)
    value = sign * tf.reduce_prod(pivots, axis=-1)

    def gradient(g: Tensor) -> Tensor:
        scale = g * tf.math.conj(det(a))
        return scale[..., tf.newaxis, tf.newaxis] * tf.linalg.inv(a, adjoint=True)

    return value, gradient


@tf.custom_gradient
def _log_abs_det(a: Tensor) -> Any:
    _, pivots = _pivots(a)
    value = tf.reduce_sum(tf.math.log(tf.abs(pivots)), axis=-1)

    def gradient(g: Tensor) -> Tensor:
        return tf.cast(g, a.dtype)[..., tf.newaxis, tf.newaxis] * tf.linalg.inv(a, adjoint=True)

    return value, gradient


def slogdet(a: Tensor) -> tuple[Tensor, Tensor]:
    """Sign and logarithm of the absolute value of determinants; the sign is a constant to every derivative."""
    sign, pivots = _pivots(tf.stop_gradient(a))
    return sign * tf.reduce_prod(tf.math.sign(pivots), axis=-1), _log_abs_det(a)
