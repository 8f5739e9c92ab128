"""The scale of targets that are numbers, and their range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multimlp.backend import Array, array_namespace
from multimlp.estimators._standard import Standard, mean_and_deviation


@dataclass(frozen=True)
class TargetScale(Standard):
    """Mean, deviation and range of the targets that a network is trained on, one number a column.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.estimators.tabular._target_scale import TargetScale
    >>> scale = TargetScale.of(np.asarray([[1.0], [3.0]]))
    >>> scale.standard(np.asarray([[3.0]])).tolist(), scale.back(np.asarray([[0.5], [9.0]])).tolist()
    ([[1.0]], [[2.5], [3.0]])
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, y: np.ndarray, weights: np.ndarray | None = None) -> TargetScale:
        """Of targets of shape (n, k); the deviation of a constant column counts as 1."""
        return cls(*mean_and_deviation(y, weights), y.min(axis=0), y.max(axis=0))

    def back(self, outputs: Array) -> Array:
        """Outputs as predictions, within the range that the targets had."""
        xp = array_namespace(outputs)
        mean, deviation, low, high = (
            xp.asarray(numbers, dtype=outputs.dtype)
            for numbers in (self.mean, self.deviation, self.low, self.high)
        )
        return xp.minimum(xp.maximum(outputs * deviation + mean, low), high)
