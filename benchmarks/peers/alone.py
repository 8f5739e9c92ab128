"""The library's own activations and losses; on NumPy the obvious form, written by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ACTIVATIONS = (
    "relu", "leaky_relu", "elu", "selu", "celu", "sigmoid", "log_sigmoid", "tanh", "softplus", "softsign", "gelu",
    "gelu tanh", "silu", "mish", "hard_sigmoid", "hard_tanh", "hard_swish",
)  # fmt: skip
LOSSES = ("cross_entropy", "binary_cross_entropy", "mse", "mae", "huber", "hinge", "poisson")

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@dataclass(frozen=True)
class Maker:
    """How a library's functions are called.

    Attributes
    ----------
    functions : mapping of str to callable
        Activations of an array; losses of outputs and targets, the mean over all.
    ways : callable
        ``ways(function, slope, arrays)`` -> calls without arguments for ``value``, ``gradient`` (of a value that is there) and ``both``.
    place : callable
        Host arrays as the library's.
    slopes : mapping
        Derivatives written by hand, where the library does not differentiate.
    """

    functions: Mapping[str, Callable[..., Any]]
    ways: Callable[..., Mapping[str, Callable[[], Any]]]
    place: Callable[[tuple[np.ndarray, ...]], tuple[Any, ...]]
    slopes: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    def host(self, value: Any) -> np.ndarray:
        return np.asarray(value, dtype=np.float64)


def torch() -> Maker:
    """`torch.nn.functional`, differentiated by autograd."""
    import torch
    from torch.nn import functional as f

    def ways(function: Callable[..., Any], slope: Any, arrays: tuple[Any, ...]) -> Any:
        x, *others = arrays
        leaf = x.clone().requires_grad_()
        value = function(leaf, *others)
        ones = torch.ones_like(value)
        return {
            "value": lambda: function(x, *others),
            "gradient": lambda: torch.autograd.grad(value, leaf, ones, retain_graph=True),
            "both": lambda: torch.autograd.grad(function(leaf, *others), leaf, ones),
        }

    named = {
        "log_sigmoid": "logsigmoid",
        "hard_sigmoid": "hardsigmoid",
        "hard_tanh": "hardtanh",
        "hard_swish": "hardswish",
    }
    functions: dict[str, Callable[..., Any]] = {
        name: getattr(f, named.get(name, name)) for name in ACTIVATIONS if name != "gelu tanh"
    }
    functions |= {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
    functions["gelu tanh"] = lambda x: f.gelu(x, approximate="tanh")
    functions |= {
        "cross_entropy": f.cross_entropy,
        "binary_cross_entropy": f.binary_cross_entropy_with_logits,
        "mse": f.mse_loss,
        "mae": f.l1_loss,
        "huber": f.huber_loss,
        "hinge": lambda o, t: torch.relu(1 - torch.where(t > 0, o, -o)).mean(),
        "poisson": f.poisson_nll_loss,
    }
    return Maker(functions, ways, lambda arrays: tuple(torch.from_numpy(a) for a in arrays))


def jax() -> Maker:
    """`jax.nn`, and losses as they are written by hand, compiled as `jax.nn` is; differentiated by `jax.vjp`, outside of `jax.jit`."""
    import jax
    import jax.numpy as jnp
    from jax import nn

    jax.config.update("jax_enable_x64", True)
    wait = jax.block_until_ready

    def ways(function: Callable[..., Any], slope: Any, arrays: tuple[Any, ...]) -> Any:
        x, *others = arrays

        def of(x: Any) -> Any:
            return function(x, *others)

        value, pullback = jax.vjp(of, x)
        ones = jnp.ones_like(value)
        return {
            "value": lambda: wait(of(x)),
            "gradient": lambda: wait(pullback(ones)),
            "both": lambda: wait(jax.vjp(of, x)[1](ones)),
        }

    functions: dict[str, Callable[..., Any]] = {
        name: getattr(nn, {"softsign": "soft_sign"}.get(name, name))
        for name in ACTIVATIONS
        if not name.startswith(("gelu", "tanh"))
    }
    functions |= {
        "tanh": jnp.tanh,
        "gelu": lambda x: nn.gelu(x, approximate=False),
        "gelu tanh": lambda x: nn.gelu(x, approximate=True),
    }
    losses: dict[str, Callable[..., Any]] = {
        "cross_entropy": lambda o, t: -jnp.take_along_axis(nn.log_softmax(o), t[:, None], 1).mean(),
        "binary_cross_entropy": lambda o, t: (
            jnp.maximum(o, 0) - o * t + jnp.log1p(jnp.exp(-jnp.abs(o)))
        ).mean(),
        "mse": lambda o, t: jnp.mean((o - t) ** 2),
        "mae": lambda o, t: jnp.mean(jnp.abs(o - t)),
        "huber": lambda o, t: jnp.mean(
            jnp.where(jnp.abs(o - t) <= 1, 0.5 * (o - t) ** 2, jnp.abs(o - t) - 0.5)
        ),
        "hinge": lambda o, t: nn.relu(1 - jnp.where(t > 0, o, -o)).mean(),
        "poisson": lambda o, t: (jnp.exp(o) - t * o).mean(),
    }
    functions |= {name: jax.jit(loss) for name, loss in losses.items()}
    return Maker(functions, ways, lambda arrays: tuple(jnp.asarray(a) for a in arrays))


def tensorflow() -> Maker:
    """`tf.nn`, eager, under a tape."""
    import tensorflow as tf
    from tensorflow import nn

    def ways(function: Callable[..., Any], slope: Any, arrays: tuple[Any, ...]) -> Any:
        x, *others = arrays
        with tf.GradientTape(persistent=True) as kept:
            kept.watch(x)
            value = function(x, *others)
        ones = tf.ones_like(value)

        def both() -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                again = function(x, *others)
            return tape.gradient(again, x, ones)

        return {
            "value": lambda: function(x, *others),
            "gradient": lambda: kept.gradient(value, x, ones),
            "both": both,
        }

    functions: dict[str, Callable[..., Any]] = {
        name: getattr(nn, name) for name in ("relu", "elu", "selu", "sigmoid", "tanh", "softplus", "softsign", "gelu", "silu")
    }  # fmt: skip
    functions |= {
        "leaky_relu": lambda x: nn.leaky_relu(x, 0.01),
        "celu": nn.elu,
        "log_sigmoid": tf.math.log_sigmoid,
        "gelu tanh": lambda x: nn.gelu(x, approximate=True),
        "mish": lambda x: x * tf.tanh(nn.softplus(x)),
        "hard_sigmoid": lambda x: nn.relu6(x + 3) / 6,
        "hard_tanh": lambda x: tf.clip_by_value(x, -1, 1),
        "hard_swish": lambda x: x * nn.relu6(x + 3) / 6,
        "cross_entropy": lambda o, t: tf.reduce_mean(nn.sparse_softmax_cross_entropy_with_logits(t, o)),
        "binary_cross_entropy": lambda o, t: tf.reduce_mean(nn.sigmoid_cross_entropy_with_logits(t, o)),
        "mse": lambda o, t: tf.reduce_mean(tf.math.squared_difference(o, t)),
        "mae": lambda o, t: tf.reduce_mean(tf.abs(o - t)),
        "huber": lambda o, t: tf.reduce_mean(tf.keras.losses.huber(t, o)),
        "hinge": lambda o, t: tf.reduce_mean(nn.relu(1 - tf.where(t > 0, o, -o))),
        "poisson": lambda o, t: tf.reduce_mean(nn.log_poisson_loss(t, o)),
    }
    return Maker(functions, ways, lambda arrays: tuple(tf.constant(a) for a in arrays))


def numpy() -> Maker:
    """The obvious form, with SciPy's functions, and its derivative."""
    from scipy.special import erf, expit, log_softmax, softmax

    def ways(function: Callable[..., Any], slope: Callable[..., Any], arrays: tuple[Any, ...]) -> Any:
        return {
            "value": lambda: function(*arrays),
            "gradient": lambda: slope(*arrays),
            "both": lambda: (function(*arrays), slope(*arrays)),
        }

    def cubic(x: np.ndarray) -> np.ndarray:
        return (2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)

    def tanh_of_softplus(x: np.ndarray) -> np.ndarray:
        return np.tanh(np.logaddexp(x, x.dtype.type(0)))

    def elu(x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))

    def elu_slope(x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x.dtype.type(1), np.exp(np.minimum(x, 0)))

    def one_hot(o: np.ndarray, t: np.ndarray) -> np.ndarray:
        return np.eye(o.shape[1], dtype=o.dtype)[t]

    def per_number(gradient: Callable[..., Any]) -> Callable[..., Any]:
        return lambda o, t: gradient(o, t) / o.size

    def gelu_tanh_slope(x: np.ndarray) -> np.ndarray:
        t = np.tanh(cubic(x))
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * (2 / np.pi) ** 0.5 * (1 + 3 * 0.044715 * x * x)

    def mish_slope(x: np.ndarray) -> np.ndarray:
        t = tanh_of_softplus(x)
        return t + x * (1 - t * t) * expit(x)

    pairs: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
        "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(x.dtype)),
        "leaky_relu": (lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1, x.dtype.type(0.01))),
        "elu": (elu, elu_slope),
        "selu": (
            lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0))),
            lambda x: SELU_SCALE * np.where(x > 0, 1, SELU_ALPHA * np.exp(np.minimum(x, 0))),
        ),
        "celu": (elu, elu_slope),
        "sigmoid": (expit, lambda x: (lambda s: s * (1 - s))(expit(x))),
        "log_sigmoid": (lambda x: -np.logaddexp(x.dtype.type(0), -x), lambda x: expit(-x)),
        "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
        "softplus": (lambda x: np.logaddexp(x, x.dtype.type(0)), expit),
        "softsign": (lambda x: x / (1 + np.abs(x)), lambda x: 1 / (1 + np.abs(x)) ** 2),
        "gelu": (
            lambda x: x * 0.5 * (1 + erf(x * 0.5**0.5)),
            lambda x: 0.5 * (1 + erf(x * 0.5**0.5)) + x * np.exp(-0.5 * x * x) * (2 * np.pi) ** -0.5,
        ),
        "gelu tanh": (lambda x: 0.5 * x * (1 + np.tanh(cubic(x))), gelu_tanh_slope),
        "silu": (lambda x: x * expit(x), lambda x: (lambda s: s + x * s * (1 - s))(expit(x))),
        "mish": (lambda x: x * tanh_of_softplus(x), mish_slope),
        "hard_sigmoid": (lambda x: np.clip(x / 6 + 0.5, 0, 1), lambda x: np.where(np.abs(x) < 3, x.dtype.type(1 / 6), 0)),
        "hard_tanh": (lambda x: np.clip(x, -1, 1), lambda x: (np.abs(x) < 1).astype(x.dtype)),
        "hard_swish": (
            lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
            lambda x: np.where(x <= -3, 0, np.where(x >= 3, 1, x / 3 + 0.5)),
        ),
        "cross_entropy": (
            lambda o, t: -log_softmax(o, axis=1)[np.arange(len(t)), t].mean(),
            lambda o, t: (softmax(o, axis=1) - one_hot(o, t)) / len(t),
        ),
        "binary_cross_entropy": (
            lambda o, t: (np.maximum(o, 0) - o * t + np.log1p(np.exp(-np.abs(o)))).mean(),
            per_number(lambda o, t: expit(o) - t),
        ),
        "mse": (lambda o, t: ((o - t) ** 2).mean(), per_number(lambda o, t: 2 * (o - t))),
        "mae": (lambda o, t: np.abs(o - t).mean(), per_number(lambda o, t: np.sign(o - t))),
        "huber": (
            lambda o, t: np.where(np.abs(o - t) <= 1, 0.5 * (o - t) ** 2, np.abs(o - t) - 0.5).mean(),
            per_number(lambda o, t: np.clip(o - t, -1, 1)),
        ),
        "hinge": (
            lambda o, t: np.maximum(1 - np.where(t > 0, o, -o), 0).mean(),
            per_number(lambda o, t: np.where(np.where(t > 0, o, -o) < 1, np.where(t > 0, -1, 1), 0)),
        ),
        "poisson": (lambda o, t: (np.exp(o) - t * o).mean(), per_number(lambda o, t: np.exp(o) - t)),
    }  # fmt: skip
    values, slopes = ({name: pair[i] for name, pair in pairs.items()} for i in (0, 1))
    return Maker(values, ways, lambda arrays: arrays, slopes)


MAKERS: dict[str, Callable[[], Maker]] = {
    "numpy": numpy,
    "torch": torch,
    "jax": jax,
    "tensorflow": tensorflow,
}
