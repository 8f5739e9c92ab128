"""Of Equinox."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import numpy as np

from corpus import Row

KEYS = jax.random.split(jax.random.key(0), 4)


class Settled(eqx.Module):
    """A model with its state, as a function of one example."""

    model: eqx.nn.Sequential
    state: Any

    def __call__(self, x: Any) -> Any:
        return self.model(x, self.state)[0]


def mlp():
    return eqx.nn.MLP(5, 3, 8, 2, activation=jax.nn.softplus, key=KEYS[0])


def layer_norm():
    parts = [
        eqx.nn.LayerNorm(5),
        eqx.nn.Linear(5, 8, key=KEYS[1]),
        eqx.nn.Lambda(jax.nn.relu),
        eqx.nn.Dropout(0.1),
    ]
    return eqx.nn.Sequential([*parts, eqx.nn.Linear(8, 2, key=KEYS[2]), eqx.nn.Identity()])


def batch_norm():
    def make():
        norm = eqx.nn.BatchNorm(8, "batch", mode="batch")
        ends = [eqx.nn.Linear(5, 8, key=KEYS[1]), eqx.nn.Linear(8, 2, key=KEYS[2])]
        return eqx.nn.Sequential([ends[0], norm, eqx.nn.Lambda(jax.nn.tanh), ends[1]])

    model, state = eqx.nn.make_with_state(make)()
    X = np.random.default_rng(0).normal(1.0, 2.0, (32, 5)).astype("float32")
    _, state = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(X, state)
    return Settled(eqx.nn.inference_mode(model), state)


ROWS = [
    Row("equinox MLP", mlp, (8, 8), slow=True),
    Row("equinox layer norm", layer_norm, None),
    Row("equinox batch norm", batch_norm, (8,), options=lambda settled: {"state": settled.state}),
]
