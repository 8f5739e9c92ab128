"""TabM: the network and how it learns.

Y. Gorishniy, A. Kotelnikov, A. Babenko (2024), TabM: advancing tabular deep learning with parameter-efficient ensembling, ICLR 2025,
arXiv:2410.24210; the numbers are the defaults of the authors' package tabm 0.0.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp import blocks, optimizers
from multimlp.blocks import Chain
from multimlp.estimators.tabular._preparation import Preparation

BINS, EMBEDDING = 48, 16
"""Bins of a number, and features that are made of them."""
WEIGHT_DECAY, DROPOUT = 3e-4, 0.1


def network(
    preparation: Preparation,
    rows: np.ndarray,
    hidden: Sequence[int],
    outputs: int,
    members: int,
    dropout: float,
) -> Chain:
    """The network for matrices of a preparation; the edges of its bins are those of ``rows``."""
    features: list[Any] = []
    chunks: list[int] = []
    if preparation.numbers:
        numbers = preparation.places(0, 0)
        edges = blocks.quantile_edges(rows[:, numbers], bins=min(BINS, max(2, len(rows) - 1)))
        features.append(blocks.chain(blocks.select(numbers), blocks.piecewise_linear(edges, EMBEDDING)))
        chunks += [EMBEDDING] * len(numbers)
    if preparation.gaps:
        features.append(blocks.select(preparation.places(1, 1)))
        chunks += [1] * len(preparation.gaps)
    if preparation.one_hot:
        hot = blocks.one_hot(preparation.one_hot_sizes)
        features.append(blocks.chain(blocks.select(preparation.places(2, 2)), hot))
        chunks += preparation.one_hot_sizes
    parts: list[Any] = [blocks.concat(features).after(preparation.columns), blocks.replicate(members)]
    fan_in, start = (
        sum(chunks),
        {"name": "normal", "options": {"stddev": 1.0}} if preparation.numbers else "signs",
    )
    for i, width in enumerate(hidden):
        first = {"input_init": start, "chunks": chunks} if i == 0 else {}
        layer = blocks.batch_ensemble(
            width,
            members,
            kernel_init="fan_in_uniform",
            bias_init=_within(fan_in),
            **first,  # type: ignore[arg-type]
        )
        parts += [layer, "relu", *([blocks.dropout(dropout)] if dropout else [])]
        fan_in = width
    parts.append(blocks.heads(outputs, members, kernel_init="fan_in_uniform", bias_init=_within(fan_in)))
    return blocks.chain(*parts)


def _within(fan_in: int) -> dict[str, Any]:
    return {"name": "uniform", "options": {"scale": 1 / math.sqrt(fan_in)}}


def optimizer(learning_rate: float, weight_decay: float) -> Any:
    """AdamW, all parameters alike."""
    return optimizers.adamw(learning_rate, weight_decay=weight_decay)
