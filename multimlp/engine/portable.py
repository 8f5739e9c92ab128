"""The portable engine: one training step in terms of the adapter's autodiff, looped over a chunk by the adapter's ``scan``.

Where the backend compiles, the whole loop over a chunk is one program; where it does not, ``compile`` and ``scan`` are a plain call
and a Python loop, and this is the ordinary step-by-step training of that library. It serves every model, loss and optimiser.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp import random, tree
from multimlp.engine.base import Chunk, ChunkResult, Problem, compile_program
from multimlp.engine.objective import batch_objective
from multimlp.registry import Array, array_namespace
from multimlp.tree import Tree


class PortableEngine:
    """Runs steps through ``backend.final_value_and_grad`` and ``backend.scan``; compiled per shape of the chunk."""

    def __init__(self, problem: Problem, params: Tree, optimizer_state: Tree | None = None) -> None:
        backend = problem.backend
        self.name = "compiled" if problem.compiled else "steps"
        self._problem = problem
        if optimizer_state is None:
            optimizer_state = problem.optimizer.init(params)
        leaves, self._rebuild = tree.flatten((params, optimizer_state))
        self._leaves = tuple(leaves)
        self._key = random.key(problem.seed, like=self._leaves[0])
        zeros = np.zeros(() if problem.members is None else (problem.members,))
        self._no_loss = backend.asarray(zeros, dtype=problem.dtype, device=problem.device)
        self._program = compile_program(problem, self._epoch)

    # ---- the Engine protocol

    def run(self, chunk: Chunk, order: np.ndarray, first_step: int) -> ChunkResult:
        problem, count = self._problem, len(order)
        with problem.backend.scope_of(*self._leaves):
            whole = count - count % problem.batch_size
            rows = self._indices(np.reshape(order[:whole], (-1, problem.batch_size)))
            tail = self._indices(order[whole:])
            step = self._indices(np.asarray(first_step))
            data = tuple(tree.leaves(chunk))
            outputs = self._program((*self._leaves, self._no_loss, self._key, step, rows, tail, *data))
            self._leaves, loss = outputs[:-1], outputs[-1]
        return ChunkResult(loss, count)

    def params(self) -> Tree:
        return self._rebuild(self._leaves)[0]

    def optimizer_state(self) -> Tree:
        return self._rebuild(self._leaves)[1]

    def _current(self, optimizer_state: Tree) -> Problem:
        """The problem at this point of the training, for engines whose objective depends on it."""
        return self._problem

    # ---- the program

    def _indices(self, values: np.ndarray) -> Array:
        return self._problem.backend.asarray(values, dtype="int32", device=self._problem.device)

    def _epoch(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        count = len(self._leaves)
        state, (loss, key, step, rows, tail, *data) = arrays[:count], arrays[count:]

        def body(carry: tuple[Array, ...], items: tuple[Array, ...]) -> tuple[tuple[Array, ...], tuple[()]]:
            *held, total, at = carry
            inner, mean = self._step(tuple(held), random.fold_in(key, at), items[0], data)
            return (*inner, total + mean * float(items[0].shape[0]), at + 1), ()

        carry = (*state, loss, step)
        if rows.shape[0]:
            carry, _ = self._problem.backend.scan(body, carry, (rows,), int(rows.shape[0]), collect=False)
        if tail.shape[0]:
            carry, _ = body(carry, (tail,))
        return tuple(carry[:-1])

    def _step(
        self, state: tuple[Array, ...], key: Array, rows: Array, data: list[Any]
    ) -> tuple[tuple[Array, ...], Array]:
        problem = self._problem
        xp = array_namespace(state[0])
        params, optimizer_state = self._rebuild(state)
        flat, rebuild = tree.flatten(params)
        batch = [xp.take(array, rows, axis=0) for array in data]
        objective = batch_objective(self._current(optimizer_state), rebuild, key, batch)
        _, (mean,), gradients = problem.backend.final_value_and_grad(objective)(tuple(flat))
        new_params, new_state = problem.optimizer.update(rebuild(gradients), optimizer_state, params)
        return tuple(tree.leaves((new_params, new_state))), mean
