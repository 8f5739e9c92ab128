"""Compiled steps of which each worker makes its part: devices of this process, or processes (`multimlp.distributed.Workers`).

As in a group that sums on the host, a step is a gradient of one's own rows, a sum, and an update that everybody makes; but here all steps
over a chunk are one program, with the sums inside.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Array
from multimlp.training.engines.base import Chunk, ChunkResult, Problem
from multimlp.training.engines.group import GroupProgram
from multimlp.training.engines.mixed import ScaledProgram
from multimlp.training.engines.objective import Arrays
from multimlp.training.engines.portable import PortableEngine, Program
from multimlp.training.engines.shares import Placed, Shares, workers_of
from multimlp.tree import Tree


class SpreadProgram(GroupProgram):
    """All steps over a chunk, by all workers."""

    def __init__(self, problem: Problem, state: Tree) -> None:
        super().__init__(problem, state)
        self._total = Shares(problem, self.share, self.gradient)
        self.run = workers_of(problem).compile(self._chunk, problem.compiler, self._count)

    def _step(
        self, state: Arrays, key: Array, number: Array, rows: Array, data: list[Any]
    ) -> tuple[Arrays, Array]:
        flat = self._total((*state, key, number), rows, data)
        *leaves, mean = self._total.sealed(self.update)((*state, flat))
        return tuple(leaves), mean


class ScaledSpreadProgram(ScaledProgram, SpreadProgram):
    """The same with the model at the scale that the optimiser's state holds."""


class SpreadEngine(PortableEngine):
    """The portable engine of a group that has workers: its state lies where they are."""

    program: type[Program] = SpreadProgram

    def __init__(self, problem: Problem, params: Tree, optimizer_state: Tree | None = None) -> None:
        super().__init__(problem, params, optimizer_state)
        self._workers = workers_of(problem)
        place = self._workers.place
        with problem.backend.scope_of(*self._leaves):
            self._leaves = tuple(place(leaf) for leaf in self._leaves)
            self._key, self._no_loss = place(self._key), place(self._no_loss)
        self._there = Placed(problem)

    def run(self, chunk: Chunk, order: np.ndarray, first_step: int) -> ChunkResult:
        result = super().run(self._there(chunk), order, first_step)
        return result._replace(loss=self._workers.local(result.loss))

    def params(self) -> Tree:
        return self._safe(self._rebuild(self._here())[0])

    def optimizer_state(self) -> Tree:
        return self._safe(self._rebuild(self._here())[1])

    def finish(self) -> tuple[Tree, Tree]:
        params, state = self._rebuild(self._here())
        return params, state

    def _here(self) -> Arrays:
        return tuple(self._workers.local(leaf) for leaf in self._leaves)

    def _safe(self, state: Tree) -> Tree:
        return tree.map(self._problem.backend.protect, state)


class ScaledSpreadEngine(SpreadEngine):
    """For `multimlp.training.engines.mixed.ScaledOptimizer`."""

    program = ScaledSpreadProgram
