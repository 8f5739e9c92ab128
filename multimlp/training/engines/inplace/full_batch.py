"""L-BFGS on flat buffers: parameters, gradients and differences are vectors from beginning to end."""

from __future__ import annotations

from multimlp.optimizers import LBFGS
from multimlp.training.engines.base import Chunk, Problem
from multimlp.training.engines.full_batch import FullBatchEngine
from multimlp.training.engines.inplace.objective import FlatObjective, objective
from multimlp.tree import Tree


def build_full_batch(
    problem: Problem, params: Tree, optimizer_state: Tree | None = None
) -> FullBatchEngine | str:
    """The engine for a problem, or one sentence why the problem is not covered."""
    if type(problem.optimizer) is not LBFGS:
        return f"{problem.optimizer.name} wants parameters as trees"
    found = objective(problem, params)
    return found if isinstance(found, str) else FlatFullBatchEngine(problem, found, params, optimizer_state)


class FlatFullBatchEngine(FullBatchEngine):
    """See the module; made by `build_full_batch`."""

    def __init__(
        self, problem: Problem, objective: FlatObjective, params: Tree, optimizer_state: Tree | None
    ) -> None:
        super().__init__(problem, params, optimizer_state)
        self._objective = objective
        with objective.kernels.running():
            self._vector = objective.packed(params)
            self._state = objective.vectors.taken(self._state)

    def params(self) -> Tree:
        return self._objective.unpacked(self._vector)

    def optimizer_state(self) -> Tree:
        return self._objective.vectors.given(self._state)

    def finish(self) -> tuple[Tree, Tree]:
        return self.params(), self.optimizer_state()

    def _iterate(self, chunk: Chunk, step: int) -> None:
        objective = self._objective
        with objective.kernels.running():
            objective.use(chunk)
            with objective.threads():
                self._vector, self._state = self._problem.optimizer.flat_step(
                    lambda vector: objective(vector, step), self._vector, self._state, objective.vectors
                )
