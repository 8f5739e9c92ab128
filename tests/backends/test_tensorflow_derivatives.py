"""Derivatives through the TensorFlow namespace: against finite differences, forward mode, vectorized_map."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")

from multimlp.backends.tensorflow import namespace as xp  # noqa: E402

A = np.asarray([[0.3, -1.2, 2.0], [1.1, 0.7, -0.4]])
B = np.asarray([[1.3, 0.2, -2.0], [0.1, -0.7, 1.4]])
P = np.abs(A) + 0.5
S = np.asarray([[2.0, 0.3, -0.5], [0.1, 1.7, 0.4], [0.6, -0.2, 3.0]])
DERIVATIVES: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
    *(
        (name, getattr(xp, name), (A,))
        for name in ["exp", "expm1", "tanh", "sin", "cos", "sinh", "cosh", "atan", "asinh", "square", "abs"]
    ),
    *((name, getattr(xp, name), (P,)) for name in ["log", "log1p", "log2", "log10", "sqrt", "reciprocal"]),
    *(
        (name, getattr(xp, name), (A, B))
        for name in ["add", "subtract", "multiply", "maximum", "minimum", "hypot"]
    ),
    *((name, getattr(xp, name), (A, B)) for name in ["logaddexp", "copysign", "divide", "atan2"]),
    ("remainder", xp.remainder, (A, B + 0.05)),
    ("logaddexp at a tie", xp.logaddexp, (A, A)),
    ("pow", xp.pow, (P, B)),
    ("square by pow", lambda x: xp.pow(x, 2), (A,)),
    ("where", lambda x, y: xp.where(x > 0, x * x, y), (A, B)),
    ("clip", lambda x: xp.clip(x, -1.0, 1.0), (A,)),
    ("weak scalars", lambda x: xp.subtract(1.0, xp.multiply(x, 3)), (A,)),
    *(
        (name, lambda x, name=name: getattr(xp, name)(x, axis=1), (A,))
        for name in ["sum", "mean", "std", "var", "max", "min", "prod"]
    ),
    ("prod with a zero", xp.prod, (np.asarray([2.0, 0.0, 3.0]),)),
    ("cumulative_sum", lambda x: xp.cumulative_sum(x, axis=1), (A,)),
    ("cumulative_prod", lambda x: xp.cumulative_prod(x, axis=1), (A,)),
    ("cumulative_prod with zeros", xp.cumulative_prod, (np.asarray([2.0, 0.0, 3.0, 0.0, 5.0]),)),
    ("diff", lambda x: xp.diff(x, n=2), (A,)),
    ("matmul", lambda x, y: xp.matmul(x, xp.matrix_transpose(y)), (A, B)),
    ("matmul of a vector", lambda x, y: xp.matmul(x, y), (A, B[0])),
    ("matmul of a batch", lambda x, y: xp.matmul(xp.stack([x, x * x]), y), (A, S)),
    ("matmul by a batch", lambda x, y: xp.matmul(x, xp.stack([y, y * y])), (A, S)),
    ("tensordot", lambda x, y: xp.tensordot(x, y, axes=([0, 1], [0, 1])), (A, B)),
    ("vecdot", xp.vecdot, (A, B)),
    ("take rows", lambda x: xp.take(x, tf.constant([0, -1, 0]), axis=0), (A,)),
    ("take columns", lambda x: xp.take(x, tf.constant([2, 0, 0]), axis=1), (A,)),
    ("take_along_axis", lambda x: xp.take_along_axis(x, tf.constant([[0, 0], [2, -1]]), axis=1), (A,)),
    ("sort", lambda x: xp.sort(x, axis=1), (A,)),
    ("concat, stack, flip", lambda x, y: xp.stack([xp.concat([x, y]), xp.flip(xp.concat([y, x]))]), (A, B)),
    ("roll, repeat, tile", lambda x: xp.tile(xp.repeat(xp.roll(x, 1, axis=1), 2, axis=0), (2, 1)), (A,)),
    ("asarray of tensors", lambda x: xp.asarray([[x[0, 0], x[1, 2]], [x[0, 1], 1.0]]), (A,)),
    ("tril", xp.tril, (S,)),
    *((name, getattr(xp.linalg, name), (S,)) for name in ["det", "inv", "pinv", "trace", "diagonal"]),
    ("solve", xp.linalg.solve, (S, A[0])),
    ("slogdet", lambda x: xp.linalg.slogdet(x).logabsdet, (S,)),
    ("cholesky", lambda x: xp.linalg.cholesky(x @ tf.transpose(x)), (S,)),
    ("svdvals", xp.linalg.svdvals, (S,)),
    ("eigvalsh", lambda x: xp.linalg.eigvalsh(x + tf.transpose(x)), (S,)),
    *((f"vector_norm {o}", lambda x, o=o: xp.linalg.vector_norm(x, ord=o, axis=1), (A,)) for o in (1, 2, 3)),
    ("cross", xp.linalg.cross, (A, B)),
]


def weighted(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """A scalar that depends on each output in its own way."""
    out = function(*arguments)
    weights = tf.reshape(tf.cos(tf.range(1, tf.size(out) + 1, dtype=tf.float64)), tf.shape(out))
    return tf.reduce_sum(out * weights)


@pytest.mark.parametrize(
    ("function", "arguments"), [d[1:] for d in DERIVATIVES], ids=[d[0] for d in DERIVATIVES]
)
def test_gradients_agree_with_finite_differences(
    function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    tensors = tuple(tf.constant(a) for a in arguments)
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = weighted(function, tensors)
    gradients = tape.gradient(value, tensors, unconnected_gradients="zero")
    step = 1e-5
    for place, gradient in enumerate(gradients):
        assert isinstance(gradient, tf.Tensor)  # dense, no tf.IndexedSlices
        for index in np.ndindex(arguments[place].shape):
            ends = []
            for sign in (1, -1):
                moved = [a.copy() for a in arguments]
                moved[place][index] += sign * step
                ends.append(float(weighted(function, tuple(tf.constant(m) for m in moved))))
            slope = (ends[0] - ends[1]) / (2 * step)
            assert gradient.numpy()[index] == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", ["add", "logaddexp", "hypot", "copysign", "matmul", "remainder"])
def test_forward_mode_and_vectorized_map(name: str) -> None:
    function = getattr(xp, name)
    a, b = tf.constant(S), tf.constant(S.T + 0.3)
    with tf.autodiff.ForwardAccumulator(a, tf.ones_like(a)) as accumulator:
        forward = tf.reduce_sum(function(a, b))
    with tf.GradientTape() as tape:
        tape.watch(a)
        value = tf.reduce_sum(function(a, b))
    np.testing.assert_allclose(accumulator.jvp(forward), tf.reduce_sum(tape.gradient(value, a)), rtol=1e-12)

    mapped = tf.vectorized_map(lambda pair: function(*pair), (tf.stack([a, b]), tf.stack([b, a])))
    np.testing.assert_allclose(mapped, [function(a, b), function(b, a)], rtol=1e-12)


def test_second_derivative_of_hypot_and_logaddexp() -> None:
    x, y = tf.constant(3.0, tf.float64), tf.constant(4.0, tf.float64)
    for function, expected in ((xp.hypot, 16 / 125), (xp.logaddexp, np.exp(1) / (1 + np.exp(1)) ** 2)):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = function(x, y)
            slope = inner.gradient(value, x)
        assert float(outer.gradient(slope, x)) == pytest.approx(expected, rel=1e-12)
