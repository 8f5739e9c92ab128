"""The optimiser on flat buffers: a library's fused kernel where it has one, else the portable rule, chunk by
chunk."""

from __future__ import annotations

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
    """

    def __init__(
        self,
        optimizer: Optimizer,
        kernels: Kernels,
        layout: Layout,
        p: Array,
        g: Array,
        state: OptimizerState,
    ) -> None:
        self._optimizer, self._kernels, self._layout = optimizer, kernels, layout
        self._step = self._done = int(state.step)
        self._slots = [layout.packed(slot) for slot in state.slots]
        self._scalars: list[Scalars] = []
        name = optimizer.name if optimizer.is_known else optimizer.rule.apply.name
        described = UpdateRule(name, optimizer.options, optimizer.rule.decoupled)
        rule = kernels.fused_update(described, p, g, self._slots) or self._portable_rule(p, g)
        limit = optimizer.options["clip_norm"]
        self._rule = rule if limit is None else _after(kernels.clip(g, limit), rule)

    def prepare(self, steps: int) -> None:
        """Set the scalars of the next steps; the optimiser's counter moves on by so many."""
        self._scalars = scalars(self._optimizer, self._step, steps)
        self._done = self._step
        self._step += steps

    def call(self, position: int) -> Call:
        """The update of the ``position``-th of the steps prepared."""
        rule = self._rule
        return lambda: rule(self._scalars[position], self._done + position + 1)

    def state(self, copies: bool = True) -> Tree:
        """The state as ``optimizer.init`` makes it; views of the buffers if not copies."""
        backend, device = self._kernels.backend, self._kernels.device
        step = backend.asarray(np.asarray(self._step), dtype="int32", device=device)
        return OptimizerState(step, tuple(self._layout.unpacked(slot, copies) for slot in self._slots))

    def _portable_rule(self, p: Array, g: Array) -> FusedUpdate:
        size = self._kernels.chunk
        buffers = (p, g, *self._slots)
        pieces = [[b[start : start + size] for b in buffers] for start in range(0, p.shape[0], size)]

        def update(numbers: Scalars, number: int) -> None:
            for values, gradient, *slots in pieces:
                results = self._optimizer.update_array(values, gradient, slots, numbers)
                for target, result in zip((values, *slots), results, strict=True):
                    target[...] = result

        return update


def _after(first: Call, then: FusedUpdate) -> FusedUpdate:
    def both(numbers: Scalars, number: int) -> None:
        first()
        then(numbers, number)

    return both


def scalars(optimizer: Optimizer, step: int, count: int) -> list[Scalars]:
    """``optimizer.scalars`` of ``count`` updates from the one after ``step`` updates on, worked out
    together."""
    rule, options = optimizer.rule, optimizer.options
    steps = np.arange(step, step + count, dtype=np.float64)
    xp = array_namespace(steps)
    found: dict[str, Any] = {"learning_rate": _rates(options["learning_rate"], steps)}
    found.update((name, options[name]) for name in rule.takes)
    if rule.corrections is not None:
        found.update(rule.corrections(xp, steps + 1, options))
    columns = [v.tolist() if isinstance(v, np.ndarray) else [v] * count for v in found.values()]
    return [dict(zip(found, row, strict=True)) for row in zip(*columns, strict=True)]


def _rates(rate: Any, steps: np.ndarray) -> Any:
    if not isinstance(rate, Schedule):
        return rate
    if rate.is_known:
        return rate.function(array_namespace(steps), steps, **rate.options)
    # A schedule of the user's own need not work on many steps at once.
    return np.asarray([rate(int(step)) for step in steps])
