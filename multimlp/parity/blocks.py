"""The blocks of models: outputs, and gradients in parameters and inputs, of each in the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from multimlp import blocks, schedules, tree
from multimlp.backend import Array, Arrays, Backend, array_namespace
from multimlp.blocks import Block, Draws
from multimlp.mlp import MLP
from multimlp.parity.cases import Aspect, Case, Compute, cotangents, flat
from multimlp.parity.formats import FORMATS, Format
from multimlp.parity.random_cases import KEY, uniform

ROWS, FEATURES, MEMBERS = 5, 4, 3
CODES = np.asarray([[0, 1, 3], [2, 0, 0], [1, 1, 2], [-1, 2, 4], [np.nan, 0.5, 1]])
"""Of columns of `CATEGORIES` categories; the last two rows have some that are none."""
CATEGORIES = (3, 2, 4)
EDGES = ((-1.0, 0.0, 0.5, 2.0), (-0.5, 0.5), (-2.0, -1.0, 1.0), (0.0, 1.0))
AT_EDGES = np.asarray(
    [
        [-1.0, -0.5, -2.0, 0.0],
        [0.0, 0.5, -1.0, 1.0],
        [0.5, 0.5, 1.0, 0.0],
        [2.0, -0.5, -1.0, 1.0],
        [-0.25, 0.25, -1.5, 0.75],
        [0.25, 1.5, 0.5, -2.0],
        [1.25, -3.0, -4.0, 0.375],
        [3.0, 0.125, 2.5, 1.25],
    ]
)
"""Also where a slope is not defined: quantiles of data are numbers of the data."""
STEP = 3

Gradients: TypeAlias = Callable[[Backend, Arrays], Arrays]


@dataclass(frozen=True)
class Example:
    """A block to compare.

    Attributes
    ----------
    block : Block
    note : str
        What is special about it; left out of quick runs.
    rows : array or None
        The rows that it is given; None for random ones.
    same : Block or None
        One that it must be the same as, where the oracle, which has one format alone, cannot compute it itself.
    """

    block: Block
    note: str = ""
    rows: np.ndarray | None = None
    same: Block | None = None

    @property
    def label(self) -> str:
        return f"blocks.{self.block.name}({self.note})" if self.note else f"blocks.{self.block.name}"


def _fitted(block: Any) -> Block:
    """A block, an MLP or a mapping as a block that takes `FEATURES` features."""
    return blocks.as_block("block", block).after(FEATURES)


def _masked(x: Array) -> Array:
    """Dropout at the rate of `_fading` at `STEP`: a rate in an array is compared with uniform numbers of 24 bits."""
    mask = uniform(FORMATS["float32"], ROWS * FEATURES).reshape(ROWS, FEATURES) < 0.75
    return x * array_namespace(x).asarray(mask, dtype=x.dtype) / 0.75


_fading = schedules.piecewise([STEP], [0.5, 0.25])
_of_members = np.random.default_rng(52).normal(size=(MEMBERS, ROWS, FEATURES))

EXAMPLES = (
    Example(_fitted(blocks.activation("gelu"))),
    Example(_fitted(blocks.activation("prelu")), "prelu"),
    Example(_fitted(blocks.mixed_activation("selu"))),
    Example(_fitted(blocks.scale())),
    Example(_fitted(blocks.multiply(-3.5))),
    Example(_fitted(blocks.smooth_clip(2.0))),
    Example(_fitted(blocks.dense(3))),
    Example(_fitted(blocks.dense(3, "gelu")), "gelu"),
    Example(_fitted(blocks.dense(3, scaling="neural_tangent", use_bias=False)), "neural_tangent"),
    Example(_fitted(blocks.weight_norm_dense(3))),
    Example(_fitted(blocks.replicate(MEMBERS))),
    Example(_fitted(blocks.batch_ensemble(2, MEMBERS)), rows=_of_members),
    Example(_fitted(blocks.heads(2, MEMBERS)), rows=_of_members),
    Example(blocks.embedding(CATEGORIES, 2), rows=CODES),
    Example(blocks.one_hot(CATEGORIES), rows=CODES),
    Example(blocks.one_hot(CATEGORIES, binary="sign"), "sign", CODES),
    Example(_fitted(MLP(FEATURES, 6, 3, activation="tanh"))),
    Example(_fitted(MLP(FEATURES, 6, 3, activation="tanh", dropout=0.25)), "dropout"),
    Example(_fitted(blocks.residual(blocks.chain(blocks.layer_norm(), blocks.dense(FEATURES), "tanh")))),
    Example(_fitted(blocks.concat([blocks.select([3, 0]), blocks.dense(2), "tanh"]))),
    Example(_fitted(blocks.select([3, 0]))),
    Example(_fitted(blocks.chain(blocks.dense(6, "gelu"), blocks.dropout(0.25), blocks.rms_norm(), blocks.dense(3)))),
    Example(_fitted(blocks.dropout(0.25))),
    Example(blocks.dropout(_fading), "schedule", same=_fitted(_masked)),
    Example(_fitted(blocks.fourier(3, 0.25))),
    Example(_fitted(blocks.layer_norm())),
    Example(_fitted(blocks.rms_norm())),
    Example(blocks.standardize((1.0, 2.0, 3.0, 4.0), (1.0, 2.0, 0.5, -1.5))),
    Example(_fitted(blocks.periodic(3, 5, 0.25))),
    Example(_fitted(blocks.periodic(4, 5, 0.25, "phase", None, keep=True)), "phase"),
    Example(blocks.piecewise_linear(EDGES), rows=AT_EDGES),
    Example(blocks.piecewise_linear(EDGES, 3, "tanh"), "features", AT_EDGES),
)  # fmt: skip


def cases(form: Format, quick: bool) -> Iterator[Case]:
    for example in EXAMPLES:
        if not (quick and example.note):
            yield _case(example, form)


def _case(example: Example, form: Format) -> Case:
    """Inputs: the rows, the parameters, the weights of the outputs, and a key in the data's place."""
    block, random = example.block, np.random.default_rng(51)
    shapes, rebuild = tree.flatten(block.skeleton())
    rows = random.normal(size=(ROWS, FEATURES)) if example.rows is None else example.rows
    leaves = [random.normal(size=leaf.shape) * 0.75 for leaf in shapes]
    own = (form.round(rows), *map(form.round, leaves))
    weights = form.round(random.normal(size=block.apply(rebuild(own[1:]), own[0], None).shape))
    key = (KEY,) if block.dropout else ()
    given = (*own, weights, *key)
    value, gradients = _computed(block, rebuild, len(own))
    true_value, true_gradients = _computed(example.same or block, rebuild, len(own))
    return Case(
        example.label, "block", given,
        (Aspect("value", value), Aspect("autodiff", _together(gradients), "derivative", "derivative")),
        {"value": true_value, "derivative": _together(true_gradients)},
        scale={"derivative": _sizes(true_gradients)}, tolerance=f"blocks.{block.name}",
    )  # fmt: skip


