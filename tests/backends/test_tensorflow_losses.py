"""Losses of TensorFlow's eager tensors: few operations agree with the portable bodies, to the second derivative."""

from __future__ import annotations

import math

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from multimlp import losses  # noqa: E402
from multimlp.backend import OPS  # noqa: E402
from multimlp.backends.tensorflow._losses import CLOSED  # noqa: E402

BY_NAME = {
    "mean_squared_error": losses.mse,
    "mean_absolute_error": losses.mae,
    "huber_loss": losses.huber,
    "poisson_loss": losses.poisson,
    "sigmoid_cross_entropy": losses.binary_cross_entropy,
    "hinge_loss": losses.hinge,
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


def test_every_closed_form_has_its_loss():
    assert set(BY_NAME) == set(CLOSED)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(5, 3), (7, 1), (2, 4, 3), (0, 3)], ids=str)
@pytest.mark.parametrize("name", BY_NAME)
def test_gradients_in_closed_form(name, shape, dtype):
    """Where nothing else is recorded, for cotangents of one number and of many."""
    random = np.random.default_rng(1)
    outputs = tf.constant(3 * random.standard_normal(shape), dtype)
    targets = tf.constant(random.random(shape) > 0.5, dtype)
    expected = OPS[f"{name}_gradient"].portable(outputs, targets).numpy()
    many = random.standard_normal(shape[:-1])
    for cotangent in (
        many,
        np.full(shape[:-1], 0.25),
        np.full(shape[:-1], math.inf),
        np.full(shape[:-1], math.nan),
    ):
        given = tf.constant(cotangent, dtype)
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            value = BY_NAME[name](outputs, targets)
        with np.errstate(invalid="ignore"):
            close(tape.gradient(value, outputs, given).numpy(), given.numpy()[..., None] * expected)


@pytest.mark.parametrize("name", BY_NAME)
def test_forward_derivatives_jacobians_and_graphs(name):
    random = np.random.default_rng(2)
    outputs = tf.constant(random.standard_normal((4, 3)))
    targets = tf.constant(random.random((4, 3)))

    def forward(function):
        with tf.autodiff.ForwardAccumulator(outputs, outputs / 2) as accumulator:
            y = function(outputs, targets)
        return accumulator.jvp(y)

    def jacobian(function):
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            y = function(outputs, targets)
        return tape.jacobian(y, outputs)

    def of_targets(function):
        with tf.GradientTape() as tape:
            tape.watch(targets)
            y = function(outputs, targets)
        return tape.gradient(y, targets)

    def forward_in_targets(function):
        with tf.autodiff.ForwardAccumulator(targets, targets / 2) as accumulator:
            y = function(outputs, targets)
        return accumulator.jvp(y)

    def in_a_graph(function):
        return jacobian(tf.function(lambda o, t: function(o, t)))

    for program in (forward, jacobian, of_targets, forward_in_targets, in_a_graph):
        found, expected = map(program, (BY_NAME[name], OPS[name].portable))
        assert (found is None) == (expected is None), program
        if found is not None:
            close(found.numpy(), expected.numpy())


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
