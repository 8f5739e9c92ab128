"""The flat pieces of a network on a parallelogram, found exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multimlp.errors.shown import short_repr
from multimlp.structure._pieces import HostLayer

_SAME = 1e-12
"""Corners closer than this to a line, in the parallelogram's own coordinates, lie on it."""


@dataclass(frozen=True, eq=False)
class PlaneRegions:
    """A piecewise linear network on the parallelogram x(s, t) = origin + s (first - origin) + t (second -
    origin).

    Attributes
    ----------
    origin, first, second : numpy.ndarray, shape (in_features,)
    polygons : tuple of numpy.ndarray, each of shape (corners, 2)
        The regions, convex, as their corners (s, t) in order; 0 <= s, t <= 1.
    slopes : numpy.ndarray, shape (r, 2, out_features)
        d output / d (s, t) in each of the r regions.
    offsets : numpy.ndarray, shape (r, out_features)
        In region i the output is ``offsets[i] + (s, t) @ slopes[i]``.
    linearity_error, continuity_error : float
        As for `LineRegions`; continuity is measured at the corners, against the network itself.
    """

    origin: np.ndarray
    first: np.ndarray
    second: np.ndarray
    polygons: tuple[np.ndarray, ...]
    slopes: np.ndarray
    offsets: np.ndarray
    linearity_error: float
    continuity_error: float

    __repr__ = short_repr

    def __len__(self) -> int:
        """The number of regions."""
        return len(self.polygons)

    def points(self, coordinates: np.ndarray) -> np.ndarray:
        """Coordinates (s, t) of shape (n, 2) as inputs of the network."""
        return on_plane(np.stack([self.origin, self.first, self.second]), coordinates)


def on_plane(corners: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    """Coordinates (s, t) as points, for the corners (origin, first, second)."""
    return np.asarray(corners[0] + coordinates @ (corners[1:] - corners[0]))


def area(polygon: np.ndarray) -> float:
    """Area in (s, t), by the shoelace formula; all regions' add up to 1."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


@dataclass
class _Piece:
    """A convex polygon with the affine map (s, t) -> hidden units that holds on it."""

    polygon: np.ndarray
    offset: np.ndarray
    slope: np.ndarray


def split_plane(
    layers: list[HostLayer], corners: np.ndarray
) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
    """Polygons, offsets and slopes. On a polygon every preactivation is affine, so each kink of each unit
    is a straight line, which cuts the polygon in two or misses it."""
    square = np.asarray([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    pieces = [_Piece(square, corners[0], corners[1:] - corners[0])]
    for layer in layers:
        pieces = [part for piece in pieces for part in _through(layer, piece)]
    return (
        tuple(piece.polygon for piece in pieces),
        np.stack([piece.offset for piece in pieces]),
        np.stack([piece.slope for piece in pieces]),
    )


def _through(layer: HostLayer, piece: _Piece) -> list[_Piece]:
    offset, slope = piece.offset @ layer.weight + layer.bias, piece.slope @ layer.weight
    polygons = [piece.polygon]
    for kink in layer.kinks:
        for unit in np.flatnonzero(np.any(slope != 0, axis=0)):
            normal, level = slope[:, unit], offset[unit] - kink
            polygons = [part for polygon in polygons for part in _cut(polygon, normal, level)]
    parts = []
    for polygon in polygons:
        middle = polygon.mean(axis=0)
        gain, value = layer.straight_piece(offset + middle @ slope)
        parts.append(_Piece(polygon, value - gain * (middle @ slope), gain * slope))
    return parts


def _cut(polygon: np.ndarray, normal: np.ndarray, level: float) -> list[np.ndarray]:
    """A convex polygon cut by the line normal . p + level = 0; itself if the line misses it."""
    side = (polygon @ normal + level) / np.linalg.norm(normal)
    side[np.abs(side) <= _SAME] = 0.0
    if np.all(side >= 0) or np.all(side <= 0):
        return [polygon]
    above: list[np.ndarray] = []
    below: list[np.ndarray] = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if side[i] >= 0:
            above.append(polygon[i])
        if side[i] <= 0:
            below.append(polygon[i])
        if side[i] * side[j] < 0:
            crossing = polygon[i] + side[i] / (side[i] - side[j]) * (polygon[j] - polygon[i])
            above.append(crossing)
            below.append(crossing)
    return [np.stack(above), np.stack(below)]
