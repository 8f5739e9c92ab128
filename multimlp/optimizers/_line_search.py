"""A line search for the strong Wolfe conditions: Nocedal, Wright (2006), algorithms 3.5 and 3.6.

Near a minimum the decrease drowns in the rounding of the values, which would stop the search at half of the digits. There the slopes
decide, by the approximate Wolfe conditions of Hager, Zhang, SIAM Journal on Optimization 16 (2005), equation (1.4).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from multimlp.backend import Array

SUFFICIENT_DECREASE = 1e-4
CURVATURE = 0.9
ROUNDING = 1e-12
"""Relative differences of values below this are not trusted."""


class Point(NamedTuple):
    """A point on the line: how far along, and value, slope and gradient there."""

    length: float
    value: float
    slope: float
    position: Array
    gradient: Array


def strong_wolfe(
    along: Callable[[float], Point], start: Point, first: float, limit: int
) -> tuple[Point, int]:
    """A point that satisfies both conditions, and the number of evaluations.

    After ``limit`` evaluations the lowest point seen is returned, which is ``start`` itself where none was
    lower.
    """
    best, previous, length = start, start, first
    for used in range(1, limit + 1):
        point = along(length)
        if _slopes_suffice(point, start):
            return point, used
        if point.value < best.value:
            best = point
        if not _decreases(point, start) or (used > 1 and point.value >= previous.value):
            return _zoom(along, start, previous, point, best, used, limit)
        if abs(point.slope) <= -CURVATURE * start.slope:
            return point, used
        if point.slope >= 0:
            return _zoom(along, start, point, previous, best, used, limit)
        previous, length = point, 2 * length
    return best, limit


def _decreases(point: Point, start: Point) -> bool:
    """Sufficient decrease; false for NaN."""
    return point.value <= start.value + SUFFICIENT_DECREASE * point.length * start.slope


def _slopes_suffice(point: Point, start: Point) -> bool:
    """The approximate Wolfe conditions, where the values differ by no more than their rounding."""
    if not abs(point.value - start.value) <= ROUNDING * abs(start.value):
        return False
    return CURVATURE * start.slope <= point.slope <= (2 * SUFFICIENT_DECREASE - 1) * start.slope


def _zoom(
    along: Callable[[float], Point],
    start: Point,
    low: Point,
    high: Point,
    best: Point,
    used: int,
    limit: int,
) -> tuple[Point, int]:
    """Shrink an interval that holds a good point; ``low`` is its end with the lower value."""
    while used < limit:
        width = abs(high.length - low.length)
        if width <= 1e-16 * max(low.length, high.length):
            break
        point = along(_between(low, high))
        used += 1
        if _slopes_suffice(point, start):
            return point, used
        if point.value < best.value:
            best = point
        if not _decreases(point, start) or point.value >= low.value:
            high = point
            continue
        if abs(point.slope) <= -CURVATURE * start.slope:
            return point, used
        if point.slope * (high.length - low.length) >= 0:
            high = low
        low = point
    return best, used


def _between(low: Point, high: Point) -> float:
    """The minimum of the cubic with the ends' values and slopes, a tenth off the ends; else the middle."""
    left, right = sorted((low.length, high.length))
    middle = (left + right) / 2
    if not (math.isfinite(high.value) and math.isfinite(high.slope)):
        return middle
    d1 = low.slope + high.slope - 3 * (low.value - high.value) / (low.length - high.length)
    square = d1 * d1 - low.slope * high.slope
    if square < 0:
        return middle
    d2 = math.copysign(math.sqrt(square), high.length - low.length)
    bottom = high.slope - low.slope + 2 * d2
    if bottom == 0:
        return middle
    found = high.length - (high.length - low.length) * (high.slope + d2 - d1) / bottom
    margin = 0.1 * (right - left)
    return min(max(found, left + margin), right - margin)
