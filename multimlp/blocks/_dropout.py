"""Dropout as a block, at one rate or at one that changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from multimlp import regularizers, schedules
from multimlp.backend import Array, array_namespace, is_array
from multimlp.blocks._block import Block, block
from multimlp.blocks._draws import Draws
from multimlp.errors.checks import check_number
from multimlp.schedules import Schedule

_RESOLUTION = 2.0**16
"""A rate that changes is rounded to multiples of 1 / it, so that libraries whose cosines differ in the last bit draw the same masks."""


def _rate(where: str, value: Any) -> float | Schedule:
    if isinstance(value, (Schedule, Mapping)) or callable(value):
        return schedules.get(value)
    return check_number(where, value, low=0, high=1, high_open=True)


@dataclass(frozen=True, eq=False, repr=False)
class Dropout(Block):
    """Dropout while the model learns: each number becomes 0 with probability ``rate``, else ``x / (1 - rate)``.

    Parameters
    ----------
    rate : float or Schedule
        In [0, 1); a schedule is asked for it at each step of training, rounds it to 16 bits, and cuts it off at 1 - 2^-16.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp import blocks, schedules
    >>> fading = blocks.dropout(schedules.flat_cosine(0.15, steps=1000))
    >>> mm.chain(blocks.dense(8, "relu", in_features=4), fading, blocks.dense(1)).scheduled
    True
    """

    rate: Annotated[Any, _rate]

    @property
    def dropout(self) -> float:
        """The rate, of a schedule that at the first step."""
        return max(float(self.rate(0)), 1 / _RESOLUTION) if isinstance(self.rate, Schedule) else self.rate

    @property
    def scheduled(self) -> bool:
        """Whether the rate changes."""
        return isinstance(self.rate, Schedule)

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        if draws is None:
            return x
        rate: Any = self.rate
        if isinstance(rate, Schedule):
            xp = array_namespace(x)
            step = 0 if draws.step is None else draws.step
            if not is_array(step):
                step = xp.asarray(np.asarray(step, dtype=np.int32), device=getattr(x, "device", None) or None)
            rate = xp.round(rate(step, xp.float32) * _RESOLUTION) / _RESOLUTION
            most = 1 - 1 / _RESOLUTION
            rate = xp.where(rate < most, rate, xp.full_like(rate, most))
        return regularizers.dropout(x, draws.key, rate, draws.window) if not _is_zero(rate) else x


def _is_zero(rate: Any) -> bool:
    return not is_array(rate) and rate == 0


dropout = block(Dropout, "dropout")
