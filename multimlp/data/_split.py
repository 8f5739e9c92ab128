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
    fraction = check_number(
        "test", 0.2 if test is None else test, low=0, high=1, low_open=True, high_open=True
    )
    generator = random.host_generator(seed, "split")
    groups = [np.arange(count)]
    if dataset.classes is not None:
        groups = [np.flatnonzero(dataset.y == label) for label in range(len(dataset.classes))]
    groups = [generator.permutation(group) for group in groups]
    sizes = _shares([len(group) for group in groups], fraction)
    if not sum(sizes):
        raise DataError(f"{dataset.description}: {count} rows are too few for a test part of {fraction:g}")
    tested = np.concatenate([group[:size] for group, size in zip(groups, sizes, strict=True)])
    trained = np.concatenate([group[size:] for group, size in zip(groups, sizes, strict=True)])
    return dataset.rows(generator.permutation(trained)), dataset.rows(generator.permutation(tested))


def _shares(sizes: list[int], fraction: float) -> list[int]:
    """How many of each group to take: a fraction of the total, by largest remainder, never a whole group."""
    exact = [size * fraction for size in sizes]
    taken = [min(math.floor(share), max(size - 1, 0)) for share, size in zip(exact, sizes, strict=True)]
    by_remainder = sorted(range(len(sizes)), key=lambda i: taken[i] - exact[i])
    for i in by_remainder:
        if sum(taken) < round(sum(sizes) * fraction) and taken[i] + 1 < sizes[i]:
            taken[i] += 1
    return taken
