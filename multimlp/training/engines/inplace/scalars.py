"""The numbers that an update takes and that may change from step to step: as Python's, or in arrays that a recording reads.

Worked out on the host in double precision, for all steps of a block together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from multimlp.backend import Array, Kernels, Scalars, array_namespace
from multimlp.optimizers import Optimizer
from multimlp.schedules import Schedule

MOST_STEPS = 64
"""Of a block."""


def columns(optimizer: Optimizer, step: int, count: int) -> dict[str, Any]:
    """``optimizer.scalars`` of ``count`` updates from the one after ``step`` updates on: an array of shape (count,) for each that
    may change, the number itself for each that does not. Where members have options of their own see `member_columns`."""
    rule, options = optimizer.rule, optimizer.options
    if has_own(optimizer):
        return member_columns(optimizer, step, count)
    steps = np.arange(step, step + count, dtype=np.float64)
    found: dict[str, Any] = {"learning_rate": _rates(options["learning_rate"], steps)}
    found.update(rule.constants(options))
    if rule.corrections is not None:
        found.update(rule.corrections(array_namespace(steps), steps + 1, options))
    return found


def has_own(optimizer: Optimizer) -> bool:
    """Whether members have options of their own: host arrays of shape (members,)."""
    return any(isinstance(value, np.ndarray) for value in optimizer.options.values())


def member_columns(optimizer: Optimizer, step: int, count: int) -> dict[str, Any]:
    """As `columns`, with an array of shape (count, members) for each number that may change or differ."""
    rule, options = optimizer.rule, optimizer.options
    own = {name: value for name, value in options.items() if isinstance(value, np.ndarray)}
    steps = np.arange(step, step + count, dtype=np.float64)
    rates = _rates(options["learning_rate"], steps)
    found = {"learning_rate": rates[:, None] if "learning_rate" not in own and np.ndim(rates) else rates}
    found.update(rule.constants(options))
    if "weight_decay" in own:
        found["weight_decay"] = own["weight_decay"]
    if rule.corrections is not None:
        found.update(rule.corrections(array_namespace(steps), steps[:, None] + 1, options))
    shape = (count, *next(iter(own.values())).shape)
    return {k: np.broadcast_to(v, shape) if isinstance(v, np.ndarray) else v for k, v in found.items()}


def scalars(
    optimizer: Optimizer, step: int, count: int, place: Callable[[np.ndarray], Array]
) -> list[Scalars]:
    """The numbers of `columns`, step by step; where there are several for a step, in an array that ``place`` makes of all of them."""
    found = columns(optimizer, step, count)
    rows = [_rows(value, count, place) for value in found.values()]
    return [dict(zip(found, row, strict=True)) for row in zip(*rows, strict=True)]


def _rows(value: Any, count: int, place: Callable[[np.ndarray], Array]) -> list[Any]:
    if not isinstance(value, np.ndarray):
        return [value] * count
    if value.ndim == 1:
        return list(value.tolist())
    placed = place(value)
    return [placed[i] for i in range(count)]


def _rates(rate: Any, steps: np.ndarray) -> Any:
    if not isinstance(rate, Schedule):
        return rate
    if _is_known(rate):
        return rate.function(array_namespace(steps), steps, **rate.options)
    # A schedule of the user's own need not work on many steps at once.
    return np.asarray([rate(int(step)) for step in steps])


def _is_known(rate: Schedule) -> bool:
    """Whether a schedule and those inside of it are multimlp's own."""
    inner = (value for value in rate.options.values() if isinstance(value, Schedule))
    return rate.is_known and all(map(_is_known, inner))


class LiveScalars:
    """What `scalars` says, in arrays on the device that stay where they are: a step reads its own, the host writes those of a block.

    Parameters
    ----------
    kernels : Kernels
    optimizers : sequence of Optimizer
        One for each part of the parameters.
    """

    def __init__(self, kernels: Kernels, optimizers: Sequence[Optimizer]) -> None:
        self._kernels, self._optimizers = kernels, optimizers
        self._tables = [self._table(columns(optimizer, 0, 1)) for optimizer in optimizers]
        # Numbers of steps are exact in float32 up to 2^24, where no correction is left; torch's fused updates want them so.
        self._numbers = self._new(np.zeros(MOST_STEPS), "float32")

    def write(self, step: int, count: int) -> None:
        """Before ``count`` updates from the one after ``step`` updates on."""
        for optimizer, table in zip(self._optimizers, self._tables, strict=True):
            found = columns(optimizer, step, count)
            for name, array in table.items():
                if not isinstance(array, (bool, float, int)):
                    shape = (count, *array.shape[1:])
                    array[:count] = self._new(np.broadcast_to(found[name], shape), self._kernels.dtype)
        self._numbers[:count] = self._new(np.arange(step + 1, step + 1 + count), "float32")

    def at(self, part: int, position: int) -> tuple[Scalars, Array]:
        """The scalars of a part at the ``position``-th step of a block, and the step's number; views."""
        table = self._tables[part]
        found = {
            name: value if isinstance(value, (bool, float, int)) else value[position, ...]
            for name, value in table.items()
        }
        return found, self._numbers[position, ...]

    def _table(self, found: dict[str, Any]) -> Scalars:
        return {
            name: self._new(np.zeros((MOST_STEPS, *value.shape[1:])), self._kernels.dtype)
            if isinstance(value, np.ndarray)
            else value
            for name, value in found.items()
        }

    def _new(self, values: np.ndarray, dtype: str) -> Array:
        return self._kernels.backend.asarray(
            np.array(values, dtype=dtype), dtype=dtype, device=self._kernels.device
        )
