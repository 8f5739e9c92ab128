"""The engines of optimisers that need the loss of all data as a function (L-BFGS): one iteration of theirs is one step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from multimlp import random, tree
from multimlp.backend import Array, Target, array_namespace
from multimlp.distributed import Group, Window
from multimlp.errors import InputError
from multimlp.optimizers import LBFGS
from multimlp.training.engines.base import Chunk, ChunkResult, Problem, compile_program
from multimlp.training.engines.objective import batch_objective, flat_share, flat_size, nothing, with_penalty
from multimlp.training.engines.own_functions import has_own_functions
from multimlp.training.engines.placed import Placed
from multimlp.training.engines.shares import Shares, workers_of
from multimlp.training.engines.sums import product_threads, total
from multimlp.training.engines.vectors import BufferVectors, host_kernels
from multimlp.tree import Tree


class FullBatchEngine:
    """What is common to the ways of computing the loss of all data; decisions are made on the host."""

    name = "full-batch"
    steps_per_call = math.inf
    own_threads = False

    def __init__(self, problem: Problem, params: Tree, optimizer_state: Tree | None = None) -> None:
        if problem.members is not None:
            raise InputError(
                f"optimizer: {problem.optimizer.name!r} searches one step length for all parameters, so it cannot train the "
                "members of an ensemble apart; train them one by one, or use a first-order optimizer"
            )
        self._problem, self._params = problem, params
        self._state = problem.optimizer.init(params) if optimizer_state is None else optimizer_state
        self._random = getattr(problem.model, "dropout", 0.0) > 0

    def run(self, chunk: Chunk, order: np.ndarray, first_step: int) -> ChunkResult:
        rows = int(chunk.inputs.shape[0])
        if len(order) != rows:
            raise InputError(f"optimizer: {self._problem.optimizer.name!r} needs all data in memory at once")
        if self._random:
            self._forget()
        self._iterate(chunk, first_step)
        return ChunkResult(np.asarray(self._state.value * rows), rows)

    def _forget(self) -> None:
        """Another mask, another objective: the value found under the last one is void."""
        self._state = self._state._replace(value=None, gradient=None, message="")

    def search(self) -> tuple[str, bool, int]:
        """The optimiser's message, whether it says that it has converged, and the number of evaluations."""
        return self._state.message, self._state.converged, self._state.evaluations

    def params(self) -> Tree:
        return self._params

    def optimizer_state(self) -> Tree:
        return self._state

    def finish(self) -> tuple[Tree, Tree]:
        return self._params, self._state

    def _iterate(self, chunk: Chunk, step: int) -> None:
        """One iteration of the optimiser; ``step`` is the key of dropout."""
        raise NotImplementedError


