"""Numbers to learn, on a scale on which networks learn them, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TargetScale:
    """Mean, deviation and range of the targets that a network is trained on, one number a column.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.estimators.tabular._target_scale import TargetScale
    >>> scale = TargetScale.of(np.asarray([[1.0], [3.0]]))
    >>> scale.standard(np.asarray([[3.0]])).tolist(), scale.back(np.asarray([[0.5], [9.0]])).tolist()
    ([[1.0]], [[2.5], [3.0]])
    """

    mean: np.ndarray
    deviation: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, y: np.ndarray) -> TargetScale:
        """Of targets of shape (n, k); the deviation of a constant column counts as 1."""
        deviation = y.std(axis=0)
        return cls(y.mean(axis=0), np.where(deviation == 0, 1.0, deviation), y.min(axis=0), y.max(axis=0))

    def standard(self, y: np.ndarray) -> np.ndarray:
        """Targets with mean 0 and deviation 1."""
        return np.asarray((y - self.mean) / self.deviation)

    def back(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs as predictions, within the range that the targets had."""
        return np.asarray(np.clip(outputs * self.deviation + self.mean, self.low, self.high))
