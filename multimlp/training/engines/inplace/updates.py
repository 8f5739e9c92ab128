"""The optimiser on flat buffers: a library's fused kernel where it has one, else the portable rule, chunk by
chunk."""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp.backend import Array, Call, FusedUpdate, Kernels, Scalars, UpdateRule, squared
from multimlp.optimizers import Optimizer, OptimizerState
from multimlp.training.engines.inplace.layout import Layout
from multimlp.training.engines.inplace.scalars import LiveScalars, has_own, scalars
from multimlp.tree import Tree

_TEMPORARIES = 4
"""Formulas with numbers of the members' own make temporaries, which share the cache: pieces are smaller by this factor (24 networks of
64-32-10 on NumPy: 140 us a step and member in pieces of 2^16 numbers, 91 in pieces of 2^14, 106 of 2^12)."""


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
        buffers, cuts = (p, g, *self._slots), [share.start for share in shares]
        if has_own(optimizer):
            for part, _, views in layout.member_pieces(parts, buffers):
                self._rules[0].append((part, self._member_rule(part, *views)))
        else:
            for part, start, views in layout.pieces(parts, buffers, cuts):
                self._rules[bisect.bisect(cuts, start) - 1].append((part, self._rule(part, *views)))
        self._parts = {id(part): part for rules in self._rules for part, _ in rules}
        self._scalars: dict[int, list[Scalars]] = {}
        self._live: LiveScalars | None = None
        if kernels.recorder is not None:
            self._live = LiveScalars(kernels, [*self._parts.values()])
        limit = optimizer.options["clip_norm"]
        self.clip: Call | None = None
        if isinstance(limit, np.ndarray):
            self.clip = self._clip_members([block.matrix for block in layout.blocks(g)], self._placed(limit))
        elif limit is not None:
            self.clip = kernels.clip(g, limit)
        """The call that bounds the gradient, before all updates."""

    def prepare(self, steps: int) -> None:
        """Set the scalars of the next steps; the optimiser's counter moves on by so many."""
        if self._live is not None:
            self._live.write(self._step, steps)
        else:
            self._scalars = {
                key: scalars(part, self._step, steps, self._placed) for key, part in self._parts.items()
            }
        self._done = self._step
        self._step += steps

    def calls(self, position: int, share: int) -> list[Call]:
        """The update of a share in the ``position``-th of the steps prepared."""
        places = [*self._parts]

        def updating(key: int, rule: FusedUpdate) -> Call:
            if self._live is not None:
                return functools.partial(rule, *self._live.at(places.index(key), position))
            return lambda: rule(self._scalars[key][position], self._done + position + 1)

        return [updating(id(part), rule) for part, rule in self._rules[share]]

    def state(self, copies: bool = True) -> Tree:
        """The state as ``optimizer.init`` makes it; views of the buffers if not copies."""
        backend, device = self._kernels.backend, self._kernels.device
        step = backend.asarray(np.asarray(self._step), dtype="int32", device=device)
        return OptimizerState(step, tuple(self._layout.unpacked(slot, copies) for slot in self._slots))

    def _placed(self, numbers: np.ndarray) -> Array:
        kernels = self._kernels
        return kernels.backend.asarray(np.array(numbers), dtype=kernels.dtype, device=kernels.device)

    def _member_rule(self, part: Optimizer, p: Array, g: Array, *slots: Array) -> FusedUpdate:
        """The update of one array of all members, some members at a time; numbers of the members' own have shape (members,)."""
        members = p.shape[0]
        size = max(1, self._kernels.chunk // _TEMPORARIES // math.prod(p.shape[1:]))
        chunks = [
            (slice(start, start + size), [b[start : start + size] for b in (p, g, *slots)])
            for start in range(0, members, size)
        ]
        axes = (-1,) + (1,) * (len(p.shape) - 1)

        def update(numbers: Scalars, number: Any) -> None:
            own = {k: v.reshape(axes) for k, v in numbers.items() if getattr(v, "shape", None) == (members,)}
            for part_of, (values, gradient, *kept) in chunks:
                mine = {**numbers, **{name: value[part_of] for name, value in own.items()}}
                results = part.update_array(values, gradient, kept, mine)
                self._store((values, *kept), results)

        return update

    def _clip_members(self, gradients: Sequence[Array], limits: Array) -> Call:
        """The call that bounds the norm of each member's gradient."""
        m, ones = self._kernels.module, self._kernels.filled(limits.shape, 1.0)

        most, apart = squared(self._kernels.dtype), (-1, -2)

        def call() -> None:
            largest = functools.reduce(m.maximum, [m.amax(m.abs(g), apart) for g in gradients])
            units = m.where((largest > most) & m.isfinite(largest), largest, ones)
            column = units.reshape((-1, 1, 1))
            for g in gradients:
                m.divide(g, column, out=g)
            norms = m.sqrt(sum(m.sum(g * g, axis=apart) for g in gradients))
            scales = m.where(norms > limits / units, limits / norms, units).reshape((-1, 1, 1))
            for g in gradients:
                m.multiply(g, scales, out=g)

        return call

    def _rule(self, part: Optimizer, p: Array, g: Array, *slots: Array) -> FusedUpdate:
        """The update of one piece of the buffers; fused ones take flat pieces only."""
        if len(p.shape) == 1:
            usual = part.is_known and part.rule.usual
            name = part.name if usual else part.rule.apply.name
            described = UpdateRule(name, part.options, part.rule.decoupled)
            fused = self._kernels.fused_update(described, p, g, slots)
            if fused is not None:
                return fused
        size = self._kernels.chunk
        chunks = [[b[start : start + size] for b in (p, g, *slots)] for start in range(0, p.shape[0], size)]

        def update(numbers: Scalars, number: Any) -> None:
            for values, gradient, *own in chunks:
                results = part.update_array(values, gradient, own, numbers)
                self._store((values, *own), results)

        return update

    def _store(self, places: Sequence[Array], results: Sequence[Array]) -> None:
        """Put results into their places, also where one of them is what another place holds: a gradient of two steps ago, for instance."""
        moved = [
            self._kernels.copied(result)
            if any(result is place for place in places if place is not own)
            else result
            for own, result in zip(places, results, strict=True)
        ]
        for place, result in zip(places, moved, strict=True):
            if result is not place:
                place[...] = result
