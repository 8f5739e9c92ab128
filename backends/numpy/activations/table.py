"""The table of the formulas.

``formula(n, x, out, w, **options)`` takes the `Numbers` of x's dtype, where the result goes, which may be x, and arrays like x to work
in, the same for every piece. It answers NotImplemented to options that it does not cover.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

Array: TypeAlias = np.ndarray
Work: TypeAlias = Sequence[np.ndarray]
F = TypeVar("F", bound=Callable[..., Any])


class Formula(NamedTuple):
    """One formula and how many arrays it works in."""

    call: Callable[..., Any]
    work: int


FORMULAS: dict[str, Formula] = {}
"""By the names of the operations."""

PAIRS: dict[str, Formula] = {}
"""``pair(n, x, value, slope, w, **options)``: value and derivative of those that share an exponential; the value may go into x."""


def formula(work: int, *further: str) -> Callable[[F], F]:
    """Put a function into `FORMULAS`, under its own name and under those of operations that are the same."""

    def decorate(function: F) -> F:
        FORMULAS.update(dict.fromkeys((function.__name__, *further), Formula(function, work)))
        return function

    return decorate


def pair(name: str, work: int) -> Callable[[F], F]:
    """Put a function into `PAIRS`."""

    def decorate(function: F) -> F:
        PAIRS[name] = Formula(function, work)
        return function

    return decorate
