"""The training steps of one batch size, laid out as calls on preallocated arrays.

A block is a run of steps whose data are gathered at once. Each step of a block has its own part of the data
and leaves its loss in its own place; everything else is shared. So the Python work of a step is to make its
calls, one after the other.

Where a problem is large enough to be cut (`multimlp.training.engines.slices`), a step is two phases of tasks for several threads: the
slices of the batch forward and back, then the shares of the weights, gradient and update.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from multimlp.backend import Array, Call, Kernels, Phase, array_namespace
from multimlp.training.engines.base import Chunk, Problem
from multimlp.training.engines.inplace.heads import head_for
from multimlp.training.engines.inplace.layers import Dropout
from multimlp.training.engines.inplace.layout import Block
from multimlp.training.engines.inplace.passes import Arrays, Pass
from multimlp.training.engines.inplace.penalty import Penalty
from multimlp.training.engines.inplace.updates import Update
from multimlp.training.engines.slices import Rows

_BLOCK_BYTES = 1 << 18
"""About how much data a block gathers: little enough to stay in the cache until the steps read it."""
_MOST_STEPS = 64


class Program:
    """Steps on batches of one size.

    Parameters
    ----------
    problem : Problem
    kernels : Kernels
    blocks, gradients : sequence of Block
        The layers' places in the flat parameters and the flat gradient.
    update : Update
    penalties : callable
        ``penalties(steps)`` makes the penalties of a block of so many steps: one a share, one for all weights, or none.
    slices : sequence of slice
        Of the batch.
    shares : sequence of sequence of Rows
        Of the weights, in the order of the update's.
    labels, weighted : bool
        Whether targets are class labels, and whether the examples have weights.
    """

    def __init__(
        self,
        problem: Problem,
        kernels: Kernels,
        blocks: Sequence[Block],
        gradients: Sequence[Block],
        update: Update,
        penalties: Callable[[int], Sequence[Penalty]],
        slices: Sequence[slice],
        shares: Sequence[Sequence[Rows]],
        labels: bool,
        weighted: bool,
    ) -> None:
        self._kernels, self._gradients = kernels, gradients
        self._update, self._shares = update, shares
        self.batch = batch = slices[-1].stop
        self._cut = len(slices) > 1
        lead = () if problem.members is None else (problem.members,)
        model: Any = problem.model  # an `MLP`: see `coverage`
        widths = [block.weight.shape[-1] for block in blocks]
        fan_in, k = blocks[0].weight.shape[-2], widths[-1]
        itemsize = np.dtype(kernels.dtype).itemsize
        self.steps = min(_MOST_STEPS, max(1, _BLOCK_BYTES // (batch * (fan_in + k + 1) * itemsize)))
        inputs = kernels.filled((self.steps, batch, blocks[0].matrix.shape[-2]), 1.0)
        layers = [kernels.filled((*lead, block.matrix.shape[-2], batch), 1.0) for block in blocks[1:]]
        self._dropout, masks = None, []
        if model.dropout:
            self._dropout = Dropout(kernels, problem.seed, model.dropout, inputs)
            masks = [self._dropout.mask(i, (*lead, width, batch)) for i, width in enumerate(widths[:-1])]
        self._draws = [draw for _, draw in masks]
        signals = _signals(kernels, [(*lead, width, batch) for width in widths], kept=self._cut)
        self._arrays = Arrays(inputs, layers, signals, [factors for factors, _ in masks])
        kind = head_for(problem.loss)
        uniform = kind.is_uniform(problem.loss, labels, weighted)
        self._passes = [
            Pass(
                kernels,
                model.activations,
                blocks,
                None if self._cut else gradients,
                self._arrays,
                columns,
                kind(
                    kernels, problem.loss, self.steps, lead, k, columns.stop - columns.start, batch, uniform
                ),
            )
            for columns in slices
        ]
        self._penalties = penalties(self.steps)
        self._block: Any = None
        self._first_step = 0
        self._phases = [self._step(position) for position in range(self.steps)]

    # ---- running

    def run(self, chunk: Chunk, rows: Array, first_step: int) -> Array:
        """Steps on the examples in ``rows``, at most a block of whole batches; the sum of their mean losses,
        shape (...)."""
        steps = rows.shape[0] // self.batch
        self._block, self._first_step = (chunk, rows, steps), first_step
        self._update.prepare(steps)
        self._kernels.run([phase for phases in self._phases[:steps] for phase in phases])
        self._block = None
        kept = [part.head.losses(steps) for part in self._passes]
        kept += [penalty.values(steps) for penalty in self._penalties]
        losses = kept[0]
        for more in kept[1:]:
            losses = losses + more
        return array_namespace(self._arrays.inputs).sum(losses, axis=0)

    # ---- laying out

    def _step(self, position: int) -> list[Phase]:
        """The phases of a block's ``position``-th step."""
        phases: list[list[list[Call]]] = []
        dropout, update, penalties = self._dropout, self._update, self._penalties
        if dropout is not None:
            draws = [[draw] for draw in self._draws] if self._cut else [self._draws]
            phases += [[[lambda: dropout.begin(self._first_step + position)]], draws]
        phases.append([[*self._loading(position, part), *part.calls(position)] for part in self._passes])
        shares: list[list[Call]] = [[] for _ in self._shares]
        if self._cut:
            shares = [[self._gradient(part, position) for part in rows] for rows in self._shares]
        if len(penalties) == len(shares):
            shares = [[*calls, each.call(position)] for calls, each in zip(shares, penalties, strict=True)]
        elif penalties:
            phases.append([[each.call(position) for each in penalties]])
        if update.clip is not None:
            phases += [shares, [[update.clip]]]
            shares = [[] for _ in shares]
        phases.append([[*calls, *update.calls(position, i)] for i, calls in enumerate(shares)])
        return _joined(phases)

    def _loading(self, position: int, part: Pass) -> list[Call]:
        return [lambda: part.load(*self._block)] if position == 0 else []

    def _gradient(self, rows: Rows, position: int) -> Call:
        """The call that makes the gradient of some rows from the whole batch."""
        kernels, (inputs, layers, signals, _) = self._kernels, self._arrays
        x = layers[rows.layer - 1] if rows.layer else kernels.transposed(inputs[position])
        signal = kernels.transposed(signals[rows.layer])
        return kernels.product(
            x[rows.start : rows.stop], signal, self._gradients[rows.layer].matrix[rows.start : rows.stop]
        )


def _signals(kernels: Kernels, shapes: Sequence[tuple[int, ...]], kept: bool) -> list[Array]:
    """The gradients in the layers' outputs: two buffers in turn, since one layer's needs only the next
    one's, unless all are kept until the end of the step."""
    if kept:
        return [kernels.zeros(shape) for shape in shapes]
    lengths = [math.prod(shape) for shape in shapes]
    buffers = [kernels.zeros((max(lengths),)) for _ in lengths[:2]]
    return [
        buffers[i % 2][:length].reshape(shape)
        for i, (length, shape) in enumerate(zip(lengths, shapes, strict=True))
    ]


def _joined(phases: Iterable[Sequence[Sequence[Call]]]) -> list[Phase]:
    """Without tasks that have nothing to do; neighbours of one task are one phase."""
    found: list[Phase] = []
    for phase in phases:
        tasks = tuple(tuple(calls) for calls in phase if calls)
        if len(tasks) == 1 and found and len(found[-1]) == 1:
            found[-1] = ((*found[-1][0], *tasks[0]),)
        elif tasks:
            found.append(tasks)
    return found
