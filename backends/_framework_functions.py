"""The frameworks' own neural-network functions, with their defaults, for the report on where they disagree.

Nothing of multimlp computes with these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Functions = dict[str, Callable[[Any], Any]]


def framework_functions(backend: str) -> Functions:
    """A framework's own functions of one array by multimlp's names; empty for a library that has none."""
    return _FRAMEWORKS[backend]() if backend in _FRAMEWORKS else {}


def _torch() -> Functions:
    import torch
    from torch.nn import functional

    return {
        "relu": functional.relu,
        "relu by maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
        "abs": torch.abs,
        "hard_tanh": functional.hardtanh,
        "leaky_relu": functional.leaky_relu,
        "elu": functional.elu,
        "selu": functional.selu,
        "gelu": functional.gelu,
        "softplus": functional.softplus,
    }


def _jax() -> Functions:
    import jax
    import jax.numpy as jnp

    return {
        "relu": jax.nn.relu,
        "relu by maximum": lambda x: jnp.maximum(x, 0),
        "abs": jnp.abs,
        "hard_tanh": jax.nn.hard_tanh,
        "leaky_relu": jax.nn.leaky_relu,
        "elu": jax.nn.elu,
        "selu": jax.nn.selu,
        "gelu": jax.nn.gelu,
        "softplus": jax.nn.softplus,
    }


def _tensorflow() -> Functions:
    import tensorflow as tf

    return {
        "relu": tf.nn.relu,
        "relu by maximum": lambda x: tf.maximum(x, tf.zeros_like(x)),
        "abs": tf.abs,
        "hard_tanh": lambda x: tf.clip_by_value(x, -1, 1),
        "leaky_relu": tf.nn.leaky_relu,
        "elu": tf.nn.elu,
        "selu": tf.nn.selu,
        "gelu": tf.nn.gelu,
        "softplus": tf.nn.softplus,
    }


def _mxnet() -> Functions:
    from mxnet import np, npx

    return {
        "relu": npx.relu,
        "relu by maximum": lambda x: np.maximum(x, 0),
        "abs": np.abs,
        "hard_tanh": lambda x: np.clip(x, -1, 1),
        "leaky_relu": npx.leaky_relu,
        "elu": lambda x: npx.leaky_relu(x, act_type="elu", slope=1.0),
        "selu": lambda x: npx.leaky_relu(x, act_type="selu"),
        "gelu": lambda x: npx.leaky_relu(x, act_type="gelu"),
        "softplus": lambda x: npx.activation(x, act_type="softrelu"),
    }


_FRAMEWORKS: dict[str, Callable[[], Functions]] = {
    "torch": _torch,
    "jax": _jax,
    "tensorflow": _tensorflow,
    "mxnet": _mxnet,
}
