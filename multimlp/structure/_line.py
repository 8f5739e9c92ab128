"""The straight pieces of a network along a line, found exactly."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from multimlp.errors.shown import short_repr
from multimlp.structure._pieces import HostLayer

_SAME = 1e-12
"""Breakpoints closer than this, in the line's parameter from 0 to 1, are one."""


@dataclass(frozen=True, eq=False)
class LineRegions:
    """A piecewise linear network along a segment x(t) = start + t (end - start), 0 <= t <= 1.

    Attributes
    ----------
    start, end : numpy.ndarray, shape (in_features,)
    breakpoints : numpy.ndarray, shape (r - 1,)
        The values of t, ascending, at which a unit bends. The output bends there unless what follows
        ignores it.
    units : tuple of (int, int)
        For each breakpoint, layer (1 is the first) and number of a unit that bends there.
    slopes : numpy.ndarray, shape (r, out_features)
        d output / d t in each of the r regions.
    offsets : numpy.ndarray, shape (r, out_features)
        In region i the output is ``offsets[i] + t * slopes[i]``.
    linearity_error : float
        Largest difference of the network's own outputs from that formula at points inside the regions,
        relative to the largest output.
    continuity_error : float
        Largest jump between neighbouring regions' formulas at their common breakpoint, relative likewise.
    """

    start: np.ndarray
    end: np.ndarray
    breakpoints: np.ndarray
    units: tuple[tuple[int, int], ...]
    slopes: np.ndarray
    offsets: np.ndarray
    linearity_error: float
    continuity_error: float

    __repr__ = short_repr

    def __len__(self) -> int:
        """The number of regions."""
        return len(self.slopes)

    @property
    def points(self) -> np.ndarray:
        """The breakpoints as inputs of the network, shape (r - 1, in_features)."""
        return np.asarray(self.start + self.breakpoints[:, None] * (self.end - self.start))

    def __call__(self, t: np.ndarray) -> np.ndarray:
        """The outputs at these t by the formula of their region, shape (len(t), out_features)."""
        region = np.searchsorted(self.breakpoints, t)
        return np.asarray(self.offsets[region] + np.asarray(t)[:, None] * self.slopes[region])


@dataclass
class _Piece:
    """An interval of t with the affine map t -> hidden units that holds on it."""

    low: float
    high: float
    offset: np.ndarray
    slope: np.ndarray


def split_line(layers: list[HostLayer], start: np.ndarray, end: np.ndarray) -> tuple[
    np.ndarray, tuple[tuple[int, int], ...], np.ndarray, np.ndarray
]:  # fmt: skip
    """Breakpoints, the units that make them, offsets and slopes. Layer by layer: between two breakpoints
    every preactivation is affine in t, so it crosses a kink at most once, at a t that is a quotient."""
    pieces = [_Piece(0.0, 1.0, start, end - start)]
    found: dict[float, tuple[int, int]] = {}
    for number, layer in enumerate(layers, start=1):
        pieces = [part for piece in pieces for part in _through(layer, number, piece, found)]
    breakpoints = np.asarray([piece.high for piece in pieces[:-1]])
    units = tuple(found[float(t)] for t in breakpoints)
    return breakpoints, units, np.stack([p.offset for p in pieces]), np.stack([p.slope for p in pieces])


def _through(
    layer: HostLayer, number: int, piece: _Piece, found: dict[float, tuple[int, int]]
) -> list[_Piece]:
    offset, slope = piece.offset @ layer.weight + layer.bias, piece.slope @ layer.weight
    edges = [piece.low]
    for t, unit in sorted(_crossings(layer, offset, slope)):
        if edges[-1] + _SAME < t < piece.high - _SAME:
            edges.append(t)
            found.setdefault(t, (number, unit))
    edges.append(piece.high)
    parts = []
    for low, high in itertools.pairwise(edges):
        middle = (low + high) / 2
        gain, value = layer.straight_piece(offset + middle * slope)
        parts.append(_Piece(low, high, value - middle * gain * slope, gain * slope))
    return parts


def _crossings(layer: HostLayer, offset: np.ndarray, slope: np.ndarray) -> list[tuple[float, int]]:
    moving = np.flatnonzero(slope)
    return [
        (float((kink - offset[unit]) / slope[unit]), int(unit)) for kink in layer.kinks for unit in moving
    ]
