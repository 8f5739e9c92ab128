"""Targets with mean 0 and deviation 1, on which networks learn best, and the way back to their own units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multimlp.mlp import Dense, Params


@dataclass(frozen=True)
class Standard:
    """Mean and deviation of the targets that a network is trained on, float64, one number a column.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.estimators._standard import Standard
    >>> scale = Standard.of(np.asarray([[1.0], [3.0]]))
    >>> scale.standard(np.asarray([[3.0]])).tolist(), scale.back(np.asarray([[0.5], [9.0]])).tolist()
    ([[1.0]], [[2.5], [11.0]])
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, y: np.ndarray, weights: np.ndarray | None = None) -> Standard:
        """Of targets of shape (n, k), each row as often as its weight says; the deviation of a constant column counts as 1."""
        mean, deviation = mean_and_deviation(y, weights)
        return Standard(mean, deviation)

    def standard(self, y: np.ndarray) -> np.ndarray:
        """Targets with mean 0 and deviation 1."""
        return np.asarray((y - self.mean) / self.deviation)

    def back(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs in the targets' units."""
        return np.asarray(outputs * self.deviation + self.mean)

    def folded(self, params: Params) -> Params:
        """A network of NumPy arrays whose last layer, (..., in, k), gives outputs in the targets' units by itself."""
        weight, bias = params[-1].weight, params[-1].bias
        scaled = 0.0 if bias is None else bias * self.deviation
        last = Dense(
            (weight * self.deviation).astype(weight.dtype), (scaled + self.mean).astype(weight.dtype)
        )
        return (*params[:-1], last)


def mean_and_deviation(y: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Of columns (n, k), float64, squares of large numbers included; the deviation of a constant column counts as 1."""
    largest = np.abs(y).max(axis=0).astype(np.float64)
    unit = np.where(largest == 0, 1.0, largest)
    parts = y / unit
    mean = np.average(parts, axis=0, weights=weights)
    deviation = np.sqrt(np.average((parts - mean) ** 2, axis=0, weights=weights))
    constant = (y.min(axis=0) == y.max(axis=0)) | (deviation == 0)
    return np.where(constant, y[0], mean * unit), np.where(constant, 1.0, deviation * unit)
