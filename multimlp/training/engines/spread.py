"""Compiled steps of which each worker makes its part: devices of this process, or processes (`multimlp.distributed.Workers`).

As in a group that sums on the host, a step is a gradient of one's own rows, a sum, and an update that everybody makes; but here all steps
over a chunk are one program, with the sums inside.
"""

from __future__ import annotations

from typing import Any

from multimlp.backend import Array
from multimlp.training.engines.base import Problem
from multimlp.training.engines.group import GroupProgram
from multimlp.training.engines.mixed import ScaledProgram
from multimlp.training.engines.objective import Arrays
from multimlp.training.engines.own import Numbers
from multimlp.training.engines.placed import PlacedEngine
from multimlp.training.engines.shares import Shares, workers_of
from multimlp.tree import Tree


class SpreadProgram(GroupProgram):
    """All steps over a chunk, by all workers."""

    def __init__(self, problem: Problem, state: Tree) -> None:
        super().__init__(problem, state)
        self._total = Shares(problem, self.share, self.gradient)
        self.run = workers_of(problem).compile(
            self._chunk, problem.compiler, self._count, apart=self._total.sharded
        )

    def _step(
        self, state: Arrays, key: Array, number: Array, rows: Array, own: Numbers, data: list[Any]
    ) -> tuple[Arrays, Array]:
        flat = self._total((*state, key, number), rows, data)
        *leaves, mean = self._total.sealed(self.update)((*state, flat))
        return tuple(leaves), mean


class ScaledSpreadProgram(ScaledProgram, SpreadProgram):
    """The same with the model at the scale that the optimiser's state holds."""


class SpreadEngine(PlacedEngine):
    """The portable engine of a group that has workers."""

    program = SpreadProgram


class ScaledSpreadEngine(SpreadEngine):
    """For `multimlp.training.engines.mixed.ScaledOptimizer`."""

    program = ScaledSpreadProgram
