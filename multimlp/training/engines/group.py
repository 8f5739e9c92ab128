"""The portable engine of a group of processes: each makes the gradient of its rows, one sum joins them, each makes the same update.

Where the backend compiles, the gradient and the update are a program each; the sum is between them, on the host or by the library's own
means.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp import random, tree
from multimlp.backend import Array
from multimlp.distributed import Group, Window
from multimlp.training.engines.base import Chunk, ChunkResult, Problem, compile_program
from multimlp.training.engines.calls import OF_GROUP
from multimlp.training.engines.mixed import ScaledProgram
from multimlp.training.engines.objective import Arrays, flat_share, flat_size, nothing, with_penalty
from multimlp.training.engines.portable import PortableEngine, Program
from multimlp.training.engines.sums import product_threads, total
from multimlp.tree import Tree


class GroupProgram(Program):
    """A step in two parts, as functions of flat arrays: `gradient` and `update`."""

    def __init__(self, problem: Problem, state: Tree) -> None:
        self._problem = problem
        leaves, self._rebuild = tree.flatten(state)
        self._count = count = len(leaves)
        self._own: tuple[str, ...] = ()
        self._windowed = getattr(problem.model, "dropout", 0.0) > 0

        def update(arrays: Arrays) -> Arrays:
            """Of the state and the sum of the gradients: the new state and the mean loss."""
            params, optimizer_state = self._rebuild(arrays[:count])
            flat, rebuild = tree.flatten(params)
            mean, gradients = with_penalty(self._problem, rebuild, tuple(flat), arrays[count])
            new = self._problem.optimizer.update(rebuild(gradients), optimizer_state, params)
            return (*tree.leaves(new), mean)

        self.gradient = compile_program(problem, self.share)
        self.update = compile_program(problem, update, count)

    def share(self, arrays: Arrays, counted: Array | None = None) -> Arrays:
        """Of the state, the key, the number of the step, the first row's place, some rows, those of the whole batch, and the data: what
        the rows add to the gradient and the mean loss, or those of them which are counted."""
        params, optimizer_state = self._rebuild(arrays[: self._count])
        key, step, start, rows, everyone, *data = arrays[self._count :]
        flat, rebuild = tree.flatten(params)
        problem = self.current(optimizer_state)
        place = start if self._windowed else None
        key = random.fold_in(key, step)
        return (flat_share(problem, rebuild, tuple(flat), key, data, rows, everyone, place, step, counted),)


class ScaledGroupProgram(ScaledProgram, GroupProgram):
    """The same with the model at the scale that the optimiser's state holds."""


class GroupEngine(PortableEngine):
    """See the module."""

    program: type[Program] = GroupProgram

    def __init__(self, problem: Problem, params: Tree, optimizer_state: Tree | None = None) -> None:
        super().__init__(problem, params, optimizer_state)
        self.name = "steps"
        self.steps_per_call = OF_GROUP
        group = problem.group
        assert group is not None
        self._group: Group = group
        self._size = flat_size(problem, params)

    def run(self, chunk: Chunk, order: np.ndarray, first_step: int) -> ChunkResult:
        problem, loss = self._problem, self._no_loss
        with product_threads(problem), problem.backend.scope_of(*self._leaves):
            data, size = tuple(tree.leaves(chunk)), problem.batch_of(len(order))
            for number, start in enumerate(range(0, len(order), size)):
                rows = order[start : start + size]
                loss = loss + self._step(rows, first_step + number, data) * float(len(rows))
        return ChunkResult(loss, len(order))

    def _step(self, rows: np.ndarray, step: int, data: tuple[Any, ...]) -> Array:
        everyone, number = self._indices(rows), self._indices(np.asarray(step))
        program: Any = self._program

        def share(window: Window) -> Array:
            if not window.size:
                return nothing(self._problem, self._size)
            start, mine = self._indices(np.asarray(window.start)), self._indices(rows[window.taken])
            found: Array = program.gradient((*self._leaves, self._key, number, start, mine, everyone, *data))[
                0
            ]
            return found

        parts = [share(window) for window in self._group.windows(len(rows))]
        flat = total(self._group, self._problem.backend, parts)
        *leaves, mean = program.update((*self._leaves, flat))
        self._leaves = tuple(leaves)
        return mean


class ScaledGroupEngine(GroupEngine):
    """For `multimlp.training.engines.mixed.ScaledOptimizer`."""

    program = ScaledGroupProgram
