"""Mean 0 and standard deviation 1, as measured on the training part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimlp.backend import host_values
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import flag
from multimlp.errors.shown import short_repr


@dataclass(frozen=True, eq=False)
class Standardizer:
    """The map (X - mean) / scale, column by column.

    Attributes
    ----------
    mean, scale : numpy.ndarray, shape (d,), float64
        ``scale`` is the standard deviation (divisor n), 1 for a constant column.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.data import Standardizer
    >>> X = np.asarray([[1.0, 5.0], [3.0, 5.0]])
    >>> standardize = Standardizer.fit(X)
    >>> standardize(X)
    array([[-1.,  0.],
           [ 1.,  0.]])
    >>> standardize.inverse(standardize(X))
    array([[1., 5.],
           [3., 5.]])
    >>> Standardizer.from_dict(standardize.to_dict()).mean
    array([2., 5.])
    """

    mean: np.ndarray
    scale: np.ndarray

    __repr__ = short_repr

    @classmethod
    def fit(cls, X: np.ndarray, shared: bool = False) -> Standardizer:
        """What is measured on some rows.

        Parameters
        ----------
        X : array_like, shape (n, d)
            With a row and a column at least.
        shared : bool
            Whether all columns have one mean and scale, as the pixels of an image may.

        Returns
        -------
        Standardizer

        Raises
        ------
        ShapeError
            For an array of another shape.
        InputError
            For what is no array of numbers.
        """
        X, shared = _numbers("X", X), flag("shared", shared)
        if X.ndim != 2 or 0 in X.shape:
            raise ShapeError(f"X: expected shape (n, d) with at least one row and column, got {X.shape}")
        groups = X.reshape(-1, 1) if shared else X
        low, high = np.min(groups, axis=0), np.max(groups, axis=0)
        largest = np.max(np.abs([low, high], dtype=np.float64), axis=0)
        # Where float64 does not hold the squares: in units of the largest number.
        far = ((largest > _SQUARED) | (largest < 1 / _SQUARED)) & (largest > 0) & np.isfinite(largest)
        unit = np.where(far, largest, 1.0)
        scaled = groups if np.all(unit == 1) else groups / unit
        mean = np.mean(scaled, axis=0, dtype=np.float64) * unit
        scale = np.std(scaled, axis=0, dtype=np.float64) * unit
        # Rounding leaves a tiny deviation in a constant column, which would blow it up.
        scale[(low == high) | (scale == 0)] = 1.0
        columns = (X.shape[1],)
        return cls(np.broadcast_to(mean, columns), np.broadcast_to(scale, columns))

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Standardise ``X``, of shape (..., d).

        It is computed in float64 and returned in the dtype of ``X``; `ShapeError` for another number of columns.
        """
        X = self._checked(X)
        standardized: np.ndarray = (X - self.mean) / self.scale
        return standardized.astype(_float_like(X), copy=False)

    def inverse(self, Z: np.ndarray) -> np.ndarray:
        """The values whose standardised form is ``Z``, of shape (..., d); dtypes and errors as for a call."""
        Z = self._checked(Z)
        values: np.ndarray = Z * self.scale + self.mean
        return values.astype(_float_like(Z), copy=False)

    def _checked(self, X: np.ndarray) -> np.ndarray:
        X = _numbers("X", X)
        if not X.ndim or X.shape[-1] != len(self.mean):
            raise ShapeError(f"X: expected shape (..., {len(self.mean)}), got {X.shape}")
        return X

    def to_dict(self) -> dict[str, list[float]]:
        """Plain values, for JSON."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Standardizer:
        """The inverse of `to_dict`; `InputError` for anything else."""
        mean, scale = (_column_values(plain, key) for key in ("mean", "scale"))
        if mean.shape != scale.shape or not np.all(np.isfinite(mean)):
            raise InputError(
                f"not what Standardizer.to_dict makes: expected as many finite means as scales, got {len(mean)} and {len(scale)}"
            )
        bad = np.flatnonzero(~(np.isfinite(scale) & (scale > 0)))
        if len(bad):
            raise InputError(
                f"not what Standardizer.to_dict makes: the scale of column {bad[0]} is {scale[bad[0]]}, expected a positive number"
            )
        return cls(mean, scale)


_SQUARED = 1e150
"""About the root of the largest float64."""


def _column_values(plain: Mapping[str, Any], key: str) -> np.ndarray:
    values = plain.get(key) if isinstance(plain, Mapping) else None
    if not isinstance(values, (list, tuple)) or not all(type(value) in (int, float) for value in values):
        raise InputError(f"not what Standardizer.to_dict makes: {key!r} is no list of numbers")
    try:
        return np.asarray(values, dtype=np.float64)
    except OverflowError:
        raise InputError(
            f"not what Standardizer.to_dict makes: {key!r} has a number beyond float64"
        ) from None


def _numbers(name: str, X: Any) -> np.ndarray:
    """A host array of real numbers; `DataError` for anything else."""
    found = host_values(X, name)
    return found.astype(np.float64) if found.dtype == object else found


def _float_like(X: np.ndarray) -> np.dtype:
    return X.dtype if X.dtype.kind == "f" else np.dtype(np.float64)
