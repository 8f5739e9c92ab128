"""Derivatives along a direction without a rule of differentiation: differences that are extrapolated, or an imaginary step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Values: TypeAlias = list[np.ndarray]
Along: TypeAlias = Callable[[complex], Values]
"""The outputs at ``x + h v``, from ``h``."""


@dataclass(frozen=True)
class Precision:
    """How derivatives are told apart from rounding in a dtype."""

    rtol: float
    atol: float
    step: float
    """The first one, relative to the numbers that are moved; it is halved."""
    halvings: int

    def bound(self, slope: np.ndarray) -> np.ndarray:
        """By how much a derivative may be off."""
        bound: np.ndarray = self.atol + self.rtol * np.abs(slope)
        return bound


PRECISIONS = {"float64": Precision(1e-6, 1e-6, 2.0**-6, 12), "float32": Precision(2e-3, 2e-3, 2.0**-2, 5)}


def complex_step(along: Along) -> tuple[Values, Values]:
    """Im f(x + ihv) / h with h = 1e-30: nothing is subtracted, so nothing cancels (Squire, Trapp, SIAM Review 40, 1998)."""
    h = 1e-30
    slopes = [np.imag(y) / h for y in along(1j * h)]
    return slopes, [np.zeros(s.shape) for s in slopes]


def extrapolated(along: Along, first: float, wanted: Precision) -> tuple[Values, Values]:
    """Central differences at ever smaller steps, extrapolated to none (Ridders, Advances in Engineering Software 4, 1982).

    Of each element the estimate that agrees best with those that it is made of; the second result is by how much it does not.
    """
    best: Values = []
    error: Values = []
    open_: Values = []
    before: list[Values] = []
    h = first
    for _ in range(wanted.halvings):
        with np.errstate(all="ignore"):
            row = [[(a - b) / (2 * h) for a, b in zip(along(h), along(-h), strict=True)]]
            for level, previous in enumerate(before, start=1):
                row.append(
                    [(4.0**level * a - b) / (4.0**level - 1) for a, b in zip(row[-1], previous, strict=True)]
                )
        if not best:
            best = [np.array(d) for d in row[0]]
            error = [np.full(d.shape, np.inf) for d in best]
            open_ = [np.full(d.shape, True) for d in best]
        for level in range(1, len(row)):
            _keep_better(best, error, open_, row[level], row[level - 1], before[level - 1])
        if before:  # beyond the best step rounding grows, and estimates agree by luck alone
            for still, least, of, new, last in zip(open_, error, best, row[-1], before[-1], strict=True):
                with np.errstate(all="ignore"):
                    grown = (np.abs(new - last) >= 2 * least) & (least <= 10 * wanted.bound(of))
                still &= ~(grown | (least <= 0.01 * wanted.bound(of)))
        if not any(map(np.any, open_)):
            break
        before, h = row, h / 2
    return best, error


def _keep_better(
    best: Values,
    error: Values,
    open_: Values,
    found: Sequence[np.ndarray],
    left: Sequence[np.ndarray],
    above: Sequence[np.ndarray],
) -> None:
    for kept, least, still, new, a, b in zip(best, error, open_, found, left, above, strict=True):
        with np.errstate(all="ignore"):
            off = np.maximum(np.abs(new - a), np.abs(new - b))
        better = still & (off < least)  # never where something is NaN
        kept[...], least[...] = np.where(better, new, kept), np.where(better, off, least)