def _computed(block: Block, rebuild: Callable[[Arrays], Any], count: int) -> tuple[Compute, Gradients]:
    """The outputs, and the gradient in each of the first ``count`` inputs."""

    def outputs(arrays: Arrays, key: Arrays) -> Array:
        return block.apply(rebuild(arrays[1:]), arrays[0], Draws(key[0], step=STEP) if key else None)

    def value(backend: Backend, arrays: Arrays) -> Array:
        return outputs(arrays[:count], arrays[count + 1 :])

    def gradients(backend: Backend, arrays: Arrays) -> Arrays:
        own, weight, key = arrays[:count], arrays[count], arrays[count + 1 :]
        return cotangents(backend, lambda *xs: outputs(xs, key), own, weight)

    return value, gradients


def _together(gradients: Gradients) -> Compute:
    return lambda backend, arrays: flat(gradients(backend, arrays))


def _sizes(gradients: Gradients) -> Compute:
    """One scale for the gradient of each array: sums over the batch cancel, element by element, at random."""

    def sizes(backend: Backend, arrays: Arrays) -> Array:
        xp = backend.xp
        found = gradients(backend, arrays)
        return flat(tuple(xp.zeros_like(g) + xp.maximum(xp.max(xp.abs(g)), xp.ones_like(g)) for g in found))

    return sizes
