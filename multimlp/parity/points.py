"""Where functions of one number are compared: a grid, random points, and where libraries differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from multimlp.parity.formats import Format

GRID_END = 20.0
SIZES = (1e-30, 1e-8, 1e-4, 1e-2, 30.0, 88.0, 100.0, 700.0, 1000.0)

_MOST_KINKS = 2
"""The number of points is the same for all functions, so that compilers meet one shape only."""


def grid(form: Format, quick: bool) -> np.ndarray:
    """Equally spaced on [-20, 20], rounded to the format."""
    return form.round(np.linspace(-GRID_END, GRID_END, 81 if quick else 241))


def points(form: Format, kinks: Sequence[float], quick: bool) -> np.ndarray:
    """The grid, random points, and special ones, as float64 numbers of the format.

    The special points: both zeros, the kinks and their neighbours, the smallest normal and some subnormal
    numbers, tiny, large and very large ones of both signs, the largest, infinities, NaN.

    Examples
    --------
    >>> from multimlp.parity.formats import FORMATS
    >>> from multimlp.parity.points import points
    >>> x = points(FORMATS["float32"], (6.0,), quick=True)
    >>> sorted({float(v) for v in x if abs(v - 6) < 1e-5})
    [5.999999523162842, 6.0, 6.000000476837158]
    """
    random = np.random.default_rng(20240607)
    count = 60 if quick else 250
    units = form.spacing(np.asarray(kinks))
    around = np.concatenate([kinks, kinks - units, kinks + units])
    around = np.concatenate([around, np.full(_MOST_KINKS * 3 - len(around), 0.25)])
    positive = [
        form.tiny,
        form.tiny * 4,
        *SIZES,
        2.0 ** (form.highest - 1),
        form.max,
        form.tiny / 2,
        form.tiny * form.eps,
    ]
    special = [0.0, -0.0, *positive, *(-v for v in positive), np.inf, -np.inf, np.nan]
    spread = [random.normal(scale=3, size=count), random.uniform(-GRID_END, GRID_END, count)]
    drawn = form.round(np.concatenate(spread))
    return np.concatenate([grid(form, quick), drawn, around, form.round(np.asarray(special))])


def is_subnormal(x: np.ndarray, form: Format) -> np.ndarray:
    """Which numbers some libraries take for zero."""
    below: np.ndarray = (x != 0) & (np.abs(x) < form.tiny)
    return below


def flushed(x: np.ndarray, form: Format) -> np.ndarray:
    """For each element its own index, for a subnormal number that of the zero of its sign, which must be among x."""
    zeros = {
        negative: int(np.flatnonzero((x == 0) & (np.signbit(x) == negative))[0]) for negative in (False, True)
    }
    of_zero = np.where(np.signbit(x), zeros[True], zeros[False])
    index: np.ndarray = np.where(is_subnormal(x, form), of_zero, np.arange(len(x)))
    return index
