"""The cross-entropy of eager tensors and labels by TensorFlow's own."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from multimlp.backend import Array
from multimlp.backends.tensorflow._activations import for_eager_tensors


@for_eager_tensors
def cross_entropy(
    outputs: Array, targets: Array, label_smoothing: float = 0.0, class_weights: Any = None
) -> Array:
    usual = outputs.shape.rank == 2 and targets.shape.rank == 1 and targets.shape[0] == outputs.shape[0]
    if not usual or label_smoothing or class_weights is not None or targets.dtype not in (tf.int32, tf.int64):
        return NotImplemented
    return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)
