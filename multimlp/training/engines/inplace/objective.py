"""The loss of all data and its gradient, as a function of the flat parameters."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np

from multimlp.backend import Array, Kernels, Target, owner
from multimlp.training.engines.base import Chunk, Problem
from multimlp.training.engines.inplace.coverage import why_no_gradient
from multimlp.training.engines.inplace.layout import Layout
from multimlp.training.engines.inplace.penalty import Penalty
from multimlp.training.engines.inplace.pieces import Pieces
from multimlp.training.engines.sums import total
from multimlp.training.engines.vectors import BufferVectors, host_kernels
from multimlp.tree import Tree


class FlatObjective:
    """``objective(vector, step) -> (value, gradient)``, the gradient a vector of its own; made by `objective`.

    Vectors are as `vectors` takes them, one of all parameters.

    Parameters
    ----------
    problem : Problem
    kernels : Kernels
    params : tuple of Dense
        For their shapes.
    """

    def __init__(self, problem: Problem, kernels: Kernels, params: Tree) -> None:
        self._problem, self.kernels = problem, kernels
        with kernels.running():
            self.layout = Layout(params, kernels)
            self._p, self._g = kernels.zeros((self.layout.size,)), kernels.zeros((self.layout.size,))
            self._views: tuple[Any, Any] = kernels.host_view(self._p), kernels.host_view(self._g)
            home = Target(problem.backend, problem.device, problem.dtype)
            if self._views[0] is None:
                self._views = self._p, self._g
                self.vectors = BufferVectors(kernels, self.layout.size)
            else:
                self.vectors = BufferVectors(host_kernels(problem.dtype), self.layout.size, home)
            self._penalty = None
            regularizer: Any = problem.regularizer  # a `Regularizer`: see `coverage`
            if regularizer is not None:
                inside, (p, g) = self.vectors.kernels, self._views
                everything = slice(0, self.layout.size)
                self._penalty = Penalty(regularizer, inside, Layout(params, inside), p, g, everything, 1)
                self._add_penalty = self._penalty.call(0)
        self._chunk: Chunk | None = None
        self._parts: list[tuple[Any, Array]] = []
        self._own_threads = problem.group is not None and problem.group.shards is not None

    def use(self, chunk: Chunk) -> None:
        """Take the data that the objective is about."""
        if chunk is not self._chunk:
            self._chunk = chunk
            self._parts = self._laid_out(chunk)
            largest = max(math.prod(block.weight.shape) for block in self.layout.blocks(self._p))
            self.operations = 2 * max(pieces.batch if pieces else 1 for pieces, _ in self._parts) * largest

    def threads(self) -> contextlib.AbstractContextManager[Any]:
        """The setting of threads in which the objective is computed."""
        return self.kernels.threads(self.operations, self._own_threads)

    def _laid_out(self, chunk: Chunk) -> list[tuple[Any, Array]]:
        """The pieces of each window of the rows that this process takes, None for no rows, and where their gradient goes."""
        group, rows = self._problem.group, int(chunk.inputs.shape[0])
        if group is None:
            return [(Pieces(self._problem, self.kernels, self.layout, self._p, self._g, chunk), self._g)]
        found: list[tuple[Any, Array]] = []
        for window in group.windows(rows):
            g = self.kernels.zeros((self.layout.size,))
            buffers = self.layout, self._p, g
            found.append(
                (Pieces(self._problem, self.kernels, *buffers, chunk, window) if window.size else None, g)
            )
        return found

    def _run(self, step: int) -> float:
        """The loss of all rows, penalty apart; its gradient is in ``g`` then."""
        group = self._problem.group
        values = [pieces.run(step) if pieces else 0.0 for pieces, _ in self._parts]
        if group is None:
            return values[0]
        # A part without rows is zero, but for what a sum in its place has left there.
        parts = [g if pieces else self.kernels.zeros(g.shape) for pieces, g in self._parts]
        self._g[...] = total(group, self.kernels.backend, parts)
        host = [np.asarray([value]) for value in values]
        return float(total(group, owner(host[0]), host)[0])

    def __call__(self, vector: Array, step: int) -> tuple[float, Array]:
        vectors = self.vectors
        p, g = self._views
        p[...] = vector
        value = self._run(step)
        if self._penalty is not None:
            self._add_penalty()
            value += float(self._penalty.values(1)[0])
        return value, vectors.copied(g)

    def packed(self, params: Tree) -> Array:
        """Parameters as a vector."""
        found: Array = self.vectors.taken(self.layout.packed(params))
        return found

    def unpacked(self, vector: Array) -> Tree:
        """The inverse of `packed`; copies."""
        return self.layout.unpacked(self.vectors.given(vector))


def objective(problem: Problem, params: Tree) -> FlatObjective | str:
    """The objective of a problem, or one sentence why there is none in place."""
    reason = why_no_gradient(problem, params)
    if reason is not None:
        return reason
    kernels = problem.backend.inplace_kernels(problem.dtype, problem.device)
    if kernels is None:
        return f"the {problem.backend.name} backend brings no in-place kernels"
    return FlatObjective(problem, kernels, params)
