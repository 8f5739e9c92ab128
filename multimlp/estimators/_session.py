"""One training engine over any number of epochs and calls: what `fit` and `partial_fit` share."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import is_array
from multimlp.mlp import Params
from multimlp.training.engines import Chunk, Problem, choose
from multimlp.tree import Tree


class Session:
    """Training under way: parameters and optimiser state live in the engine, compiled code is kept.

    Parameters
    ----------
    problem : Problem
    params : tuple of Dense
        On the problem's backend and device.
    optimizer_state : tree, optional
        To go on from.
    """

    def __init__(self, problem: Problem, params: Params, optimizer_state: Tree = None) -> None:
        self.problem = problem
        self._engine, _ = choose(problem, params, optimizer_state)
        self._steps = 0
        self.member_loss = np.empty(0)

    def epoch(self, chunk: Chunk, rows: np.ndarray) -> float:
        """Train on the rows in this order; the mean loss, averaged over the members (that are finite) of an
        ensemble."""
        result = self._engine.run(chunk, rows, self._steps)
        self._steps += -(-len(rows) // self.problem.batch_size)
        total = result.loss
        host = self.problem.backend.to_numpy(total) if is_array(total) else np.asarray(total)
        self.member_loss = np.atleast_1d(np.asarray(host, dtype=np.float64)) / result.examples
        finite = self.member_loss[np.isfinite(self.member_loss)]
        return float(finite.mean()) if finite.size else float("nan")

    def params(self) -> Params:
        """The current parameters; safe to keep."""
        return self._engine.params()

    def optimizer_state(self) -> Tree:
        """The optimiser's state, where it computes."""
        return self._engine.optimizer_state()

    def host_optimizer_state(self) -> Tree:
        """The optimiser's state as NumPy arrays."""
        backend = self.problem.backend
        return tree.map(lambda leaf: np.array(backend.to_numpy(leaf)), self.optimizer_state())

    def use(self, optimizer: Any) -> None:
        """Go on with another optimiser of the same kind, such as one with a lower learning rate; its state is
        kept."""
        self.problem = dataclasses.replace(self.problem, optimizer=optimizer)
        self._engine, _ = choose(self.problem, self._engine.params(), self.optimizer_state())
