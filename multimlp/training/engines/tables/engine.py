"""The engine of tables: parameters, gradients and slots in flat host buffers, a step as a table of compiled calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import CompiledKernels, Late, Record, Table, UntranslatableError
from multimlp.optimizers import Optimizer, OptimizerState
from multimlp.training.engines.base import Chunk, ChunkResult, Engine, Problem
from multimlp.training.engines.inplace.coverage import why_not
from multimlp.training.engines.inplace.heads import SoftmaxHead, head_for
from multimlp.training.engines.inplace.layout import Layout
from multimlp.training.engines.inplace.updates import scalar_columns
from multimlp.training.engines.tables.program import gradient_records
from multimlp.tree import Tree

_TABLES_KEPT = 4
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
    if problem.members is not None and problem.optimizer.options["clip_norm"] is not None:
        return "clip_norm is about the gradients of all members together, and members are trained one after the other"
    kernels = problem.backend.compiled_kernels(problem.dtype, problem.device)
    if isinstance(kernels, str):
        return kernels
    if optimizer_state is None:
        optimizer_state = problem.optimizer.init(params)
    try:
        return TableEngine(problem, kernels, params, optimizer_state)
    except UntranslatableError as error:
        return str(error)


class TableEngine:
    """See the module; made by `build`."""

    steps_per_call = None

    def __init__(
        self, problem: Problem, kernels: CompiledKernels, params: Tree, state: OptimizerState
    ) -> None:
        self._problem, self._kernels, self.name = problem, kernels, kernels.name
        self._members = problem.members or 1
        host = problem.backend.to_numpy
        first = tree.map(lambda leaf: host(leaf)[0] if problem.members else host(leaf), params)
        self._layout = Layout(first, kernels)
        self._p, *self._slots = (self._packed(part) for part in (params, *state.slots))
        self._g = kernels.zeros((self._layout.size,))
        self._total = kernels.zeros((self._members, 1), np.float64)
        self._step = int(state.step)
        parts = problem.optimizer.for_leaves(first)
        self._parts = self._layout.pieces(parts, (self._p[0], self._g, *(slot[0] for slot in self._slots)))
        widths = [layer.weight.shape for layer in first]
        self._operations = 2 * problem.batch_size * max(fan_in * fan_out for fan_in, fan_out in widths)
        self._tables: dict[tuple[int, bool, bool], Table] = {}
        self._after = [*self._penalties(), *self._updates()]
        labels = head_for(problem.loss) is SoftmaxHead
        self._table(problem.batch_size, labels, False)  # what cannot be translated is to be known now

    # ---- the Engine protocol

    def run(self, chunk: Chunk, order: np.ndarray, first_step: int) -> ChunkResult:
        size, count = self._problem.batch_size, len(order)
        whole = count - count % size
        with self._kernels.threads(self._operations):
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
        self._total[:] = 0
        if len(order):
            steps = len(order) // batch
            late = self._data(chunk)
            late["rows"] = np.ascontiguousarray(order, dtype=np.int64)
            late["steps"] = np.arange(first_step, first_step + steps)
            late |= {f"scalars{i}": self._scalars(part, steps) for i, (part, _) in enumerate(self._parts)}
            table = self._table(batch, chunk.targets.ndim == 1, chunk.weights is not None)
            table.run(late, steps, self._members)
            self._step += steps
        return self._total[:, 0] * batch

    def _data(self, chunk: Chunk) -> dict[str, np.ndarray]:
        labels = chunk.targets.ndim == 1 and head_for(self._problem.loss) is SoftmaxHead
        kinds = (self._problem.dtype, "int32" if labels else self._problem.dtype, self._problem.dtype)
        names = ("inputs", "targets", "weights")
        return {
            name: np.ascontiguousarray(self._problem.backend.to_numpy(array), dtype=kind)
            for name, array, kind in zip(names, chunk, kinds, strict=True)
            if array is not None
        }

    def _scalars(self, part: Optimizer, steps: int) -> np.ndarray:
        found = _numbers(part, self._step, steps)
        rows = np.empty((steps, len(found)))
        for i, value in enumerate(found.values()):
            rows[:, i] = value
        return rows

    # ---- laying out

    def _table(self, batch: int, labels: bool, weighted: bool) -> Table:
        key = (batch, labels, weighted)
        if key not in self._tables:
            if len(self._tables) >= _TABLES_KEPT:
                del self._tables[next(k for k in self._tables if k[0] != self._problem.batch_size)]
            blocks, gradients = self._layout.blocks(self._p[0]), self._layout.blocks(self._g)
            records = gradient_records(self._problem, self._kernels, blocks, gradients, self._total[0], *key)
            by_member = (self._p, *self._slots, self._total)
            self._tables[key] = self._kernels.table([*records, *self._after], by_member)
        return self._tables[key]

    def _penalties(self) -> list[Record]:
        regularizer: Any = self._problem.regularizer  # a `Regularizer`: see `inplace.coverage`
        if regularizer is None:
            return []
        pairs = zip(self._layout.blocks(self._p[0]), self._layout.blocks(self._g), strict=True)
        return [
            self._kernels.penalty(p.weight, g.weight, self._total[0], regularizer.l1, regularizer.l2)
            for p, g in pairs
        ]

    def _updates(self) -> list[Record]:
        limit = self._problem.optimizer.options["clip_norm"]
        records = [] if limit is None else [self._kernels.clip(self._g, limit)]
        for i, (part, arrays) in enumerate(self._parts):
            names = list(_numbers(part, 0, 1))
            records.append(self._kernels.update(_rule(part), arrays, Late(f"scalars{i}", len(names)), names))
        return records

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


def _numbers(part: Optimizer, step: int, count: int) -> dict[str, Any]:
    """The scalars of updates that are numbers, a weight decay among them."""
    found = {**scalar_columns(part, step, count), "weight_decay": part.options["weight_decay"]}
    return {name: value for name, value in found.items() if not isinstance(value, bool)}


def _rule(part: Optimizer) -> Any:
    """The update of one array with a weight decay, if any, that is one of the scalars."""
    flags = {
        name: value for name, value in part.rule.constants(part.options).items() if isinstance(value, bool)
    }

    def rule(p: Any, g: Any, slots: Any, scalars: dict[str, Any]) -> Any:
        given = dict(scalars)
        decay = given.pop("weight_decay")
        options = {**part.options, "weight_decay": decay if part.options["weight_decay"] else 0.0}
        return replace(part, options=options).update_array(p, g, slots, {**given, **flags})

    return rule
