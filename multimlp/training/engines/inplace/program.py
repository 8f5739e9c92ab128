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
from functools import partial
from typing import Any, Protocol

import numpy as np

from multimlp.backend import Array, Call, Kernels, Phase, array_namespace
from multimlp.distributed import Window
from multimlp.losses import total_weight
from multimlp.training.engines.base import Chunk, Problem
from multimlp.training.engines.inplace.heads import head_for
from multimlp.training.engines.inplace.layers import Dropout
from multimlp.training.engines.inplace.layout import Block
from multimlp.training.engines.inplace.passes import Arrays, Pass
from multimlp.training.engines.inplace.penalty import Penalty
from multimlp.training.engines.inplace.runs import Runs
from multimlp.training.engines.inplace.scalars import MOST_STEPS
from multimlp.training.engines.own import WORDS, host_numbers
from multimlp.training.engines.slices import Rows


class Ending(Protocol):
    """What a step does with its gradient: an update of the parameters, or something else."""

    clip: Call | None
    """What comes before, with the gradient of all weights."""

    def prepare(self, steps: int) -> None:
        """Before so many steps."""

    def calls(self, position: int, share: int) -> Sequence[Call]:
        """The calls of a block's ``position``-th step for a share of the weights."""


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
    penalties : callable
        ``penalties(steps)`` makes the penalties of a block of so many steps: one a share, one for all weights, or none.
    slices : sequence of slice
        Of the batch.
    shares : sequence of sequence of Rows
        Of the weights, in the order of the ending's.
    labels, weighted : bool
        Whether targets are class labels, and whether the examples have weights.
    steps : int, optional
        The length of a block; by default as much as the cache holds.
    window : Window, optional
        Which rows of a batch these are: losses are shares of its mean then.
    """

    def __init__(
        self,
        problem: Problem,
        kernels: Kernels,
        blocks: Sequence[Block],
        gradients: Sequence[Block],
        ending: Ending,
        penalties: Callable[[int], Sequence[Penalty]],
        slices: Sequence[slice],
        shares: Sequence[Sequence[Rows]],
        labels: bool,
        weighted: bool,
        steps: int | None = None,
        window: Window | None = None,
    ) -> None:
        self._kernels, self._gradients = kernels, gradients
        self._ending, self._shares = ending, shares
        self.batch = batch = slices[-1].stop
        self._cut = len(slices) > 1
        lead = () if problem.members is None else (problem.members,)
        model: Any = problem.model  # an `MLP`: see `coverage`
        widths = [block.weight.shape[-1] for block in blocks]
        fan_in, k = blocks[0].weight.shape[-2], widths[-1]
        self.steps = steps or block_steps(kernels, batch, fan_in + k)
        inputs = kernels.filled((self.steps, batch, blocks[0].matrix.shape[-2]), 1.0)
        layers = [kernels.filled((*lead, block.matrix.shape[-2], batch), 1.0) for block in blocks[1:]]
        self._dropout, masks = None, []
        own = host_numbers(problem)
        if model.dropout or WORDS in own:
            self._dropout = Dropout(kernels, problem.seed, model.dropouts, inputs, self.steps, own, window)
            masks = [self._dropout.mask(i, (*lead, width, batch)) for i, width in enumerate(widths[:-1])]
        self._draws = [draw for _, draw in masks]
        signals = _signals(kernels, [(*lead, width, batch) for width in widths], kept=self._cut)
        self._arrays = Arrays(inputs, layers, signals, [factors for factors, _ in masks])
        kind = head_for(problem.loss)
        uniform = kind.is_uniform(problem.loss, labels, weighted)
        examples = batch if window is None else window.rows
        self._passes = [
            Pass(
                kernels,
                model.activations,
                blocks,
                None if self._cut else gradients,
                self._arrays,
                columns,
                kind(
                    kernels,
                    problem.loss,
                    self.steps,
                    lead,
                    k,
                    columns.stop - columns.start,
                    examples,
                    uniform,
                ),
            )
            for columns in slices
        ]
        self._penalties = penalties(self.steps)
        self._runs = Runs(kernels, [self._step(position) for position in range(self.steps)])

    # ---- running

    def run(self, chunk: Chunk, rows: Array, first_step: int) -> Array:
        """Steps on the examples in ``rows``, at most a block of whole batches; the sum of their mean losses,
        shape (...)."""
        self.load(chunk, rows, shares_of(chunk.weights, rows, self.batch))
        return self.run_loaded(rows.shape[0] // self.batch, first_step)

    def load(self, chunk: Chunk, rows: Array, weights: Array | None) -> None:
        """Gather the examples in ``rows``; ``weights`` (steps, batch) say how much each counts in its step's loss."""
        self._kernels.run([tuple((partial(part.load, chunk, rows, weights),) for part in self._passes)])

    def run_loaded(self, steps: int, first_step: int) -> Array:
        """`run` for the first steps of what was loaded."""
        self.prepare(steps, first_step)
        self._runs(steps)
        return self.losses(steps)

    def prepare(self, steps: int, first_step: int) -> None:
        """Before `phases` of so many steps are made."""
        self._ending.prepare(steps)
        if self._dropout is not None:
            self._dropout.prepare(first_step, steps)

    @property
    def phases(self) -> Sequence[Sequence[Phase]]:
        """Those of each step of a block, for who makes them between others."""
        return self._runs.phases

    def losses(self, steps: int) -> Array:
        """The sum of the mean losses of so many steps that were made, shape (...)."""
        kept = [part.head.losses(steps) for part in self._passes]
        kept += [penalty.values(steps) for penalty in self._penalties]
        losses = kept[0]
        for more in kept[1:]:
            losses = losses + more
        return losses.sum(0)

    # ---- laying out

    def _step(self, position: int) -> list[Phase]:
        """The phases of a block's ``position``-th step."""
        phases: list[list[list[Call]]] = []
        dropout, ending, penalties = self._dropout, self._ending, self._penalties
        if dropout is not None:
            draws = [[draw] for draw in self._draws] if self._cut else [self._draws]
            phases += [[[lambda: dropout.begin(position)]], draws]
        phases.append([part.calls(position) for part in self._passes])
        shares: list[list[Call]] = [[] for _ in self._shares]
        if self._cut:
            shares = [[self._gradient(part, position) for part in rows] for rows in self._shares]
        if len(penalties) == len(shares):
            shares = [[*calls, each.call(position)] for calls, each in zip(shares, penalties, strict=True)]
        elif penalties:
            phases.append([[each.call(position) for each in penalties]])
        if ending.clip is not None:
            phases += [shares, [[ending.clip]]]
            shares = [[] for _ in shares]
        phases.append([[*calls, *ending.calls(position, i)] for i, calls in enumerate(shares)])
        return _joined(phases)

    def _gradient(self, rows: Rows, position: int) -> Call:
        """The call that makes the gradient of some rows from the whole batch."""
        kernels, (inputs, layers, signals, _) = self._kernels, self._arrays
        x = layers[rows.layer - 1] if rows.layer else kernels.transposed(inputs[position])
        signal = kernels.transposed(signals[rows.layer])
        return kernels.product(
            x[rows.start : rows.stop], signal, self._gradients[rows.layer].matrix[rows.start : rows.stop]
        )


def block_steps(kernels: Kernels, batch: int, numbers: int) -> int:
    """The length of a block of batches whose examples are so many numbers each: as much as the cache holds."""
    itemsize = np.dtype(kernels.dtype).itemsize
    return min(MOST_STEPS, max(1, kernels.block_bytes // (batch * (numbers + 1) * itemsize)))


def shares_of(weights: Array | None, rows: Array, batch: int) -> Array | None:
    """How much each example counts in the mean of its batch, shape (steps, batch), from the weights of all; None without."""
    if weights is None:
        return None
    xp = array_namespace(weights)
    found = xp.reshape(xp.take(weights, rows, axis=0), (-1, batch))
    return found / total_weight(found)[:, None]


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
