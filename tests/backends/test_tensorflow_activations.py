"""Kernels of activations on TensorFlow: under tapes of every kind, accumulators and in graphs, against the portable bodies in float64."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from multimlp import activations  # noqa: E402
from multimlp.backend import load_backend  # noqa: E402
from multimlp.backends.tensorflow import _activations  # noqa: E402

load_backend("tensorflow")

CASES = [
    *((name, {}) for name in (*_activations.NATIVE, *_activations.RULES)),
    ("gelu", {"approximate": "tanh"}),
    ("elu", {"alpha": 0.5}),
    ("celu", {"alpha": 2.0}),
    ("celu", {"alpha": -2.0}),
    ("leaky_relu", {"negative_slope": 0.25}),
    ("leaky_relu", {"negative_slope": 2.0}),
]
every_case = pytest.mark.parametrize(
    ("name", "options"), CASES, ids=["-".join([n, *map(str, o.values())]) for n, o in CASES]
)


def equal(got, wanted):
    np.testing.assert_allclose(np.asarray(got), np.asarray(wanted), rtol=1e-13, atol=4e-15)


def slope(f, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x)


def nested(f, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        first = slope(f, x) ** 2
    second = tape.gradient(first, x)
    return tf.zeros_like(x) if second is None else second


def persistent(f, x):
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = f(x)
        z = f(y)
    return tape.gradient(y, x) + tape.gradient(z, x) + tape.gradient(z, y)


def forward(f, x):
    with tf.autodiff.ForwardAccumulator(x, x / 2) as accumulator:
        y = f(x)
    return accumulator.jvp(y)


def jacobian(f, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.jacobian(y, x)


EAGER = {
    "value": lambda f, x: f(x),
    "slope": slope,
    "nested": nested,
    "persistent": persistent,
    "forward": forward,
    "unwatched": lambda f, x: slope(lambda v: f(x) * v, x),
}
GRAPHS = {
    "jacobian": jacobian,
    "vectorised": lambda f, x: tf.vectorized_map(lambda row: slope(f, row), tf.reshape(x, (3, -1))),
    "a graph differentiated outside": lambda f, x: slope(tf.function(f), x),
    "inside a graph": lambda f, x: tf.function(lambda v: slope(f, v))(x),
}


@every_case
def test_derivatives(name, options):
    compare(EAGER, name, options)


@pytest.mark.parametrize("name", ["softplus", "relu", "silu"])
def test_in_graphs(name):
    compare(GRAPHS, name, {})


def compare(programs, name, options):
    operation = activations.get(name)
    x = tf.constant(np.random.default_rng(1).normal(0, 3, 21))
    for what, program in programs.items():
        got = program(lambda v: operation(v, **options), x)
        wanted = program(lambda v: operation.portable(v, **options), x)
        try:
            equal(got, wanted)
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from None


@every_case
def test_shapes_and_dtypes(name, options):
    operation = activations.get(name)
    x = np.random.default_rng(1).normal(0, 3, 24)
    for given in (x.reshape(2, 3, 4), x[3], x[:0], x[:0].reshape(0, 3)):
        got = operation(tf.constant(given), **options)
        assert got.shape == given.shape
        equal(got, operation.portable(tf.constant(given), **options))
        assert slope(lambda v: operation(v, **options), tf.constant(given)).shape == given.shape
    for dtype in (tf.float32, tf.float16, tf.bfloat16):
        got = operation(tf.constant(x, dtype), **options)
        assert got.dtype is dtype
        eps = float(np.finfo(np.float32).eps) if dtype is tf.float32 else 2**-7
        rounded = operation.portable(tf.cast(tf.constant(x, dtype), tf.float64), **options)
        np.testing.assert_allclose(tf.cast(got, tf.float64), rounded, rtol=4 * eps, atol=4 * eps)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "selu", "celu", "softsign", "mish"])
@pytest.mark.parametrize("special", [(), (np.nan,), (np.inf, -np.inf), (0.0, -0.0)], ids=str)
def test_derivatives_of_their_own_at_special_points(name, special):
    operation, slopes = activations.get(name), activations.derivative(name).portable
    x = np.random.default_rng(1).normal(0, 3, 21).astype(np.float32)
    x[: len(special)] = special
    given = tf.constant(x)
    np.testing.assert_allclose(operation(given), operation.portable(given), rtol=1e-5)
    np.testing.assert_allclose(slope(operation, given), slopes(given), rtol=1e-5)
    finite = np.isfinite(x)
    for what in ("nested", "vectorised", "a graph differentiated outside", "inside a graph"):
        program = (EAGER | GRAPHS)[what]
        got, wanted = (
            np.ravel(program(function, given))[finite] for function in (operation, operation.portable)
        )
        np.testing.assert_allclose(got, wanted, rtol=1e-5, err_msg=what)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu"])
def test_cotangents_without_limits(name):
    operation = activations.get(name)
    x = tf.constant([-2.0, 0.0, 3.0, -1.0, 0.0, 1.0])
    cotangent = tf.constant([np.inf, -np.inf, np.inf, np.nan, 1.0, 2.0])
    found = []
    for function in (operation, operation.portable):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        found.append(tape.gradient(y, x, output_gradients=cotangent))
    np.testing.assert_allclose(*found, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["elu", "selu", "celu"])
def test_an_exponential_on_the_left_keeps_its_digits(name, dtype):
    """Above 0 elu and celu are x to the last bit, of numbers of all sizes."""
    sizes = np.geomspace(1e-30, 1e3, 4001)
    x = np.concatenate([-sizes, sizes]).astype(dtype)
    got = np.asarray(activations.get(name)(tf.constant(x)))
    wanted = activations.get(name).portable(x.astype(np.float64))
    np.testing.assert_allclose(got, wanted, rtol=4 * np.finfo(dtype).eps)
    if name != "selu":
        np.testing.assert_array_equal(got[x > 0], x[x > 0])
