"""RealMLP: the network, where it starts, and how it learns.

D. Holzmüller, L. Grinsztajn, I. Steinwart (2024), Better by default: strong pre-tuned MLPs and boosted trees on tabular data,
NeurIPS, arXiv:2407.04491; the numbers are those of its tables and of the authors' package pytabkit, versions "TD" and "TD-S".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimlp import blocks, optimizers, random, schedules, tree
from multimlp.blocks import Chain
from multimlp.estimators.tabular._preparation import MOST_ONE_HOT, Preparation, centre_and_scale
from multimlp.tree import Tree

EMBEDDING = 8
"""Features of an embedded category."""
FREQUENCIES, FEATURES, SIGMA = 16, 4, 0.1
"""Of the embedding of a number."""
SIMPLEX = 5
"""Rows whose random mean a unit's bias starts at."""
_ROUNDING = 1e-10
"""Of the size of sums, what may be a deviation that only rounding made."""


@dataclass(frozen=True)
class Recipe:
    """What differs between the versions."""

    activation: str
    learning_rate: float
    embeds: bool
    """Whether numbers and large columns of categories are embedded."""
    mixes: bool
    """Whether activations are mixed with the identity."""
    dropout: float
    weight_decay: float
    from_data: bool
    """Whether weights and biases start from the rows of a batch."""


RECIPES: Mapping[tuple[str, str], Recipe] = {
    ("TD", "classes"): Recipe("selu", 0.04, True, True, 0.15, 0.02, True),
    ("TD", "numbers"): Recipe("mish", 0.2, True, True, 0.15, 0.02, True),
    ("TD-S", "classes"): Recipe("selu", 0.04, False, False, 0.0, 0.0, False),
    ("TD-S", "numbers"): Recipe("mish", 0.07, False, False, 0.0, 0.0, False),
}
LABEL_SMOOTHING = 0.1


def most_one_hot(recipe: Recipe) -> int:
    """Categories of the largest column that becomes one-hot."""
    return MOST_ONE_HOT if recipe.embeds else 2**31


def network(
    recipe: Recipe,
    preparation: Preparation,
    rows: np.ndarray,
    hidden: Sequence[int],
    outputs: int,
    steps: int,
) -> Chain:
    """The network for matrices of a preparation; its figures of the features are those of ``rows``."""
    features: list[Any] = []
    plain = preparation.plain()
    if plain is not None:
        flat = np.asarray(plain.apply(tree.map(np.asarray, plain.initial(0, ())), rows, None))
        scaled = blocks.chain(plain, blocks.standardize(*centre_and_scale(flat)), blocks.smooth_clip())
        count = len(preparation.numbers)
        if recipe.embeds and count:
            waves = blocks.periodic(FEATURES, FREQUENCIES, SIGMA, "phase", None, keep=True)
            split: list[Any] = [blocks.chain(blocks.select(range(count)), waves)]
            if flat.shape[1] > count:
                split.append(blocks.select(range(count, flat.shape[1])))
            scaled = blocks.chain(scaled, blocks.concat(split))
        features.append(scaled)
    if preparation.embedded:
        table = blocks.embedding(preparation.embedded_sizes, EMBEDDING, table_init=_NORMAL)
        features.append(blocks.chain(blocks.select(preparation.places(3, 3)), table))
    parts: list[Any] = [blocks.concat(features).after(preparation.columns), blocks.scale()]
    for width in hidden:
        parts.append(_layer(recipe, width))
        mixes = recipe.mixes
        parts.append(
            blocks.mixed_activation(recipe.activation) if mixes else blocks.activation(recipe.activation)
        )
        if recipe.dropout:
            parts.append(blocks.dropout(schedules.flat_cosine(recipe.dropout, steps)))
    parts.append(_layer(recipe, outputs, last=not recipe.from_data))
    return blocks.chain(*parts)


_NORMAL = {"name": "normal", "options": {"stddev": 1.0}}


def _layer(recipe: Recipe, width: int, last: bool = False) -> Any:
    """A layer in the neural tangent parametrisation; the simple version's last one starts at 0."""
    start = "zeros" if last else _NORMAL
    return blocks.dense(
        width, kernel_init=start, bias_init="zeros" if recipe.from_data else start, scaling="neural_tangent"
    )


def optimizer(recipe: Recipe, chain: Chain, learning_rate: float, steps: int) -> Any:
    """AdamW whose rates rise and fall four times, with a rate and a decay of their own for scales, biases, mixes and embeddings."""

    def options(rate: float, decay: float) -> dict[str, Any]:
        weight = recipe.weight_decay * decay
        return {
            "learning_rate": schedules.log_cosine(learning_rate * rate, steps),
            "weight_decay": schedules.flat_cosine(weight, steps) if weight else 0.0,
        }

    base = optimizers.adamw(**options(1.0, 1.0), beta1=0.9, beta2=0.95, eps=1e-8)
    groups = {"bias": options(0.1, 0.0), "scale": options(6.0, 6.0)}
    if any(name.endswith(".mix") for name in chain.shapes):
        groups["mix"] = options(0.1, 0.1)
    waves = {name.partition(".frequency")[0] for name in chain.shapes if name.endswith(".frequency")}
    return optimizers.grouped(base, groups | {path: options(0.1, 0.1) for path in waves})


def started(chain: Chain, params: Tree, batch: np.ndarray, seed: int) -> Tree:
    """The parameters with weights and biases that the first batch decides.

    A layer's weights are scaled so that each unit's outputs have deviation 1 over the batch, and its bias is minus a random mean of
    the outputs for `SIMPLEX` rows (weights of a uniform distribution on the simplex): kinks lie where the data are. A unit whose outputs
    are the same for all rows of the batch keeps its weights.

    Parameters
    ----------
    chain : Chain
    params : tree of numpy.ndarray
        float64, as ``chain.host_params`` draws them.
    batch : numpy.ndarray
        Shape (n, columns).
    seed : int
    """
    found, x = list(params), batch
    for i, block in enumerate(chain.blocks):
        if isinstance(block, blocks.Dense):
            generator = random.host_generator(seed, "start", i)
            weight, _ = found[i]
            deviation = (x @ weight).std(axis=0) / math.sqrt(weight.shape[0])
            size = (np.abs(x) @ np.abs(weight)).mean(axis=0) / math.sqrt(weight.shape[0])
            alike = deviation <= _ROUNDING * size
            weight = weight / np.where(alike, 1.0, deviation)
            units = x @ weight / math.sqrt(weight.shape[0])
            rows = generator.integers(len(x), size=(SIMPLEX, units.shape[1]))
            shares = generator.exponential(size=rows.shape)
            picked = np.take_along_axis(units, rows, axis=0)
            found[i] = type(found[i])(weight, -(picked * shares / shares.sum(axis=0)).sum(axis=0))
        x = np.asarray(block.apply(found[i], x, None))
    return tuple(found)


def with_even_scales(params: Tree, targets: int) -> Tree:
    """The parameters with a last layer whose outputs after those of the targets' means start at 0.

    These are logarithms of deviations of standardised targets. Drawn like the others some would say that the deviation is next to
    nothing, whose likelihood is as small as `exp(-z^2)`, and training would spend its epochs on that.
    """
    *before, last = params
    weight, bias = (np.where(np.arange(leaf.shape[-1]) < targets, leaf, 0.0) for leaf in last)
    return (*before, type(last)(weight, bias))
