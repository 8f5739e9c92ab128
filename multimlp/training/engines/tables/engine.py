"""The engine of tables: parameters and slots in flat host buffers, a step as a table of compiled calls for each thread."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Argument, CompiledKernels, Late, Record, Table, UntranslatableError
from multimlp.optimizers import OptimizerState
from multimlp.training.engines.base import Chunk, ChunkResult, Engine, Problem
from multimlp.training.engines.calls import steps_of_a_second
from multimlp.training.engines.inplace.coverage import why_not
from multimlp.training.engines.inplace.heads import SoftmaxHead, head_for
from multimlp.training.engines.inplace.layout import Layout
from multimlp.training.engines.kept import make_room
from multimlp.training.engines.own import FACTORS, PENALTY, WORDS, first_state, host_numbers, with_own
from multimlp.training.engines.slices import Rows, example_slices, weight_shares
from multimlp.training.engines.tables.crew import Crew
from multimlp.training.engines.tables.program import Program
from multimlp.training.engines.tables.updates import Updates
from multimlp.tree import Tree

_STEP_SECONDS = 2e-6
"""Of what is no product, of one small network."""
_CREWS_KEPT = 4
"""Batch sizes whose tables are kept: the full one, the last of an epoch, and what a stream brings."""


def build(problem: Problem, params: Tree, optimizer_state: Tree | None = None) -> Engine | str:
    """The engine for a problem, or one sentence why the problem is not covered.

    Parameters
    ----------
    problem : Problem
    params : tuple of Dense
    optimizer_state : OptimizerState, optional
        To go on from; else ``optimizer.init(params)``.
    """
    reason = why_not(problem, params)
    if reason is not None:
        return reason
    own = [name for name, _ in problem.own]
    if (
        problem.members is not None
        and problem.optimizer.options["clip_norm"] is not None
        and "clip_norm" not in own
    ):
        return "clip_norm is about the gradients of all members together, and members are trained one after the other"
    kernels = problem.backend.compiled_kernels(problem.dtype, problem.device)
    if isinstance(kernels, str):
        return kernels
    if optimizer_state is None:
        optimizer_state = first_state(problem, params)
    try:
        return TableEngine(problem, kernels, params, optimizer_state)
    except UntranslatableError as error:
        return str(error)


class TableEngine:
    """See the module; made by `build`."""

    def __init__(
        self, problem: Problem, kernels: CompiledKernels, params: Tree, state: OptimizerState
    ) -> None:
        self.steps_per_call = steps_of_a_second(problem, params, _STEP_SECONDS * (problem.members or 1))
        self._own = own_arrays(problem)
        numbers = {k: v for k, v in host_numbers(problem).items() if k not in (WORDS, FACTORS)}
        problem = with_own(problem, numbers)
        self._problem, self._kernels, self.name = problem, kernels, kernels.name
        self._members = problem.members or 1
        host = problem.backend.to_numpy
        first = tree.map(lambda leaf: host(leaf)[0] if problem.members else host(leaf), params)
        self._layout = Layout(first, kernels)
        self._p, *self._slots = (self._packed(part) for part in (params, *state.slots))
        self._step = int(state.step)
        self._updates = Updates(kernels, self._layout, problem.optimizer.for_leaves(params), self._members)
        self._labels = head_for(problem.loss) is SoftmaxHead  # as far as targets have one axis
        self._crews: dict[tuple[int, bool, bool], tuple[Crew, np.ndarray]] = {}
        self._crew(problem.batch_size, self._labels, False)  # what cannot be translated is to be known now

    # ---- the Engine protocol

    @property
    def own_threads(self) -> bool:
        return any(crew.several for crew, _ in self._crews.values())

    def run(self, chunk: Chunk, order: np.ndarray, first_step: int) -> ChunkResult:
        count = len(order)
        size = self._problem.batch_of(count)
        whole = count - count % size
        losses = self._run(chunk, order[:whole], size, first_step)
        losses += self._run(chunk, order[whole:], count - whole, first_step + whole // size)
        loss = losses if self._problem.members else losses[0]
        return ChunkResult(self._problem.backend.asarray(loss, device=self._problem.device), count)

    def params(self) -> Tree:
        return self._unpacked(self._p)

    def optimizer_state(self) -> Tree:
        step = self._problem.backend.asarray(
            np.asarray(self._step), dtype="int32", device=self._problem.device
        )
        return OptimizerState(step, tuple(map(self._unpacked, self._slots)))

    def finish(self) -> tuple[Tree, Tree]:
        return self.params(), self.optimizer_state()

    # ---- running

    def _run(self, chunk: Chunk, order: np.ndarray, batch: int, first_step: int) -> np.ndarray:
        """Steps on whole batches; the sums of their mean losses times the batch's size, one number a member."""
        if not len(order):
            return np.zeros(self._members)
        steps = len(order) // batch
        late = self._data(chunk)
        late["rows"] = np.ascontiguousarray(order, dtype=np.int64)
        late["steps"] = np.arange(first_step, first_step + steps)
        late |= self._own | self._updates.scalars(self._step, steps)
        labels = self._labels and chunk.targets.ndim == 1
        crew, total = self._crew(batch, labels, chunk.weights is not None)
        total[:] = 0
        crew.run(late, steps)
        self._step += steps
        losses: np.ndarray = total.sum(axis=1) * batch
        return losses

    def _data(self, chunk: Chunk) -> dict[str, np.ndarray]:
        dtype, host = self._problem.dtype, self._problem.backend.to_numpy
        labels = self._labels and chunk.targets.ndim == 1
        found = {"inputs": (chunk.inputs, dtype), "targets": (chunk.targets, "int32" if labels else dtype)}
        if chunk.weights is not None:
            found["weights"] = (chunk.weights, dtype)
        return {name: np.ascontiguousarray(host(x), dtype=kind) for name, (x, kind) in found.items()}

    # ---- laying out

    def _crew(self, *key: Any) -> tuple[Crew, np.ndarray]:
        """Who makes the steps of a batch size, and where the losses are added up."""
        if key not in self._crews:
            make_room(self._crews, _CREWS_KEPT, self._problem.batch_size)
            self._crews[key] = self._lay_out(*key)
        return self._crews[key]

    def _lay_out(self, batch: int, labels: bool, weighted: bool) -> tuple[Crew, np.ndarray]:
        widths = self._layout.widths
        cuts = example_slices(batch, widths, self._problem.members, self._problem.dtype)
        steps = (batch, labels, weighted)
        if len(cuts) > 1:
            table, total = self._in_slices(cuts, *steps)
        else:
            total = self._kernels.zeros((self._members, 1), np.float64)
            records = [self._whole(total, *steps) for _ in range(min(self._kernels.workers(), self._members))]
            table = self._kernels.in_turn(records, (self._p, *self._slots, total), self._members)
        largest = 2 * batch * max(fan_in * fan_out for fan_in, fan_out in itertools.pairwise(widths))
        threads = functools.partial(self._kernels.threads, largest, own=max(len(cuts), self._members) > 1)
        return Crew(table, threads), total

    def _whole(self, total: np.ndarray, batch: int, labels: bool, weighted: bool) -> list[Record]:
        """A step of one network, or of the first member."""
        g = self._kernels.zeros((self._layout.size,))
        program = self._program(g, batch, labels, weighted)
        share = [Rows(layer, 0, rows) for layer, (rows, _) in enumerate(self._layout.rows)]
        gradient = self._gradient(program, g, share, total[0])
        examples = program.examples(slice(0, batch), total[0])
        return [*examples, *gradient, *self._clip(g), *self._update(g, share)]

    def _in_slices(
        self, cuts: tuple[slice, ...], batch: int, labels: bool, weighted: bool
    ) -> tuple[Table, np.ndarray]:
        """A step in phases: the slices of the batch, then the shares of the weights."""
        g = self._kernels.zeros((self._layout.size,))
        program = self._program(g, batch, labels, weighted)
        shares = weight_shares(self._layout.rows)
        total = self._kernels.zeros((1, max(len(cuts), len(shares))), np.float64)
        forward = [program.examples(cut, total[0, i:]) for i, cut in enumerate(cuts)]
        gradients = [self._gradient(program, g, share, total[0, i:]) for i, share in enumerate(shares)]
        updates = [self._update(g, share) for share in shares]
        clip = self._clip(g)
        if clip:  # it needs all gradients
            return self._kernels.in_phases([forward, gradients, [clip], updates]), total
        second = [[*gradient, *update] for gradient, update in zip(gradients, updates, strict=True)]
        return self._kernels.in_phases([forward, second]), total

    def _program(self, g: np.ndarray, batch: int, labels: bool, weighted: bool) -> Program:
        blocks, gradients = self._layout.blocks(self._p[0]), self._layout.blocks(g)
        return Program(self._problem, self._kernels, blocks, gradients, batch, labels, weighted)

    def _gradient(
        self, program: Program, g: np.ndarray, share: Sequence[Rows], total: np.ndarray
    ) -> list[Record]:
        """A share of the gradient, the regulariser's included."""
        records = [program.gradient(rows) for rows in share]
        regularizer: Any = self._problem.regularizer  # a `Regularizer`: see `inplace.coverage`
        if regularizer is not None:
            weights, gradients = ([b.weight for b in self._layout.blocks(flat)] for flat in (self._p[0], g))
            strengths: Argument = Late("penalty", by_member=2)
            if "penalty" not in self._own:
                strengths = np.asarray([regularizer.l1, regularizer.l2], dtype=np.float64)
            for layer, start, stop in share:
                p, of_p = weights[layer][start:stop], gradients[layer][start:stop]
                records.append(self._kernels.penalty(p, of_p, total, strengths))
        return records

    def _clip(self, g: np.ndarray) -> list[Record]:
        limit = self._problem.optimizer.options["clip_norm"]
        if limit is None:
            return []
        own = "clip_norm" in self._own
        return [self._kernels.clip(g, Late("clip_norm", by_member=1) if own else np.asarray([float(limit)]))]

    def _update(self, g: np.ndarray, share: Sequence[Rows]) -> list[Record]:
        arrays = [self._p[0], g, *(slot[0] for slot in self._slots)]
        return self._updates.records(arrays, self._layout.span(share))

    # ---- in and out

    def _packed(self, params: Tree) -> np.ndarray:
        values = tree.map(self._problem.backend.to_numpy, params)
        if self._problem.members is None:
            values = tree.map(lambda leaf: leaf[None], values)
        packed: np.ndarray = self._layout.packed(values, (self._members,))
        return packed

    def _unpacked(self, flat: np.ndarray) -> Tree:
        values = self._layout.unpacked(flat if self._problem.members else flat[0])
        backend, dtype, device = self._problem.backend, self._problem.dtype, self._problem.device
        return tree.map(lambda leaf: backend.asarray(leaf, dtype=dtype, device=device), values)


def own_arrays(problem: Problem) -> dict[str, np.ndarray]:
    """What members have of their own beside options of the optimiser, as the records take it: late arrays, the members along the
    first axis."""
    numbers, found = host_numbers(problem), {}
    if any(name in numbers for name in PENALTY):
        base: Any = problem.regularizer
        strengths = [numbers.get(name, 0.0 if base is None else getattr(base, name)) for name in PENALTY]
        found["penalty"] = np.stack(np.broadcast_arrays(*strengths), axis=1).astype(np.float64)
    if "clip_norm" in numbers:
        found["clip_norm"] = numbers["clip_norm"]
    if WORDS in numbers:
        found |= {WORDS: numbers[WORDS].astype(np.int64), FACTORS: numbers[FACTORS]}
    return found
