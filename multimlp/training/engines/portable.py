"""The portable engine: one training step in terms of the adapter's autodiff, looped over a chunk by the adapter's ``scan``.

Where the backend compiles, the whole loop over a chunk is one program; where it does not, ``compile`` and ``scan`` are a plain call
and a Python loop, and this is the ordinary step-by-step training of that library. It serves every model, loss and optimiser.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from multimlp import random, tree
from multimlp.backend import Array, array_namespace, when_kernels_change
from multimlp.training.engines.base import Chunk, ChunkResult, Problem, compile_program
from multimlp.training.engines.calls import steps_of_a_second
from multimlp.training.engines.objective import batch_objective
from multimlp.training.engines.own import Numbers, first_state, host_numbers, placed, with_own
from multimlp.training.engines.own_functions import has_own_functions
from multimlp.training.engines.skeleton import Skeleton
from multimlp.tree import Tree

COMPILED_STEPS = 4096
"""Most steps that one compiled call makes: between two calls Ctrl-C is heard and the progress bar moves."""
_STEP_SECONDS = 1e-3
"""Of calls, where steps are not compiled."""


class Program:
    """All steps over one chunk as a function of flat arrays."""

    def __init__(self, problem: Problem, state: Tree) -> None:
        self._problem = problem
        leaves, self._rebuild = tree.flatten(state)
        self._count = len(leaves)
        self._own = tuple(host_numbers(problem))
        self.run = compile_program(problem, self._chunk, self._count)

    def current(self, optimizer_state: Tree) -> Problem:
        """The problem of one step; for engines whose optimiser has a say in it."""
        return self._problem

    def _chunk(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        state, (loss, key, step, rows, tail, *more) = arrays[: self._count], arrays[self._count :]
        own, data = dict(zip(self._own, more, strict=False)), more[len(self._own) :]

        def body(carry: tuple[Array, ...], items: tuple[Array, ...]) -> tuple[tuple[Array, ...], tuple[()]]:
            *held, total, at = carry
            inner, mean = self._step(tuple(held), key, at, items[0], own, data)
            return (*inner, total + mean * float(items[0].shape[0]), at + 1), ()

        carry = (*state, loss, step)
        if rows.shape[0]:
            carry, _ = self._problem.backend.scan(body, carry, (rows,), int(rows.shape[0]), collect=False)
        if tail.shape[0]:
            carry, _ = body(carry, (tail,))
        return tuple(carry[:-1])

    def _step(
        self, state: tuple[Array, ...], key: Array, number: Array, rows: Array, own: Numbers, data: list[Any]
    ) -> tuple[tuple[Array, ...], Array]:
        xp = array_namespace(state[0])
        params, optimizer_state = self._rebuild(state)
        problem = with_own(self.current(optimizer_state), own)
        flat, rebuild = tree.flatten(params)
        batch = [xp.take(array, rows, axis=0) for array in data]
        objective = batch_objective(problem, rebuild, random.fold_in(key, number), batch, number)
        _, (mean,), gradients = problem.backend.final_value_and_grad(objective)(tuple(flat))
        new_params, new_state = problem.optimizer.update(rebuild(gradients), optimizer_state, params)
        return tuple(tree.leaves((new_params, new_state))), mean


class PortableEngine:
    """Runs steps through ``backend.final_value_and_grad`` and ``backend.scan``; compiled per shape of the chunk."""

    program: type[Program] = Program
    own_threads = False

    def __init__(self, problem: Problem, params: Tree, optimizer_state: Tree | None = None) -> None:
        backend = problem.backend
        self.name = "compiled" if problem.compiled else "steps"
        self.steps_per_call = steps_of_a_second(problem, params, _STEP_SECONDS)
        if problem.compiled:  # a loop of Python's would be unrolled: there a program is one step
            self.steps_per_call = COMPILED_STEPS if backend.capabilities.scan == "native" else 1
        self._problem = problem
        self._own = tuple(placed(problem).values())
        if optimizer_state is None:
            optimizer_state = first_state(problem, params)
        leaves, self._rebuild = tree.flatten((params, optimizer_state))
        self._leaves = tuple(backend.protect(leaf) for leaf in leaves)
        self._key = random.key(problem.seed, like=self._leaves[0])
        zeros = np.zeros(() if problem.members is None else (problem.members,))
        self._no_loss = backend.asarray(zeros, dtype=problem.dtype, device=problem.device)
        self._program = _program_for(self.program, problem, (params, optimizer_state))

    def run(self, chunk: Chunk, order: np.ndarray, first_step: int) -> ChunkResult:
        problem, count = self._problem, len(order)
        with problem.backend.all_threads(), problem.backend.scope_of(*self._leaves):
            size = problem.batch_of(count)
            whole = count - count % size
            rows = self._indices(np.reshape(order[:whole], (-1, size)))
            tail = self._indices(order[whole:])
            step = self._indices(np.asarray(first_step))
            data = (*self._own, *tree.leaves(chunk))
            outputs = self._program.run((*self._leaves, self._no_loss, self._key, step, rows, tail, *data))
            self._leaves, loss = outputs[:-1], outputs[-1]
        return ChunkResult(loss, count)

    def params(self) -> Tree:
        return tree.map(self._problem.backend.protect, self._rebuild(self._leaves)[0])

    def optimizer_state(self) -> Tree:
        return tree.map(self._problem.backend.protect, self._rebuild(self._leaves)[1])

    def finish(self) -> tuple[Tree, Tree]:
        params, state = self._rebuild(self._leaves)
        return params, state

    def _indices(self, values: np.ndarray) -> Any:
        problem = self._problem
        place = problem.backend.program_input if problem.compiled else problem.backend.asarray
        return place(values, dtype="int32", device=problem.device)


def _program_for(program: type[Program], problem: Problem, state: Tree) -> Program:
    """The program of a problem. Runs that differ in seed, device, data, processes or members' numbers share it, and with it what was
    compiled; not where a function of the user's is part of it, which may read a number that is another one now."""
    group = None if problem.group is None else problem.group.of_programs
    own = tuple((name, ()) for name, _ in problem.own)
    shared = dataclasses.replace(problem, seed=0, device=None, steps=None, group=group, own=own)
    skeleton = Skeleton(state)
    if has_own_functions((problem.model, problem.loss, problem.optimizer, problem.regularizer)):
        return program(shared, skeleton.tree)
    try:
        return _cached_program(program, shared, skeleton)  # type: ignore[arg-type]
    except TypeError:  # something in the problem has no hash
        return program(shared, skeleton.tree)


@functools.lru_cache(maxsize=32)
def _cached_program(program: type[Program], problem: Problem, skeleton: Skeleton) -> Program:
    return program(problem, skeleton.tree)


when_kernels_change(_cached_program.cache_clear)
