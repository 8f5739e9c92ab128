"""Losses of TensorFlow's eager tensors: few operations agree with the portable bodies, to the second derivative."""

from __future__ import annotations

import math

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from multimlp import losses  # noqa: E402
from multimlp.backend import OPS  # noqa: E402

BY_NAME = {
    "mean_squared_error": losses.mse,
    "mean_absolute_error": losses.mae,
    "poisson_loss": losses.poisson,
}


def differentiated(function, outputs, targets):
    with tf.GradientTape() as outer:
        outer.watch(outputs)
        with tf.GradientTape() as inner:
            inner.watch(outputs)
            value = function(outputs, targets)
        slope = inner.gradient(value, outputs)
    second = outer.gradient(slope, outputs, unconnected_gradients="zero")
    return [found.numpy() for found in (value, slope, second)]


def close(found, expected):
    bound = 20 * np.finfo(expected.dtype).eps
    np.testing.assert_allclose(found, expected, rtol=bound, atol=bound)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(5, 3), (7, 1), (2, 4, 3), (0, 3)], ids=str)
@pytest.mark.parametrize("name", BY_NAME)
def test_values_and_derivatives_are_those_of_the_portable_body(name, shape, dtype):
    random = np.random.default_rng(0)
    outputs = tf.constant(3 * random.standard_normal(shape), dtype)
    targets = tf.constant(random.random(shape) > 0.5, dtype)
    pairs = [differentiated(function, outputs, targets) for function in (BY_NAME[name], OPS[name].portable)]
    for found, expected in zip(*pairs, strict=True):
        close(found, expected)


@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("output", [math.inf, -math.inf, math.nan, 0.0, -0.0])
@pytest.mark.parametrize("name", BY_NAME)
def test_limits(name, output, target):
    outputs, targets = tf.constant([[output]]), tf.constant([[target]])
    close(BY_NAME[name](outputs, targets).numpy(), OPS[name].portable(outputs, targets).numpy())
    _, slope, _ = differentiated(BY_NAME[name], outputs, targets)
    close(slope, OPS[f"{name}_gradient"].portable(outputs, targets).numpy())


@pytest.mark.parametrize("name", BY_NAME)
def test_targets_as_they_come(name):
    outputs = tf.constant([[0.5], [-1.0], [2.0]])
    expected = OPS[name].portable(outputs, tf.constant([[0.0], [1.0], [1.0]])).numpy()
    for targets in ([0, 1, 1], [False, True, True], np.asarray([[0.0], [1.0], [1.0]])):
        close(BY_NAME[name](outputs, tf.constant(targets)).numpy(), expected)
