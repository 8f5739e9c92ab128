"""What can be learned in the playground: points in the plane that are made here, data sets by name, and a table of one's own."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from multimlp import data
from multimlp.data import Dataset, Frame
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


def problem(name: str, samples: int, noise: float, seed: int, upload: Upload | None) -> Dataset | Frame:
    """The data set of a name; of a table of one's own its columns, of which `parts` makes numbers.

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
    Dataset or Frame

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


def parts(found: Dataset | Frame, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """What is trained on, and the share of the rows that is held out to test; text and gaps of a table become numbers.

    Raises
    ------
    DataError
        If there are too few rows, or fewer than two features.

    Examples
    --------
    >>> from multimlp.playground import Upload, parts, problem
    >>> rows = "age,job,label\\n" + "31,cook,yes\\n,pilot,no\\n" * 10
    >>> train, test = parts(problem("own file", 0, 0, 0, Upload("mine.csv", rows.encode(), "")), 0.25, 0)
    >>> train.feature_names, len(train), len(test)
    (('age', 'age is missing', 'job = cook', 'job = pilot'), 15, 5)
    """
    if isinstance(found, Frame):
        first, second = found.split(share, seed)
        train, test, _ = first.datasets(second)
    else:
        train, test = data.split(found, share, seed)
    if train.X.shape[1] < 2:
        raise DataError(
            f"{found.description}: expected two features or more, for pictures in a plane, got one"
        )
    return train, test


_OPTION = re.compile(r" \(--[^)]*\)| with drop_missing=True")
"""What only somebody at a terminal or in Python can do."""


def _table(upload: Upload | None) -> Frame:
    """An upload as `multimlp.data.read_frame` reads it; messages speak of the file by the name that it came with."""
    if upload is None:
        raise DataError("choose a .csv file: a header, then one row per example")
    name = Path(upload.name).name or "table.csv"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(upload.content)
        try:
            return data.read_frame(path, upload.target or None)
        except DataError as error:
            said = str(error).replace(str(path), name).replace("with target=", "under 'Column to predict'")
            raise DataError(_OPTION.sub("", said)) from None