class TreeEngine(FullBatchEngine):
    """By automatic differentiation, for any model, loss and optimiser."""

    def __init__(self, problem: Problem, params: Tree, optimizer_state: Tree | None = None) -> None:
        super().__init__(problem, params, optimizer_state)
        self._key = random.key(problem.seed, like=tree.leaves(params)[0])
        self._tried = self._random or problem.group is not None or not has_own_functions(problem.model)
        self._there: Placed | None = None
        if problem.group is None:
            self._program = compile_program(problem, self._evaluate)
        elif problem.group.workers is not None and problem.group.workers.uniform:
            self._shares = Shares(problem, self._evaluate_share, self._evaluate_share)
            self._there = Placed(problem)
            self._program = problem.group.workers.compile(
                self._of_workers, problem.compiler, apart=self._shares.sharded
            )
        else:
            self._program = compile_program(problem, self._evaluate_share)
            self._finish = compile_program(problem, self._with_penalty)

    def _iterate(self, chunk: Chunk, step: int) -> None:
        backend = self._problem.backend
        leaves, rebuild = tree.flatten(self._params)
        with product_threads(self._problem), backend.scope_of(*leaves):
            number = self._integers(np.asarray(step))
            data = tuple(tree.leaves(chunk))
            if not self._tried:
                self._try(leaves, step, data)

            def value_and_grad(params: Tree) -> tuple[Array, Tree]:
                arrays = tuple(tree.leaves(params))
                if self._there is not None:
                    value, *gradients = self._called((*arrays, self._key, number), self._there(chunk))
                elif self._problem.group is not None:
                    value, *gradients = self._of_group(self._problem.group, arrays, number, data)
                else:
                    value, *gradients = self._program((*arrays, self._key, number, *data))
                return value, rebuild(gradients)

            self._advance(value_and_grad)

    def _try(self, leaves: Sequence[Array], step: int, data: tuple[Array, ...]) -> None:
        """Find out whether a model of somebody's own draws random numbers with its key, as dropout does."""
        self._tried = True
        keys = [self._integers(np.asarray(number)) for number in (step, step + 1)]
        here, there = (float(self._program((*leaves, self._key, key, *data))[0]) for key in keys)
        if here != there:
            self._random = True
            self._forget()

    def _advance(self, value_and_grad: Callable[[Tree], tuple[Array, Tree]]) -> None:
        optimizer = self._problem.optimizer
        self._params, self._state = optimizer.step(value_and_grad, self._params, self._state)

    def _evaluate(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        leaves, rebuild = tree.flatten(self._params)
        params, (key, step, *data) = arrays[: len(leaves)], arrays[len(leaves) :]
        objective = batch_objective(self._problem, rebuild, random.fold_in(key, step), data, step)
        value, _, gradients = self._problem.backend.final_value_and_grad(objective)(tuple(params))
        return (value, *gradients)

    # ---- in a group, whose processes have some rows each

    def _of_group(
        self, group: Group, arrays: tuple[Array, ...], step: Array, data: tuple[Array, ...]
    ) -> tuple[Array, ...]:
        everyone = np.arange(int(data[0].shape[0]))
        size = flat_size(self._problem, self._params)

        def share(window: Window) -> Array:
            if not window.size:
                return nothing(self._problem, size)
            places = (np.asarray(window.start), everyone[window.taken], everyone)
            return self._program((*arrays, self._key, step, *map(self._integers, places), *data))[0]

        parts = [share(window) for window in group.windows(len(everyone))]
        return self._finish((*arrays, total(group, self._problem.backend, parts)))

    # ---- in a group with workers, which run one program

    def _called(self, given: tuple[Array, ...], chunk: Chunk) -> tuple[Array, ...]:
        workers = workers_of(self._problem)
        outputs = self._program((*map(workers.place, given), *tree.leaves(chunk)))
        return tuple(map(workers.local, outputs))

    def _of_workers(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        count = len(tree.leaves(self._params))
        given, data = arrays[: count + 2], arrays[count + 2 :]
        everyone = array_namespace(*data).arange(int(data[0].shape[0]), dtype=given[-1].dtype)
        return self._shares.sealed(self._with_penalty)((*arrays[:count], self._shares(given, everyone, data)))

    def _evaluate_share(self, arrays: tuple[Array, ...], counted: Array | None = None) -> tuple[Array, ...]:
        leaves, rebuild = tree.flatten(self._params)
        params, (key, step, start, rows, everyone, *data) = arrays[: len(leaves)], arrays[len(leaves) :]
        place = start if self._random else None
        key = random.fold_in(key, step)
        return (flat_share(self._problem, rebuild, params, key, data, rows, everyone, place, step, counted),)

    def _with_penalty(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        *params, flat = arrays
        mean, gradients = with_penalty(self._problem, tree.flatten(self._params)[1], tuple(params), flat)
        return (mean, *gradients)

    def _integers(self, values: np.ndarray) -> Array:
        return self._problem.backend.asarray(values, dtype="int32", device=self._problem.device)


class HostEngine(TreeEngine):
    """L-BFGS whose loss and gradient are one compiled call and whose vectors are the host's.

    A library that compiles takes tens of micro-seconds for each call outside of a program, and the two-loop recursion makes sixty.
    """

    def __init__(self, problem: Problem, params: Tree, optimizer_state: Tree | None = None) -> None:
        super().__init__(problem, params, optimizer_state)
        self._shapes = [tuple(leaf.shape) for leaf in tree.leaves(params)]
        self._home = Target(problem.backend, problem.device, problem.dtype)
        self._vector = self._packed(params)
        self._vectors = BufferVectors(host_kernels(problem.dtype), self._vector.size, self._home)
        self._state = self._vectors.taken(self._state)

    def params(self) -> Tree:
        return self._unpacked(self._vector)

    def optimizer_state(self) -> Tree:
        return self._vectors.given(self._state)

    def finish(self) -> tuple[Tree, Tree]:
        return self.params(), self.optimizer_state()

    def _advance(self, value_and_grad: Callable[[Tree], tuple[Array, Tree]]) -> None:
        def evaluate(vector: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradients = value_and_grad(self._unpacked(vector))
            return float(value), self._packed(gradients)

        self._vector, self._state = self._problem.optimizer.flat_step(
            evaluate, self._vector, self._state, self._vectors
        )

    def _packed(self, arrays: Tree) -> np.ndarray:
        host = self._home.backend.to_numpy
        return np.concatenate([np.ravel(host(leaf)) for leaf in tree.leaves(arrays)])

    def _unpacked(self, vector: np.ndarray) -> Tree:
        pieces, start, home = [], 0, self._home
        for shape in self._shapes:
            stop = start + math.prod(shape)
            piece = vector[start:stop].reshape(shape)
            pieces.append(home.backend.asarray(piece, dtype=home.dtype, device=home.device))
            start = stop
        return tree.flatten(self._params)[1](pieces)


def build(problem: Problem, params: Tree, optimizer_state: Tree | None = None) -> FullBatchEngine:
    """The engine that differentiates automatically."""
    on_host = problem.backend.device_name(tree.leaves(params)[0]).startswith("cpu")
    compiled = problem.compiled and problem.backend.capabilities.epoch == "compiled"
    known = type(problem.optimizer) is LBFGS and problem.dtype in ("float32", "float64")
    kind = HostEngine if on_host and compiled and known else TreeEngine
    return kind(problem, params, optimizer_state)


def covers(optimizer: Any) -> bool:
    """Whether an optimiser wants this engine."""
    return bool(getattr(optimizer, "full_batch", False))
