"""Compiled steps of which each worker makes its part: devices of this process, or processes (`multimlp.backend.Workers`).

As in a group that sums on the host, a step is a gradient of one's own rows, a sum, and an update that everybody makes; but here all steps
over a chunk are one program, with the sum inside. Where all workers run the same program, rows that do not divide take no arrays of other
shapes: the window of each worker is as long as the longest, and what it has of its neighbour's rows counts nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Array, Function, array_namespace
from multimlp.distributed import Workers, add_pairs
from multimlp.training.engines.base import Chunk, ChunkResult, Problem
from multimlp.training.engines.group import GroupProgram
from multimlp.training.engines.mixed import ScaledProgram
from multimlp.training.engines.objective import Arrays
from multimlp.training.engines.portable import PortableEngine, Program
from multimlp.tree import Tree


class Shares:
    """The sum of what the workers make of their rows of a batch, as part of a program.

    Parameters
    ----------
    problem : Problem
        With a group that has workers.
    share : callable ``((*given, start, rows, everyone, *data), counted=None) -> (flat,)``
        Of some rows of a batch, of which ``start`` is the first one's place in it; ``counted`` is which of them count.
    compiled : callable
        The same as a program of its own, without ``counted``.
    """

    def __init__(self, problem: Problem, share: Callable[..., Arrays], compiled: Function) -> None:
        group = problem.group
        assert group is not None and group.workers is not None
        self._backend, self._share, self._compiled = problem.backend, share, compiled
        self._workers: Workers = group.workers
        self._sharded = group.shards is not None
        self._own = group.shards // self._workers.size if group.shards is not None else 1

    def __call__(self, given: Arrays, rows: Array, data: Sequence[Array]) -> Array:
        """Of the batch of all ``rows``; the same bits on each worker."""
        workers, own = self._workers, self._own
        pieces = workers.size * own
        cuts = np.asarray([i * int(rows.shape[0]) // pieces for i in range(pieces + 1)], dtype=np.int32)
        parts = (self._alike if workers.uniform else self._apart)(given, rows, data, cuts)
        return self._in_pairs(parts) if self._sharded else workers.sum(parts[0])

    def _apart(self, given: Arrays, rows: Array, data: Sequence[Array], cuts: np.ndarray) -> list[Array]:
        """Each worker's program is its own and knows which rows are its."""
        first = int(self._workers.index(rows)) * self._own

        def one(start: int, stop: int) -> Array:
            place = self._backend.asarray(np.asarray(start), dtype="int32")
            return self._compiled((*given, place, rows[start:stop], rows, *data))[0]

        return [one(int(cuts[i]), int(cuts[i + 1])) for i in range(first, first + self._own)]

    def _alike(self, given: Arrays, rows: Array, data: Sequence[Array], cuts: np.ndarray) -> list[Array]:
        """One program, in which it is known from an array which worker runs it."""
        xp, sizes = array_namespace(rows), np.diff(cuts)
        table = self._backend.asarray(cuts, dtype="int32")
        window = xp.arange(int(sizes.max()), dtype=xp.int32)
        uneven = int(sizes.min()) < int(sizes.max())
        first = self._workers.index(rows) * self._own

        def one(number: Array) -> Array:
            place = xp.reshape(xp.take(table, xp.reshape(first + number, (1,)), axis=0), ())
            inside = place + window
            end = xp.take(table, xp.reshape(first + number + 1, (1,)), axis=0)
            counted = inside < end if uneven else None
            return self._share((*given, place, xp.take(rows, inside, axis=0), rows, *data), counted)[0]

        if not self._sharded:
            return [one(xp.zeros_like(first))]
        numbers = xp.arange(self._own, dtype=xp.int32)
        _, (stacked,) = self._backend.scan(lambda _, items: ((), (one(items[0]),)), (), (numbers,), self._own)
        return [stacked[i, ...] for i in range(self._own)]

    def _in_pairs(self, parts: list[Array]) -> Array:
        """The tree over all shards, of which each worker adds its part before anything travels."""
        workers = self._workers
        mine = add_pairs(parts, operator.add, all_of_them=False)
        xp, each = array_namespace(mine[0]), len(mine)
        rows = workers.gather(mine[0] if each == 1 else xp.concat(mine))
        rows = xp.reshape(rows, (workers.size * each, -1))
        return add_pairs([rows[i, ...] for i in range(workers.size * each)], operator.add)[0]


class SpreadProgram(GroupProgram):
    """All steps over a chunk, by all workers."""

    def __init__(self, problem: Problem, state: Tree) -> None:
        super().__init__(problem, state)
        assert problem.group is not None and problem.group.workers is not None
        self._total = Shares(problem, self.share, self.gradient)
        self.run = problem.group.workers.compile(self._chunk, problem.compiler, self._count)

    def _step(
        self, state: Arrays, key: Array, number: Array, rows: Array, data: list[Any]
    ) -> tuple[Arrays, Array]:
        flat = self._total((*state, key, number), rows, data)
        *leaves, mean = self.update((*state, flat))
        return tuple(leaves), mean


class ScaledSpreadProgram(ScaledProgram, SpreadProgram):
    """The same with the model at the scale that the optimiser's state holds."""


class SpreadEngine(PortableEngine):
    """The portable engine of a group that has workers: its state lies where they are."""

    program: type[Program] = SpreadProgram

    def __init__(self, problem: Problem, params: Tree, optimizer_state: Tree | None = None) -> None:
        super().__init__(problem, params, optimizer_state)
        assert problem.group is not None and problem.group.workers is not None
        self._workers: Workers = problem.group.workers
        place = self._workers.place
        with problem.backend.scope_of(*self._leaves):
            self._leaves = tuple(place(leaf) for leaf in self._leaves)
            self._key, self._no_loss = place(self._key), place(self._no_loss)
        self._placed: tuple[Chunk, Chunk] | None = None

    def run(self, chunk: Chunk, order: np.ndarray, first_step: int) -> ChunkResult:
        result = super().run(self._there(chunk), order, first_step)
        return result._replace(loss=self._workers.local(result.loss))

    def _there(self, chunk: Chunk) -> Chunk:
        """The chunk where the workers are; data in memory come again in each epoch."""
        if self._placed is None or self._placed[0] is not chunk:
            with self._problem.backend.scope_of(*tree.leaves(chunk)):
                self._placed = chunk, tree.map(self._workers.place, chunk)
        return self._placed[1]

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
