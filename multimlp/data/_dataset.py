"""What a data set is, and the checks that every one passes at the door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from multimlp.data._compact import compact
from multimlp.data._finite import not_finite
from multimlp.data._targets import encode
from multimlp.errors import DataError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples and what is to be predicted from them.

    Attributes
    ----------
    X : numpy.ndarray, shape (n, d), float32
        float64 where float32 would lose more than a millionth of a column's spread, as of time stamps.
        Finite.
    y : numpy.ndarray, shape (n,)
        int64 class indices 0 .. k-1 for classification, float32 values for regression.
    feature_names : tuple of str
        One per column of ``X``.
    classes : tuple or None
        The label that each class index stands for; None for regression.
    task : str
        ``"classification"`` or ``"regression"``.
    description : str
        One line.
    image_shape : tuple of int or None
        (height, width) if the columns are the pixels of an image.
    held_out : int
        The last so many rows are the set's official test part; 0 if it has none.

    Examples
    --------
    >>> from multimlp import data
    >>> iris = data.load("iris")
    >>> len(iris), iris.feature_names[0], iris.classes[iris.y[0]]
    (150, 'sepal length (cm)', 'setosa')
    """

    X: np.ndarray
    y: np.ndarray
    feature_names: tuple[str, ...]
    classes: tuple[Any, ...] | None
    task: str
    description: str
    image_shape: tuple[int, int] | None = None
    held_out: int = 0

    def __len__(self) -> int:
        return len(self.X)

    def rows(self, index: np.ndarray) -> Dataset:
        """The data set of these rows, without an official test part."""
        return replace(self, X=self.X[index], y=self.y[index], held_out=0)

    def __repr__(self) -> str:
        kind = f"{len(self.classes)} classes" if self.classes is not None else "regression"
        return f"<Dataset {self.description!r}: {len(self)} rows, {self.X.shape[1]} features, {kind}>"


def make(
    where: str,
    X: np.ndarray,
    y: np.ndarray,
    feature_names: Sequence[str] | None = None,
    task: str | None = None,
    description: str | None = None,
) -> Dataset:
    """A data set of checked and encoded arrays; ``where`` opens each message."""
    X = check_features(where, X, feature_names)
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or len(y) != len(X):
        raise DataError(f"{where}: expected a target of shape ({len(X)},), one value a row, got {y.shape}")
    if len(X) < 2:
        raise DataError(
            f"{where}: there is only one row; at least two are needed, one to train and one to test"
        )
    encoded, classes, found_task = encode(where, y, task)
    return Dataset(
        X,
        encoded,
        column_names(X, feature_names),
        classes,
        found_task,
        where if description is None else description,
    )


def column_names(X: np.ndarray, names: Sequence[str] | None) -> tuple[str, ...]:
    """The names given, else ``x0``, ``x1``, ..."""
    return tuple(names) if names is not None else tuple(f"x{j}" for j in range(X.shape[1]))


def check_features(where: str, X: np.ndarray, feature_names: Sequence[str] | None = None) -> np.ndarray:
    """The features as a finite table (see `compact`), or a `DataError` that says which column and row is at fault."""
    X = np.asarray(X)
    if X.dtype.kind not in "biuf":
        raise DataError(f"{where}: expected features that are numbers, got an array of dtype {X.dtype}")
    if X.ndim != 2:
        raise DataError(f"{where}: expected features of shape (rows, columns), got {X.shape}")
    if 0 in X.shape:
        raise DataError(f"{where}: there is no data: {X.shape[0]} rows, {X.shape[1]} feature columns")
    table = compact(X)
    bad = ~np.isfinite(table)
    if not bad.any():
        beyond = np.argwhere(np.abs(table) > np.finfo(np.float32).max)
        if len(beyond):
            row, j = beyond[0]
            raise DataError(
                f"{where}: column {column_names(table, feature_names)[j]!r}, row {row + 1}: {table[row, j]:g} is beyond float32, which "
                "networks compute in; give the column in another unit, or leave it out"
            )
    else:
        columns = np.flatnonzero(bad.any(axis=0))
        names = column_names(table, feature_names)
        others = f", and so have {len(columns) - 1} more columns" if len(columns) > 1 else ""
        raise not_finite(
            where, f"column {names[columns[0]]!r}", bad[:, columns[0]], f"drop or fill them{others}"
        )
    return table
