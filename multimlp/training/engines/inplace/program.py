"""The training steps of one batch size, laid out as a list of calls on preallocated arrays.

A block is a run of steps whose data are gathered at once. Each step of a block has its own part of the data
and leaves its loss in its own place; everything else is shared. So the Python work of a step is to make its
calls, one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from multimlp.activations import Activation
from multimlp.backend import Array, Call, Kernels, array_namespace
from multimlp.training.engines.base import Chunk, Problem
from multimlp.training.engines.inplace.heads import Head, head_for
from multimlp.training.engines.inplace.layers import Dropout, Hidden, hidden_layer
from multimlp.training.engines.inplace.layout import Block
from multimlp.training.engines.inplace.penalty import Penalty
from multimlp.training.engines.inplace.runs import Runs
from multimlp.training.engines.inplace.scalars import MOST_STEPS


class Ending(Protocol):
    """What a step does with its gradient: an update of the parameters, or something else."""

    def prepare(self, steps: int) -> None:
        """Before so many steps."""

    def calls(self, position: int) -> Sequence[Call]:
        """The calls of a block's ``position``-th step."""


class Program:
    """Steps on batches of one size.

    Parameters
    ----------
    problem : Problem
    kernels : Kernels
    blocks, gradients : sequence of Block
        The layers' places in the flat parameters and the flat gradient.
    ending : Ending
        What is done with each step's gradient.
    penalty : callable
        ``penalty(steps)`` makes the `Penalty` for a block of so many steps, or None.
    batch : int
    labels, weighted : bool
        Whether targets are class labels, and whether the examples have weights.
    steps : int, optional
        The length of a block; by default as much as the cache holds.
    """

    def __init__(
        self,
        problem: Problem,
        kernels: Kernels,
        blocks: Sequence[Block],
        gradients: Sequence[Block],
        ending: Ending,
        penalty: Callable[[int], Penalty | None],
        batch: int,
        labels: bool,
        weighted: bool,
        steps: int | None = None,
    ) -> None:
        self._problem, self._kernels, self._blocks, self._gradients = problem, kernels, blocks, gradients
        self._ending, self.batch = ending, batch
        self._lead = () if problem.members is None else (problem.members,)
        model: Any = problem.model  # an `MLP`: see `coverage`
        self._rules: tuple[Activation, ...] = model.activations
        self._widths = [block.weight.shape[-1] for block in blocks]
        fan_in, k = blocks[0].weight.shape[-2], self._widths[-1]
        numbers = batch * (fan_in + k + 1)
        itemsize = np.dtype(kernels.dtype).itemsize
        self.steps = steps or min(MOST_STEPS, max(1, kernels.block_bytes // (numbers * itemsize)))
        kind = head_for(problem.loss)
        self._head: Head = kind(
            kernels,
            problem.loss,
            self.steps,
            self._lead,
            k,
            batch,
            kind.is_uniform(problem.loss, labels, weighted),
        )
        self._inputs = kernels.filled((self.steps, batch, blocks[0].matrix.shape[-2]), 1.0)
        self._penalty = penalty(self.steps)
        self._dropout = None
        if model.dropout:
            self._dropout = Dropout(kernels, problem.seed, model.dropout, self._inputs, self.steps)
        self._runs = Runs(kernels, self._lay_out())

    # ---- running

    def run(self, chunk: Chunk, rows: Array, first_step: int) -> Array:
        """Steps on the examples in ``rows``, at most a block of whole batches; the sum of their mean losses,
        shape (...)."""
        steps = rows.shape[0] // self.batch
        weights = None
        if chunk.weights is not None:
            xp = array_namespace(chunk.weights)
            weights = xp.reshape(xp.take(chunk.weights, rows, axis=0), (steps, self.batch))
            weights = weights / xp.sum(weights, axis=1, keepdims=True)
        self.load(chunk, rows, weights)
        return self.run_loaded(steps, first_step)

    def run_loaded(self, steps: int, first_step: int) -> Array:
        """`run` for the first steps of what was loaded."""
        self._ending.prepare(steps)
        if self._dropout is not None:
            self._dropout.prepare(first_step, steps)
        self._runs(steps)
        losses = self._head.losses(steps)
        if self._penalty is not None:
            losses = losses + self._penalty.values(steps)
        return losses.sum(0)

    def load(self, chunk: Chunk, rows: Array, weights: Array | None) -> None:
        """Gather the examples in ``rows``; ``weights`` (steps, batch) say how much each counts in its step's loss."""
        steps, fan_in = rows.shape[0] // self.batch, chunk.inputs.shape[1]
        flat = self._inputs[:steps].reshape((steps * self.batch, self._inputs.shape[-1]))
        self._kernels.gather(chunk.inputs, rows, flat[:, :fan_in])
        self._head.load(array_namespace(chunk.inputs).take(chunk.targets, rows, axis=0), weights)

    # ---- laying out

    def _lay_out(self) -> list[tuple[Call, ...]]:
        """The calls of each step of a block."""
        kernels, blocks = self._kernels, self._blocks
        signals = self._signals()
        forward: list[Call] = []  # all but the first product, which reads the step's own data
        backward: list[Call] = []  # all but the last product, likewise
        below = first = None
        for i, signal in enumerate(signals):
            if i + 1 < len(signals):
                inputs = kernels.filled((*self._lead, blocks[i + 1].matrix.shape[-2], self.batch), 1.0)
                outputs = inputs[..., : self._widths[i], :]
                hidden = hidden_layer(kernels, self._rules[i], i, outputs, signal, self._dropout)
            else:
                inputs, hidden = None, Hidden(kernels.zeros(signal.shape), [], [])
            if below is None:
                first = hidden.z
            else:
                forward.append(kernels.product(kernels.transposed(blocks[i].matrix), below, hidden.z))
                backward = [
                    kernels.product(below, kernels.transposed(signal), self._gradients[i].matrix),
                    kernels.product(blocks[i].weight, signal, signals[i - 1]),
                    *backward,
                ]
            forward += hidden.forward
            backward = hidden.backward + backward
            below = inputs
        return [self._step(s, first, hidden.z, forward, backward, signals) for s in range(self.steps)]

    def _step(
        self,
        position: int,
        first: Array,
        outputs: Array,
        forward: list[Call],
        backward: list[Call],
        signals: list[Array],
    ) -> tuple[Call, ...]:
        kernels, dropout, penalty = self._kernels, self._dropout, self._penalty
        x = kernels.transposed(self._inputs[position])
        begin = [] if dropout is None else [lambda: dropout.begin(position)]
        return (
            *begin,
            kernels.product(kernels.transposed(self._blocks[0].matrix), x, first),
            *forward,
            self._head.step(position, outputs, signals[-1]),
            *backward,
            kernels.product(x, kernels.transposed(signals[0]), self._gradients[0].matrix),
            *([] if penalty is None else [penalty.call(position)]),
            *self._ending.calls(position),
        )

    def _signals(self) -> list[Array]:
        """The gradients in the layers' outputs: two buffers in turn, since one layer's needs only the next
        one's."""
        lengths = [math.prod(self._lead) * width * self.batch for width in self._widths]
        buffers = [self._kernels.zeros((max(lengths),)) for _ in lengths[:2]]
        return [
            buffers[i % 2][:length].reshape((*self._lead, width, self.batch))
            for i, (length, width) in enumerate(zip(lengths, self._widths, strict=True))
        ]
