"""What can be learned in the playground: points in the plane that are made here, data sets by name, and a table of one's own."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from multimlp import data
from multimlp.data import Dataset
from multimlp.errors import DataError
from multimlp.random import host_generator

OWN_FILE = "own file"
"""The choice that stands for an `Upload`."""


class Upload(NamedTuple):
    """A table that somebody brought along, as it came."""

    name: str
    content: bytes
    target: str
    """The column to predict; empty for the usual names."""


def _circles(generator: np.random.Generator, samples: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(samples) % 2
    radii = np.where(labels == 1, 1.0, 0.4)
    return _polar(radii, generator.uniform(0, 2 * math.pi, samples)), labels


def _spirals(generator: np.random.Generator, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Two arms, half a turn apart, each of one and a half turns."""
    labels = np.arange(samples) % 2
    along = np.sqrt(generator.uniform(0.02, 1, samples))
    return _polar(along, along * 3 * math.pi + labels * math.pi), labels


def _xor(generator: np.random.Generator, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """The square, whose quarters take turns: class 1 where the signs of the coordinates differ."""
    points = generator.uniform(-1, 1, (samples, 2))
    return points, (points[:, 0] * points[:, 1] < 0).astype(np.int64)


def _polar(radii: np.ndarray, angles: np.ndarray) -> np.ndarray:
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=-1)


_Maker = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
_MADE: dict[str, tuple[str, _Maker]] = {
    "circles": ("a ring around a ring", _circles),
    "spirals": ("two arms of a spiral", _spirals),
    "xor": ("the quarters of a square", _xor),
}
MADE = tuple(_MADE)
"""The sets that are made, with as many points and as much noise as one likes."""
BUNDLED = tuple(name for name in data.names() if not name.endswith("mnist"))
"""The sets that need no download."""
NAMES = (*MADE, *BUNDLED, OWN_FILE)


def problem(name: str, samples: int, noise: float, seed: int, upload: Upload | None) -> Dataset:
    """The data set of a name.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    samples : int
        Points of a set that is made.
    noise : float
        The standard deviation of what is added to their coordinates; labels are those of the points before.
    seed : int
    upload : Upload or None
        For `OWN_FILE`.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the file holds no table that can be learned from, or there is none.

    Examples
    --------
    >>> from multimlp.playground import problem
    >>> problem("circles", 100, 0.1, 0, None)
    <Dataset 'circles: a ring around a ring': 100 rows, 2 features, 2 classes>
    """
    if name == OWN_FILE:
        return _table(upload)
    if name in BUNDLED:
        return data.load(name)
    description, make = _MADE[name]
    generator = host_generator(seed, f"playground {name}")
    points, labels = make(generator, samples)
    points = points + noise * generator.standard_normal(points.shape)
    return Dataset(
        X=points.astype(np.float32),
        y=labels.astype(np.int64),
        feature_names=("x1", "x2"),
        classes=("0", "1"),
        task="classification",
        description=f"{name}: {description}",
    )


def _table(upload: Upload | None) -> Dataset:
    """An upload as `multimlp.data.read_table` reads it; messages speak of the file by the name that it came with."""
    if upload is None:
        raise DataError("choose a .csv file: a header, then one row per example")
    name = Path(upload.name).name or "table.csv"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(upload.content)
        try:
            table = data.read_table(path, upload.target or None)
        except DataError as error:
            raise DataError(str(error).replace(str(path), name)) from None
    if table.X.shape[1] < 2:
        raise DataError(f"{name}: expected two features or more, for pictures in a plane, got one")
    return table
