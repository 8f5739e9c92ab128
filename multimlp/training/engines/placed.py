"""Steps whose state lies on several devices."""

from __future__ import annotations

import numpy as np

from multimlp import tree
from multimlp.backend import Array
from multimlp.distributed import Placement
from multimlp.training.engines.base import Chunk, ChunkResult, Problem
from multimlp.training.engines.objective import Arrays
from multimlp.training.engines.portable import PortableEngine
from multimlp.tree import Tree


def placement_of(problem: Problem) -> Placement:
    """Where the state of a problem lies that says so."""
    if problem.placement is not None:
        return problem.placement
    assert problem.group is not None
    assert problem.group.workers is not None
    return problem.group.workers


class Placed:
    """Chunks where the state is; data in memory come again in each epoch."""

    def __init__(self, problem: Problem) -> None:
        self._backend, self._place = problem.backend, placement_of(problem).place
        self._last: tuple[Chunk, Chunk] | None = None

    def __call__(self, chunk: Chunk) -> Chunk:
        if self._last is None or self._last[0] is not chunk:
            with self._backend.scope_of(*tree.leaves(chunk)):
                self._last = chunk, tree.map(self._place, chunk)
        return self._last[1]


class PlacedEngine(PortableEngine):
    """The portable engine of a problem whose state lies on several devices, or is that of several processes."""

    def __init__(self, problem: Problem, params: Tree, optimizer_state: Tree | None = None) -> None:
        super().__init__(problem, params, optimizer_state)
        self._placement = where = placement_of(problem)
        with problem.backend.scope_of(*self._leaves):
            self._leaves = tuple(where.place_state(leaf) for leaf in self._leaves)
            self._own = tuple(where.place_state(numbers) for numbers in self._own)
            self._key, self._no_loss = where.place(self._key), where.place_state(self._no_loss)
        self._there = Placed(problem)

    def run(self, chunk: Chunk, order: np.ndarray, first_step: int) -> ChunkResult:
        result = super().run(self._there(chunk), order, first_step)
        return result._replace(loss=self._locally(result.loss)[0])

    def params(self) -> Tree:
        return self._safe(self._rebuild(self._locally(*self._leaves))[0])

    def optimizer_state(self) -> Tree:
        return self._safe(self._rebuild(self._locally(*self._leaves))[1])

    def finish(self) -> tuple[Tree, Tree]:
        params, state = self._rebuild(self._locally(*self._leaves))
        return params, state

    def _locally(self, *arrays: Array) -> Arrays:
        with self._problem.backend.scope_of(*arrays):
            return tuple(self._placement.local(array) for array in arrays)

    def _safe(self, state: Tree) -> Tree:
        return tree.map(self._problem.backend.protect, state)
