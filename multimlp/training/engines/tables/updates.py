"""The optimiser as records over runs of the flat buffers, its scalars one row a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from multimlp.backend import CompiledKernels, Late, Record
from multimlp.optimizers import Optimizer
from multimlp.training.engines.inplace.layout import Layout
from multimlp.training.engines.inplace.scalars import columns, has_own


class Updates:
    """The updates of one network, or of the first member.

    Parameters
    ----------
    kernels : CompiledKernels
    layout : Layout
    optimizers : sequence of Optimizer
        One a leaf of the parameters, as ``for_leaves`` gives them.
    members : int
    """

    def __init__(
        self, kernels: CompiledKernels, layout: Layout, optimizers: Sequence[Optimizer], members: int
    ) -> None:
        self._kernels, self._members = kernels, members
        pieces = layout.pieces(optimizers, (np.empty(layout.size),))
        self._parts = [(part, start, start + view.size) for part, start, (view,) in pieces]

    def records(self, arrays: Sequence[np.ndarray], span: slice) -> list[Record]:
        """The update of a part of the flat parameters, gradient and slots."""
        found = []
        for i, (part, start, stop) in enumerate(self._parts):
            first, last = max(start, span.start), min(stop, span.stop)
            if first < last:
                names = list(_numbers(part, 0, 1))
                views = [array[first:last] for array in arrays]
                late = Late(f"scalars{i}", len(names))
                if has_own(part):
                    late = late._replace(by_step=len(names) * self._members, by_member=len(names))
                found.append(self._kernels.update(_rule(part), views, late, names))
        return found

    def scalars(self, step: int, count: int) -> dict[str, np.ndarray]:
        """What the records want for ``count`` updates from the one after ``step`` updates on."""
        found = {}
        for i, (part, *_) in enumerate(self._parts):
            numbers = _numbers(part, step, count)
            members = (self._members,) if has_own(part) else ()
            rows = found[f"scalars{i}"] = np.empty((count, *members, len(numbers)))
            for j, value in enumerate(numbers.values()):
                rows[..., j] = value
        return found


def _numbers(part: Optimizer, step: int, count: int) -> dict[str, Any]:
    """The scalars of updates that are numbers, the weight decay among them."""
    found = {"weight_decay": part.options["weight_decay"], **columns(part, step, count)}
    return {name: value for name, value in found.items() if not isinstance(value, bool)}


def _rule(part: Optimizer) -> Callable[..., Any]:
    """The update of one array, with a weight decay, if there is any, that is one of the scalars."""
    flags = {
        name: value for name, value in part.rule.constants(part.options).items() if isinstance(value, bool)
    }

    decay = part.options["weight_decay"]
    none = {} if isinstance(decay, np.ndarray) or decay else {"weight_decay": 0.0}

    def rule(p: Any, g: Any, slots: Any, scalars: dict[str, Any]) -> Any:
        return part.update_array(p, g, slots, {**scalars, **flags, **none})

    return rule
