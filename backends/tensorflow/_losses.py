"""Losses of eager tensors on the CPU in as few operations as TensorFlow has for them: each one costs a pass over memory.

Values are recorded with the derivative in closed form, of few operations again where nobody differentiates it, else the portable one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import forwardprop_util, record

from multimlp.backend import OPS, Array
from multimlp.backends.tensorflow._activations import clip, for_eager_tensors, has_nan, number, plus, times

_raw = tf.raw_ops


class Closed(NamedTuple):
    """The losses of single outputs and their derivatives; a loss is the mean over the outputs."""

    terms: Callable[..., Array]
    slope: Callable[..., Array]
    has_limits: bool = False
    """Whether infinite outputs make a product of infinity and zero, whose limit the portable body knows."""


# ---- formulas --------------------------------------------------------------------------------------------------------


def _huber(o: Array, t: Array, delta: float = 1.0) -> Array:
    """c (|r| - c / 2) with c = min(|r|, delta)"""
    size = _raw.Abs(x=o - t)
    bounded = _raw.Minimum(x=size, y=number(delta, o.dtype))
    return bounded * (size - times(bounded, 0.5))


def _huber_slope(o: Array, t: Array, delta: float = 1.0) -> Array:
    return clip(o - t, -delta, delta)


def _step(x: Array) -> Array:
    """1 where x > 0, else 0."""
    return _raw.Cast(x=_raw.Greater(x=x, y=number(0.0, x.dtype)), DstT=x.dtype)


def _binary(o: Array, t: Array) -> Array:
    """o (h - t) + log(1 + exp(-|o|)) with h = 1 where o > 0, else 0"""
    rest = _raw.Log1p(x=_raw.Exp(x=_raw.Neg(x=_raw.Abs(x=o))))
    return o * (_step(o) - t) + rest


def _signs(t: Array) -> Array:
    """1 where t > 0, else -1."""
    return plus(times(_step(t), 2.0), -1.0)


def _hinge(o: Array, t: Array) -> Array:
    return _raw.Relu(features=number(1.0, o.dtype) - _signs(t) * o)


def _hinge_slope(o: Array, t: Array) -> Array:
    signs = _signs(t)
    kept = _raw.LessEqual(x=number(1.0, o.dtype) - signs * o, y=number(0.0, o.dtype))
    return signs * plus(_raw.Cast(x=kept, DstT=o.dtype), -1.0)


CLOSED = {
    "mean_squared_error": Closed(tf.math.squared_difference, lambda o, t: times(o - t, 2.0)),
    "mean_absolute_error": Closed(lambda o, t: _raw.Abs(x=o - t), lambda o, t: _raw.Sign(x=o - t)),
    "huber_loss": Closed(_huber, _huber_slope),
    "poisson_loss": Closed(lambda o, t: _raw.Exp(x=o) - o * t, lambda o, t: _raw.Exp(x=o) - t, True),
    "sigmoid_cross_entropy": Closed(_binary, lambda o, t: _raw.Sigmoid(x=o) - t, True),
    "hinge_loss": Closed(_hinge, _hinge_slope),
}
"""By operation."""


# ---- how they run ----------------------------------------------------------------------------------------------------


def _fitting(outputs: Array, targets: Array) -> Array | None:
    """The targets in the outputs' shape and dtype; None if they do not fit as they usually do, or are differentiated."""
    if targets.shape.rank == 1 and outputs.shape.rank == 2 and outputs.shape[1] == 1:
        targets = tf.expand_dims(targets, -1)
    if targets.shape != outputs.shape or targets.dtype.is_complex:
        return None
    if record.should_record_backprop([targets]) or forwardprop_util.pack_tangents([targets]).tangents:
        return None
    return tf.cast(targets, outputs.dtype)


def _kernel(name: str, closed: Closed) -> Callable[..., Array]:
    terms, slope, has_limits = closed

    def kernel(outputs: Array, targets: Array, *args: Any, **options: Any) -> Array:
        are_numbers = all(isinstance(option, (int, float)) for option in options.values())
        if args or not are_numbers or outputs.shape.rank < 2:
            return NotImplemented
        fitting = _fitting(outputs, targets)
        if fitting is None:
            return NotImplemented
        with record.stop_recording():
            values = _raw.Mean(input=terms(outputs, fitting, **options), axis=number(-1, tf.int32))
        if has_limits and has_nan(values):
            return NotImplemented
        if not record.could_possibly_record():
            return values

        def pullback(g: Array) -> list[Array]:
            if not tf.executing_eagerly() or record.could_possibly_record():
                gradient = OPS[f"{name}_gradient"].portable(outputs, fitting, **options)
                return [tf.expand_dims(g, -1) * gradient]
            return [slope(outputs, fitting, **options) * _shares(g, outputs.shape[-1])]

        record.record_operation(name, [values], [outputs], pullback)
        return values

    return kernel


def _shares(g: Array, count: int) -> Array:
    """The cotangent of each output: one number where all examples have the same, as in a mean over them, which is four times as fast."""
    seen = np.asarray(memoryview(g))
    if seen.size and seen.min() == seen.max():
        return tf.constant(seen.flat[0] / count, g.dtype)
    return tf.expand_dims(times(g, 1 / count), -1)


def _cross_entropy(
    outputs: Array, targets: Array, label_smoothing: float = 0.0, class_weights: Any = None
) -> Array:
    usual = outputs.shape.rank == 2 and targets.shape.rank == 1 and targets.shape[0] == outputs.shape[0]
    if not usual or label_smoothing or class_weights is not None or targets.dtype not in (tf.int32, tf.int64):
        return NotImplemented
    return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)


def kernels() -> dict[str, Callable[..., Array]]:
    """By operation."""
    found = {name: _kernel(name, closed) for name, closed in CLOSED.items()}
    return {
        name: for_eager_tensors(function)
        for name, function in {**found, "softmax_cross_entropy": _cross_entropy}.items()
    }
