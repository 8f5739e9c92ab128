"""The optimiser as records over runs of the flat buffers, its scalars one row a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from multimlp.backend import CompiledKernels, Late, Record
from multimlp.optimizers import Optimizer
from multimlp.training.engines.inplace.layout import Layout
from multimlp.training.engines.inplace.scalars import columns


class Updates:
    """The updates of one network, or of the first member.

    Parameters
    ----------
    kernels : CompiledKernels
    layout : Layout
    optimizers : sequence of Optimizer
        One a leaf of the parameters, as ``for_leaves`` gives them.
    """

    def __init__(self, kernels: CompiledKernels, layout: Layout, optimizers: Sequence[Optimizer]) -> None:
        self._kernels = kernels
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
                found.append(self._kernels.update(_rule(part), views, Late(f"scalars{i}", len(names)), names))
        return found

    def scalars(self, step: int, count: int) -> dict[str, np.ndarray]:
        """What the records want for ``count`` updates from the one after ``step`` updates on."""
        found = {}
        for i, (part, *_) in enumerate(self._parts):
            numbers = _numbers(part, step, count)
            rows = found[f"scalars{i}"] = np.empty((count, len(numbers)))
            for j, value in enumerate(numbers.values()):
                rows[:, j] = value
        return found


def _numbers(part: Optimizer, step: int, count: int) -> dict[str, Any]:
    """The scalars of updates that are numbers, the weight decay among them."""
    found = {**columns(part, step, count), "weight_decay": part.options["weight_decay"]}
    return {name: value for name, value in found.items() if not isinstance(value, bool)}


def _rule(part: Optimizer) -> Callable[..., Any]:
    """The update of one array, with a weight decay, if there is any, that is one of the scalars."""
    flags = {
        name: value for name, value in part.rule.constants(part.options).items() if isinstance(value, bool)
    }

    def rule(p: Any, g: Any, slots: Any, scalars: dict[str, Any]) -> Any:
        given = dict(scalars)
        decay = given.pop("weight_decay")
        options = {**part.options, "weight_decay": decay if part.options["weight_decay"] else 0.0}
        return replace(part, options=options).update_array(p, g, slots, {**given, **flags})

    return rule
