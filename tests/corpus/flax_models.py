"""Of Flax: Sequential in linen and nnx."""

from __future__ import annotations

import jax
import numpy as np
from flax import linen, nnx
from jax import nn

from corpus import Row


def drawn(module, features):
    """``(module, variables)``, none of them as they start."""
    variables = module.init(jax.random.key(0), np.ones((1, features), np.float32))
    leaves, structure = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [leaf + jax.random.uniform(key, leaf.shape) / 2 for leaf, key in zip(leaves, keys, strict=True)]
    return module, jax.tree.unflatten(structure, moved)


def linen_intro():
    return drawn(linen.Sequential([linen.Dense(8), linen.relu, linen.Dense(3), linen.log_softmax]), 5)


def linen_images():
    parts = [lambda x: x.reshape((x.shape[0], -1)), linen.Dense(12), nn.gelu, linen.Dense(4)]
    return drawn(linen.Sequential(parts), 16)


def linen_batch_norm():
    norm = {"use_running_average": True}
    parts = [linen.BatchNorm(**norm), linen.Dense(8, use_bias=False), linen.BatchNorm(**norm), linen.swish]
    return drawn(linen.Sequential([*parts, linen.Dropout(0.1, deterministic=True), linen.Dense(2)]), 5)


def linen_layer_norm():
    return drawn(
        linen.Sequential([linen.LayerNorm(), linen.Dense(8), linen.tanh, linen.RMSNorm(), linen.Dense(2)]), 5
    )


def moved(model):
    state = nnx.state(model, nnx.Any(nnx.Param, nnx.BatchStat))
    leaves, structure = jax.tree.flatten(state)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    leaves = [leaf + jax.random.uniform(key, leaf.shape) / 2 for leaf, key in zip(leaves, keys, strict=True)]
    nnx.update(model, jax.tree.unflatten(structure, leaves))
    return model


def nnx_intro():
    rngs = nnx.Rngs(0)
    return moved(nnx.Sequential(nnx.Linear(5, 8, rngs=rngs), nnx.relu, nnx.Linear(8, 3, rngs=rngs)))


def nnx_batch_norm():
    rngs = nnx.Rngs(0)
    return moved(nnx.Sequential(
        nnx.Linear(5, 8, rngs=rngs), nnx.BatchNorm(8, use_running_average=True, rngs=rngs),
        nnx.Dropout(0.2, deterministic=True, rngs=rngs), nnx.relu, nnx.Linear(8, 3, rngs=rngs),
    ))  # fmt: skip


def nnx_layer_norm():
    rngs = nnx.Rngs(0)
    return moved(
        nnx.Sequential(
            nnx.Linear(5, 8, rngs=rngs),
            nnx.LayerNorm(8, use_fast_variance=False, rngs=rngs),
            nnx.gelu,
            nnx.Linear(8, 3, rngs=rngs),
        )
    )


TANH_GELU = {"keras": r"no equivalent of gelu\(approximate='tanh'\)"}

LINEN = [
    Row("flax linen intro", linen_intro, (8,), slow=True),
    Row("flax linen images", linen_images, (12,), TANH_GELU, slow=True),
    Row("flax linen batch norm", linen_batch_norm, (8,)),
    Row("flax linen layer norm", linen_layer_norm, None, slow=True),
]
NNX = [
    Row("flax nnx intro", nnx_intro, (8,)),
    Row("flax nnx batch norm, dropout before the activation", nnx_batch_norm, None),
    Row("flax nnx layer norm", nnx_layer_norm, None, TANH_GELU),
]
