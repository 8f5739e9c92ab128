"""Losses of eager tensors in as few operations as TensorFlow has for them, with its derivatives; each one costs a pass over memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from multimlp.backend import Array
from multimlp.backends.tensorflow._activations import for_eager_tensors


def _cross_entropy(
    outputs: Array, targets: Array, label_smoothing: float = 0.0, class_weights: Any = None
) -> Array:
    usual = outputs.shape.rank == 2 and targets.shape.rank == 1 and targets.shape[0] == outputs.shape[0]
    if not usual or label_smoothing or class_weights is not None or targets.dtype not in (tf.int32, tf.int64):
        return NotImplemented
    return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)


def _mean_of(terms: Callable[[Array, Array], Array], has_limits: bool = False) -> Callable[..., Array]:
    """The mean over the outputs; where infinite ones make a product of infinity and zero, the portable body knows its limit."""

    def kernel(outputs: Array, targets: Array, *args: Any, **options: Any) -> Array:
        if args or options or outputs.shape.rank < 2:
            return NotImplemented
        if targets.shape.rank == 1 and outputs.shape.rank == 2 and outputs.shape[1] == 1:
            targets = tf.expand_dims(targets, -1)
        if targets.shape != outputs.shape or targets.dtype.is_complex:
            return NotImplemented
        values = tf.reduce_mean(terms(outputs, tf.cast(targets, outputs.dtype)), -1)
        return NotImplemented if has_limits and tf.reduce_any(tf.math.is_nan(values)) else values

    return kernel


def kernels() -> dict[str, Callable[..., Array]]:
    """By operation."""
    found = {
        "softmax_cross_entropy": _cross_entropy,
        "mean_squared_error": _mean_of(tf.math.squared_difference),
        "mean_absolute_error": _mean_of(lambda o, t: tf.abs(o - t)),
        "poisson_loss": _mean_of(lambda o, t: tf.exp(o) - o * t, has_limits=True),
    }
    return {name: for_eager_tensors(function) for name, function in found.items()}
