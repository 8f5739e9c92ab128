"""The in-place engine: training in place on preallocated buffers, for libraries that compile no loops.

All parameters lie in one buffer, gradients and optimiser slots in others like it; activations and gradients
go into workspaces made once per batch size. In the steady state a step allocates nothing and does little more
than call the library.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from multimlp.backend import Array, Kernels
from multimlp.training.engines.base import Chunk, ChunkResult, Engine, Problem
from multimlp.training.engines.calls import steps_of_a_second
from multimlp.training.engines.inplace.coverage import why_not
from multimlp.training.engines.inplace.cuts import Cuts
from multimlp.training.engines.inplace.group import GroupProgram, joined_losses
from multimlp.training.engines.inplace.heads import SoftmaxHead, head_for
from multimlp.training.engines.inplace.layout import Layout
from multimlp.training.engines.inplace.penalty import Penalty
from multimlp.training.engines.inplace.program import Program
from multimlp.training.engines.inplace.updates import Update
from multimlp.training.engines.kept import make_room
from multimlp.training.engines.own import FACTORS, WORDS, first_state, host_numbers, with_own
from multimlp.tree import Tree

_STEP_SECONDS = 2e-5
"""Of calls, of a small network."""
_PROGRAMS_KEPT = 4
"""Batch sizes whose workspaces are kept: the full one, the last of an epoch, and what a stream brings."""


def build(problem: Problem, params: Tree, optimizer_state: Tree | None = None) -> Engine | str:
    """The in-place engine for a problem, or one sentence why the problem is not covered.

    Parameters
    ----------
    problem : Problem
    params : tuple of Dense
    optimizer_state : OptimizerState, optional
        To go on from; else ``optimizer.init(params)``.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp.training.engines import Chunk, Problem, inplace
    >>> mlp = mm.MLP(2, 3, 2)
    >>> problem = Problem(
    ...     mlp, mm.losses.get("cross_entropy"), mm.optimizers.adam(), None, mm.get_backend("numpy"), None,
    ...     "float64", None, batch_size=4, seed=0
    ... )
    >>> engine = inplace.build(problem, mlp.init(dtype="float64"))
    >>> data = Chunk(np.ones((8, 2)), np.zeros(8, dtype=np.int32), None)
    >>> engine.run(data, np.arange(8), 0).examples
    8
    """
    reason = why_not(problem, params)
    if reason is not None:
        return reason
    kernels = problem.backend.inplace_kernels(problem.dtype, problem.device)
    if kernels is None:
        return f"the {problem.backend.name} backend brings no in-place kernels"
    if optimizer_state is None:
        optimizer_state = first_state(problem, params)
    return InplaceEngine(problem, kernels, params, optimizer_state)


class InplaceEngine:
    """See the module; made by `build`."""

    name = "inplace"

    def __init__(self, problem: Problem, kernels: Kernels, params: Tree, optimizer_state: Tree) -> None:
        self.steps_per_call = steps_of_a_second(problem, params, _STEP_SECONDS)
        numbers = {k: v for k, v in host_numbers(problem).items() if k not in (WORDS, FACTORS)}
        problem = with_own(problem, numbers)
        self._problem, self._kernels, self._group = problem, kernels, problem.group
        if self._group is not None:
            kernels.recorder = None  # what travels to other processes is not recorded
        with kernels.running():
            self._layout = Layout(params, kernels)
            self._cuts = Cuts(problem, kernels, self._layout)
            self._p = self._layout.packed(params)
            self._g = kernels.zeros((self._layout.size,))
            self._update = Update(
                problem.optimizer,
                kernels,
                self._layout,
                self._p,
                self._g,
                optimizer_state,
                self._cuts.spans,
            )
        examples, self.own_threads = problem.batch_size, self._cuts.own_threads
        if self._group is not None:
            examples = max(window.size for window in self._group.windows(examples))
            self.own_threads = self._group.shards is not None  # see `sums.product_threads`
        products = (fan_in * fan_out for fan_in, fan_out in itertools.pairwise(self._layout.widths))
        self._operations = 2 * examples * max(products)
        self._programs: dict[tuple[int, bool, bool, int, str], Program | GroupProgram] = {}

    # ---- the Engine protocol

    def run(self, chunk: Chunk, order: np.ndarray, first_step: int) -> ChunkResult:
        total: Array = 0.0
        with self._kernels.threads(self._operations, self.own_threads), self._kernels.running():
            rows = self._kernels.indices(order)
            step = first_step
            for program, start, stop in self._pieces(chunk, len(order)):
                total = total + program.run(chunk, rows[start:stop], step) * program.batch
                step += (stop - start) // program.batch
            if self._group is not None:
                total = joined_losses(self._group, self._kernels, total)
        return ChunkResult(total, len(order))

    def params(self) -> Tree:
        return self._layout.unpacked(self._p)

    def optimizer_state(self) -> Tree:
        return self._update.state()

    def finish(self) -> tuple[Tree, Tree]:
        return self.params(), self._update.state(copies=False)

    # ---- programs

    def _pieces(self, chunk: Chunk, count: int) -> Iterator[tuple[Program | GroupProgram, int, int]]:
        """The programs to run and the examples of each, in order."""
        size = self._problem.batch_of(count)
        whole = count - count % size
        if whole:
            program = self._program(chunk, size)
            block = program.steps * size
            for start in range(0, whole, block):
                yield program, start, min(start + block, whole)
        if count > whole:
            yield self._program(chunk, count - whole), whole, count

    def _program(self, chunk: Chunk, batch: int) -> Program | GroupProgram:
        labels = chunk.targets.ndim == 1 and head_for(self._problem.loss) is SoftmaxHead
        weighted = chunk.weights is not None
        # What a head keeps targets in is made for the first ones: a stream may bring labels, and then probabilities.
        kind = chunk.targets.ndim, self._kernels.backend.dtype_name(chunk.targets.dtype)
        key = (batch, labels, weighted, *kind)
        if key not in self._programs:
            make_room(self._programs, _PROGRAMS_KEPT, self._problem.batch_size)
            self._programs[key] = (self._built if self._group is None else self._shared)(
                batch, labels, weighted
            )
        return self._programs[key]

    def _built(self, batch: int, labels: bool, weighted: bool) -> Program:
        blocks, gradients = self._layout.blocks(self._p), self._layout.blocks(self._g)
        return Program(
            self._problem,
            self._kernels,
            blocks,
            gradients,
            self._update,
            self._penalties,
            self._cuts.examples(batch),
            self._cuts.shares,
            labels,
            weighted,
        )

    def _shared(self, batch: int, labels: bool, weighted: bool) -> GroupProgram:
        buffers = self._layout, self._p, self._g
        return GroupProgram(
            self._problem, self._kernels, buffers, self._update, self._penalties, batch, labels, weighted
        )

    def _penalties(self, steps: int) -> list[Penalty]:
        regularizer: Any = self._problem.regularizer  # a `Regularizer`: see `coverage`
        if regularizer is None:
            return []
        spans = self._cuts.spans if self._problem.members is None else [slice(0, self._layout.size)]
        return [
            Penalty(regularizer, self._kernels, self._layout, self._p, self._g, span, steps) for span in spans
        ]
