"""A training step on batches of one size, laid out as records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from multimlp import random
from multimlp.activations import Activation, identity
from multimlp.backend import CompiledKernels, Late, Record
from multimlp.training.engines.base import Problem
from multimlp.training.engines.inplace.layout import Block
from multimlp.training.engines.tables.heads import Head


class Hidden(NamedTuple):
    """A hidden layer laid out."""

    z: np.ndarray
    """Where the product before it writes."""
    forward: list[Record]
    """From ``z`` to the inputs of the next layer."""
    backward: list[Record]
    """From the gradient in the next layer's inputs to the gradient in ``z``, in place."""


def gradient_records(
    problem: Problem,
    kernels: CompiledKernels,
    blocks: Sequence[Block],
    gradients: Sequence[Block],
    total: np.ndarray,
    batch: int,
    labels: bool,
    weighted: bool,
) -> list[Record]:
    """From the rows of a batch to its loss, added to ``total``, and to the gradient.

    Late arrays: ``rows``, ``inputs``, ``targets``, ``weights`` and ``steps``, the numbers of the steps.
    """
    model: Any = problem.model  # an `MLP`: see `inplace.coverage`
    rows = Late("rows", batch)
    widths = [block.weight.shape[1] for block in blocks]
    head = Head(kernels, problem.loss, total, rows, widths[-1], batch, labels, weighted)
    x = _ones(kernels, (batch, blocks[0].matrix.shape[0]))
    forward = [kernels.gather(Late("inputs"), rows, x[:, : blocks[0].weight.shape[0]]), *head.load()]
    backward: list[Record] = []
    signals = _signals(kernels, widths, batch)
    below = x.T
    for i, (block, gradient, signal) in enumerate(zip(blocks, gradients, signals, strict=True)):
        last = i + 1 == len(blocks)
        inputs = (
            kernels.zeros(signal.shape) if last else _ones(kernels, (blocks[i + 1].matrix.shape[0], batch))
        )
        outputs = inputs[: widths[i]]
        hidden = (
            Hidden(outputs, [], [])
            if last
            else _hidden(problem, kernels, model.activations[i], i, outputs, signal)
        )
        forward += [kernels.product(block.matrix.T, below, hidden.z), *hidden.forward]
        back = [kernels.product(below, signal.T, gradient.matrix)]
        if i:
            back.append(kernels.product(block.weight, signal, signals[i - 1]))
        backward = [*hidden.backward, *back, *backward]
        below = inputs
    return [*forward, *head.step(outputs, signals[-1]), *backward]


def _hidden(
    problem: Problem,
    kernels: CompiledKernels,
    rule: Activation,
    layer: int,
    inputs: np.ndarray,
    signal: np.ndarray,
) -> Hidden:
    rate = getattr(problem.model, "dropout", 0.0)
    y = kernels.zeros(inputs.shape) if rate else inputs
    forward: list[Record] = []
    backward: list[Record] = []
    if rule.function is not identity:
        from_output = rule.derivative_from_output
        if from_output is not None:
            forward.append(kernels.activation(rule, None, y, None))
            backward.append(kernels.activation_backward(from_output, y, signal))
        else:
            slopes = kernels.zeros(y.shape)
            forward.append(kernels.activation(rule, rule.derivative, y, slopes))
            backward.append(kernels.multiply(signal, slopes, signal))
    if rate:
        factors, key = kernels.zeros(inputs.shape), random.key(problem.seed, like=np.zeros(1))
        forward += kernels.dropout(key, layer, 1.0 - rate, problem.members or 1, factors)
        forward.append(kernels.multiply(y, factors, inputs))
        backward.insert(0, kernels.multiply(signal, factors, signal))
    return Hidden(y, forward, backward)


def _ones(kernels: CompiledKernels, shape: tuple[int, int]) -> np.ndarray:
    array = kernels.zeros(shape)
    array[...] = 1
    return array


def _signals(kernels: CompiledKernels, widths: Sequence[int], batch: int) -> list[np.ndarray]:
    """The gradients in the layers' outputs: two buffers in turn, since one layer's needs only the next one's."""
    buffers = [kernels.zeros((max(widths) * batch,)) for _ in widths[:2]]
    return [buffers[i % 2][: width * batch].reshape((width, batch)) for i, width in enumerate(widths)]
