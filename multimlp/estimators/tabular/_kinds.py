"""Classes and numbers as targets of the estimators for tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_sample_weight

from multimlp import losses
from multimlp.errors import DataError
from multimlp.errors.checks import check_choice, check_number
from multimlp.estimators._inputs import explained, to_host
from multimlp.estimators._targets import Labels
from multimlp.estimators.tabular._base import Member, TableEstimator
from multimlp.estimators.tabular._calibration import best_temperature, log_loss, probabilities
from multimlp.estimators.tabular._fitting import Fitted, Judge
from multimlp.estimators.tabular._target_scale import TargetScale
from multimlp.losses import Loss


class TableClassifier(ClassifierMixin, TableEstimator):
    """Targets are classes: a softmax over as many outputs."""

    metric: str
    label_smoothing: float
    calibrate: bool
    class_weight: Any

    def _check(self) -> None:
        super()._check()
        check_choice("metric", self.metric, ("class_error", "log_loss"))
        check_number("label_smoothing", self.label_smoothing, low=0, high=1, high_open=True)

    def _learn_targets(self, y: np.ndarray) -> np.ndarray:
        labels = Labels(y)
        if labels.multilabel:
            raise DataError("y: expected one label a row, got several columns of zeros and ones")
        if labels.count < 2:
            raise DataError(f"y: expected two or more classes, got one: {labels.classes[0]!r}")
        self._labels, self.classes_ = labels, labels.classes
        return labels.indices(y)

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        return y if np.bincount(y).min() > 1 else None

    def _weighted(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        if self.class_weight is None:
            return weights
        with explained("class_weight"):
            own = compute_sample_weight(self.class_weight, y)
        return np.asarray(own if weights is None else own * weights)

    def _outputs(self) -> int:
        return self._labels.count

    def _loss(self) -> Loss:
        found: Loss = losses.with_options("cross_entropy", label_smoothing=float(self.label_smoothing))
        return found

    def _judge(self, y: np.ndarray) -> Judge:
        if self.metric == "log_loss":
            return lambda outputs: log_loss(probabilities(outputs), y)
        return lambda outputs: float((probabilities(outputs).argmax(axis=-1) != y).mean())

    def _after(self, fitted: Fitted, standard: Any, held: tuple[np.ndarray, np.ndarray] | None) -> float:
        """The temperature."""
        if not self.calibrate or held is None:
            return 1.0
        return best_temperature(np.asarray(to_host(fitted.network.outputs(held[0]))), held[1])

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probabilities of the classes, shape (n, k), in the order of ``classes_``."""

        def link(member: Member, outputs: np.ndarray) -> np.ndarray:
            return probabilities(outputs, member.after)

        return self._mean(X, link)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable classes, shape (n,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class TableRegressor(RegressorMixin, TableEstimator):
    """Targets are numbers, one or several a row, learned with mean 0 and deviation 1."""

    def _learn_targets(self, y: np.ndarray) -> np.ndarray:
        try:
            targets = y.astype(np.float64)
        except (TypeError, ValueError):
            raise DataError(f"y: expected numbers, got {y.dtype}") from None
        if not np.isfinite(targets).all():
            raise DataError("y: expected finite numbers; leave out rows whose target is missing or infinite")
        self._single = targets.ndim == 1
        targets = targets.reshape(len(targets), -1)
        self.n_outputs_ = targets.shape[1]
        return targets

    def _outputs(self) -> int:
        return self.n_outputs_

    def _loss(self) -> Loss:
        found: Loss = losses.get("mse")
        return found

    def _standard(self, y: np.ndarray) -> TargetScale:
        return TargetScale.of(y)

    def _judge(self, y: np.ndarray) -> Judge:
        return lambda outputs: float(np.sqrt(np.mean((_one(outputs) - y) ** 2)))

    def predict(self, X: Any) -> np.ndarray:
        """The predictions, shape (n,) or (n, k)."""
        found = self._mean(X, lambda member, outputs: member.after.back(_one(outputs)))
        return found[:, 0] if self._single else found


def _one(outputs: np.ndarray) -> np.ndarray:
    """The outputs (n, k); of several members, (members, n, k), their mean."""
    return np.asarray(outputs if outputs.ndim == 2 else outputs.mean(axis=0))
