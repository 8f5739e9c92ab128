"""Training and test part."""

from __future__ import annotations

import math

import numpy as np

from multimlp import random
from multimlp.data._dataset import Dataset
from multimlp.errors import DataError
from multimlp.errors.checks import check_number, refuse


def split(dataset: Dataset, test: float | None = None, seed: int = 0) -> tuple[Dataset, Dataset]:
    """A training and a test part; every class keeps its share in both.

    Parameters
    ----------
    dataset : Dataset
    test : float, optional
        Fraction of the rows in the test part, in (0, 1). Default: the set's official test part, else 0.2.
    seed : int
        The same seed gives the same parts, on every machine.

    Returns
    -------
    train, test : Dataset

    Raises
    ------
    DataError
        If a part would be empty or training would miss a class.

    Examples
    --------
    >>> from multimlp import data
    >>> train, test = data.split(data.load("iris"), test=0.2)
    >>> len(train), len(test)
    (120, 30)
    """
    if not isinstance(dataset, Dataset):
        raise refuse("dataset", "a Dataset, as multimlp.data.load and read_table make it", dataset)
    count = len(dataset)
    if test is None and dataset.held_out:
        boundary = count - dataset.held_out
        return dataset.rows(np.arange(boundary)), dataset.rows(np.arange(boundary, count))
    fraction = 0.2 if test is None else test
    number = None if dataset.classes is None else len(dataset.classes)
    trained, tested = rows_of_parts(dataset.y, number, fraction, seed, dataset.description)
    return dataset.rows(trained), dataset.rows(tested)


def rows_of_parts(
    y: np.ndarray, classes: int | None, fraction: float, seed: int, what: str
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a training and of a test part, every class with its share in both; ``what`` opens the error."""
    check_number("test", fraction, low=0, high=1, low_open=True, high_open=True)
    count = len(y)
    generator = random.host_generator(seed, "split")
    groups = [np.arange(count)]
    if classes is not None:
        groups = [np.flatnonzero(y == label) for label in range(classes)]
    groups = [generator.permutation(group) for group in groups]
    sizes = _shares([len(group) for group in groups], fraction)
    if not sum(sizes) and classes is not None and classes > 1 and count == classes:
        raise DataError(
            f"{what}: each of the {count} rows has a class of its own, which are too few to test any; is the target a number?"
        )
    if not sum(sizes):
        raise DataError(f"{what}: {count} rows are too few for a test part of {fraction:g}")
    tested = np.concatenate([group[:size] for group, size in zip(groups, sizes, strict=True)])
    trained = np.concatenate([group[size:] for group, size in zip(groups, sizes, strict=True)])
    return generator.permutation(trained), generator.permutation(tested)


def _shares(sizes: list[int], fraction: float) -> list[int]:
    """How many of each group to take: a fraction of the total, by largest remainder, never a whole group."""
    exact = [size * fraction for size in sizes]
    taken = [min(math.floor(share), max(size - 1, 0)) for share, size in zip(exact, sizes, strict=True)]
    by_remainder = sorted(range(len(sizes)), key=lambda i: taken[i] - exact[i])
    for i in by_remainder:
        if sum(taken) < round(sum(sizes) * fraction) and taken[i] + 1 < sizes[i]:
            taken[i] += 1
    return taken
