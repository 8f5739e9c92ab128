"""The options that optimisers share, each with its check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from multimlp import schedules
from multimlp.errors.checks import check_number, number, optional
from multimlp.schedules import Schedule


def _number_or_schedule(where: str, value: Any) -> float | Schedule:
    if isinstance(value, (Schedule, Mapping)) or callable(value):
        return schedules.get(value)
    return check_number(where, value, low=0)


Rate: TypeAlias = Annotated[float | Schedule, _number_or_schedule]
Decay: TypeAlias = Annotated[float | Schedule, _number_or_schedule]
ClipNorm: TypeAlias = Annotated[float | None, optional(number(low=0, low_open=True))]
Memory: TypeAlias = Annotated[float, number(low=0, high=1, high_open=True)]
"""How much of an average stays at a step: momentum, beta, rho."""
NotNegative: TypeAlias = Annotated[float, number(low=0)]
