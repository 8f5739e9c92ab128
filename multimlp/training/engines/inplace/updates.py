"""The optimiser on flat buffers: a library's fused kernel where it has one, else the portable rule, chunk by
chunk."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp.backend import Array, Call, FusedUpdate, Kernels, Scalars, UpdateRule, array_namespace
from multimlp.optimizers import Optimizer, OptimizerState
from multimlp.schedules import Schedule
from multimlp.training.engines.inplace.layout import Layout
from multimlp.tree import Tree


class Update:
    """Owns the optimiser's state; each call it makes is one update of the parameters from the gradient, which
    it spends.

    Parameters
    ----------
    optimizer : Optimizer
    kernels : Kernels
    layout : Layout
    p, g : array, shape (layout.size,)
        The flat parameters and gradient.
    state : OptimizerState
    shares : sequence of slice
        Parts of the buffers that are updated each by itself, in order.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        kernels: Kernels,
        layout: Layout,
        p: Array,
        g: Array,
        state: OptimizerState,
        shares: Sequence[slice],
    ) -> None:
        self._kernels, self._layout = kernels, layout
        self._step = self._done = int(state.step)
        self._slots = [layout.packed(slot) for slot in state.slots]
        parts = optimizer.for_leaves(layout.unpacked(p, copies=False))
        self._rules: list[list[tuple[Optimizer, FusedUpdate]]] = [[] for _ in shares]
        cuts = [share.start for share in shares]
        for part, start, views in layout.pieces(parts, (p, g, *self._slots), cuts):
            self._rules[bisect.bisect(cuts, start) - 1].append((part, self._rule(part, *views)))
        self._scalars: dict[int, list[Scalars]] = {}
        limit = optimizer.options["clip_norm"]
        self.clip: Call | None = None if limit is None else kernels.clip(g, limit)
        """The call that bounds the gradient, before all updates."""

    def prepare(self, steps: int) -> None:
        """Set the scalars of the next steps; the optimiser's counter moves on by so many."""
        parts = {id(part): part for rules in self._rules for part, _ in rules}
        self._scalars = {key: scalars(part, self._step, steps) for key, part in parts.items()}
        self._done = self._step
        self._step += steps

    def calls(self, position: int, share: int) -> list[Call]:
        """The update of a share in the ``position``-th of the steps prepared."""

        def updating(key: int, rule: FusedUpdate) -> Call:
            return lambda: rule(self._scalars[key][position], self._done + position + 1)

        return [updating(id(part), rule) for part, rule in self._rules[share]]

    def state(self, copies: bool = True) -> Tree:
        """The state as ``optimizer.init`` makes it; views of the buffers if not copies."""
        backend, device = self._kernels.backend, self._kernels.device
        step = backend.asarray(np.asarray(self._step), dtype="int32", device=device)
        return OptimizerState(step, tuple(self._layout.unpacked(slot, copies) for slot in self._slots))

    def _rule(self, part: Optimizer, p: Array, g: Array, *slots: Array) -> FusedUpdate:
        """The update of one piece of the buffers; fused ones take flat pieces only."""
        if len(p.shape) == 1:
            name = part.name if part.is_known else part.rule.apply.name
            described = UpdateRule(name, part.options, part.rule.decoupled)
            fused = self._kernels.fused_update(described, p, g, slots)
            if fused is not None:
                return fused
        size = self._kernels.chunk
        chunks = [[b[start : start + size] for b in (p, g, *slots)] for start in range(0, p.shape[0], size)]

        def update(numbers: Scalars, number: int) -> None:
            for values, gradient, *own in chunks:
                results = part.update_array(values, gradient, own, numbers)
                for target, result in zip((values, *own), results, strict=True):
                    target[...] = result

        return update


def scalars(optimizer: Optimizer, step: int, count: int) -> list[Scalars]:
    """``optimizer.scalars`` of ``count`` updates from the one after ``step`` updates on, worked out
    together."""
    found = scalar_columns(optimizer, step, count)
    columns = [v.tolist() if isinstance(v, np.ndarray) else [v] * count for v in found.values()]
    return [dict(zip(found, row, strict=True)) for row in zip(*columns, strict=True)]


def scalar_columns(optimizer: Optimizer, step: int, count: int) -> dict[str, Any]:
    """The same by name: an array over the updates, or what is equal for all."""
    rule, options = optimizer.rule, optimizer.options
    steps = np.arange(step, step + count, dtype=np.float64)
    xp = array_namespace(steps)
    found: dict[str, Any] = {"learning_rate": _rates(options["learning_rate"], steps)}
    found.update(rule.constants(options))
    if rule.corrections is not None:
        found.update(rule.corrections(xp, steps + 1, options))
    return found


def _rates(rate: Any, steps: np.ndarray) -> Any:
    if not isinstance(rate, Schedule):
        return rate
    if rate.is_known:
        return rate.function(array_namespace(steps), steps, **rate.options)
    # A schedule of the user's own need not work on many steps at once.
    return np.asarray([rate(int(step)) for step in steps])
