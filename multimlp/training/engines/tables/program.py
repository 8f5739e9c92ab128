"""A training step on batches of one size, laid out as records.

It has two phases. First each slice of the batch goes forward and back; then each share of the weights gets its gradient, from all
examples, and its update. See `multimlp.training.engines.slices`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp import random
from multimlp.activations import Activation, identity
from multimlp.backend import CompiledKernels, Late, Record
from multimlp.training.engines.base import Problem
from multimlp.training.engines.inplace.layout import Block
from multimlp.training.engines.own import DROPOUT, FACTORS, WORDS
from multimlp.training.engines.slices import Rows
from multimlp.training.engines.tables.heads import Head


class Program:
    """The arrays of a batch, and the records that work on them.

    Late arrays: ``rows``, ``inputs``, ``targets``, ``weights`` and ``steps``, the numbers of the steps.

    Parameters
    ----------
    problem : Problem
    kernels : CompiledKernels
    blocks, gradients : sequence of Block
        The layers' places in the flat parameters and the flat gradient.
    batch : int
    labels, weighted : bool
        Whether targets are class labels, and whether the examples have weights.
    """

    def __init__(
        self,
        problem: Problem,
        kernels: CompiledKernels,
        blocks: Sequence[Block],
        gradients: Sequence[Block],
        batch: int,
        labels: bool,
        weighted: bool,
    ) -> None:
        self._problem, self._kernels, self._blocks, self._gradients = problem, kernels, blocks, gradients
        self._batch = batch
        model: Any = problem.model  # an `MLP`: see `inplace.coverage`
        heights = [block.matrix.shape[0] for block in blocks]
        widths = [block.weight.shape[1] for block in blocks]
        self._x = _ones(kernels, (batch, heights[0]))
        below = [_ones(kernels, (height, batch)) for height in heights[1:]]
        self._inputs = [self._x.T, *below]
        self._outputs = kernels.zeros((widths[-1], batch))
        self._signals = [kernels.zeros((width, batch)) for width in widths]
        self._own = any(name == DROPOUT for name, _ in problem.own)
        self._hidden = [
            _Hidden(kernels, rule, inputs[:width], bool(rate) or self._own)
            for rule, rate, inputs, width in zip(
                model.activations, model.dropouts, below, widths, strict=False
            )
        ]
        self._head = Head(kernels, problem.loss, widths[-1], batch, labels, weighted)
        self._key = random.key(problem.seed, like=self._x)

    def examples(self, part: slice, total: np.ndarray) -> list[Record]:
        """From the rows of a slice to the gradients in all layers' outputs; the loss is added to ``total``."""
        kernels, blocks, signals = self._kernels, self._blocks, [signal[:, part] for signal in self._signals]
        fan_in = blocks[0].weight.shape[0]
        rows = Late("rows", self._batch, first=part.start)
        forward = [kernels.gather(Late("inputs"), rows, self._x[part, :fan_in]), *self._head.load(part)]
        backward: list[Record] = []
        outputs = [*(hidden.y for hidden in self._hidden), self._outputs]
        for i, (block, inputs, z) in enumerate(zip(blocks, self._inputs, outputs, strict=True)):
            forward.append(kernels.product(block.matrix.T, inputs[:, part], z[:, part]))
            if i:
                backward.insert(0, kernels.product(block.weight, signals[i], signals[i - 1]))
            if i < len(self._hidden):
                there, back = self._activation(i, part, signals[i])
                forward += there
                backward = [*back, *backward]
        return [*forward, self._head.step(part, self._outputs[:, part], signals[-1], total), *backward]

    def gradient(self, rows: Rows) -> Record:
        """Some rows of a layer's gradient."""
        part = slice(rows.start, rows.stop)
        inputs, signal = self._inputs[rows.layer][part], self._signals[rows.layer].T
        return self._kernels.product(inputs, signal, self._gradients[rows.layer].matrix[part])

    def _activation(self, layer: int, part: slice, signal: np.ndarray) -> tuple[list[Record], list[Record]]:
        """From a product to the inputs of the next layer, and back, in place."""
        kernels, hidden, members = self._kernels, self._hidden[layer], self._problem.members or 1
        rule, y, inputs = hidden.rule, hidden.y[:, part], hidden.inputs[:, part]
        forward: list[Record] = []
        backward: list[Record] = []
        if hidden.slopes is not None:
            slopes = hidden.slopes[:, part]
            forward.append(kernels.activation(rule, rule.derivative, y, slopes))
            backward.append(kernels.multiply(signal, slopes, signal))
        elif rule.function is not identity and rule.derivative_from_output is not None:
            forward.append(kernels.activation(rule, None, y, None))
            backward.append(kernels.activation_backward(rule.derivative_from_output, y, signal))
        if hidden.factors is not None:
            model: Any = self._problem.model
            keep, factors = 1.0 - model.dropouts[layer], hidden.factors[:, part]
            own = (Late(WORDS, by_member=1), Late(FACTORS, by_member=1)) if self._own else None
            forward += kernels.dropout(self._key, layer, keep, members, factors, part.start, self._batch, own)
            forward.append(kernels.multiply(y, factors, inputs))
            backward.insert(0, kernels.multiply(signal, factors, signal))
        return forward, backward


class _Hidden:
    """The arrays of a hidden layer: ``y`` is what the activation works on, ``inputs`` what the next layer gets."""

    def __init__(self, kernels: CompiledKernels, rule: Activation, inputs: np.ndarray, dropout: bool) -> None:
        self.rule, self.inputs = rule, inputs
        # With dropout, what goes into the next layer is not what tells the derivative.
        self.y = kernels.zeros(inputs.shape) if dropout else inputs
        self.factors = kernels.zeros(inputs.shape) if dropout else None
        told = rule.function is identity or rule.derivative_from_output is not None
        self.slopes = None if told else kernels.zeros(inputs.shape)


def _ones(kernels: CompiledKernels, shape: tuple[int, int]) -> np.ndarray:
    array = kernels.zeros(shape)
    array[...] = 1
    return array
