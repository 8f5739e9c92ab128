"""Classes and numbers as targets of the estimators for tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

from multimlp import losses
from multimlp.backend import Array, array_namespace
from multimlp.errors import DataError, InputError, ShapeError
from multimlp.errors.checks import check_choice, check_number
from multimlp.estimators import _parameters
from multimlp.estimators._inputs import as_targets, require_numbers, to_host
from multimlp.estimators._targets import Labels, class_weights
from multimlp.estimators.tabular import _predictive
from multimlp.estimators.tabular._base import Member, Rows, TableEstimator
from multimlp.estimators.tabular._calibration import best_temperature, log_loss, probabilities
from multimlp.estimators.tabular._fitting import Fitted, Judge
from multimlp.estimators.tabular._target_scale import TargetScale
from multimlp.frames import is_missing
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
        _parameters.check({"class_weight": self.class_weight})

    def _check_held(self, some: bool) -> None:
        if self.calibrate and not some:
            raise InputError(
                "calibrate: the temperature is fitted on rows held out, and there are none; set validation_fraction above 0 or n_folds, or "
                "give X_val and y_val"
            )

    def _learn_targets(self, y: np.ndarray) -> np.ndarray:
        labels = Labels(y)
        if labels.multilabel:
            raise DataError("y: expected one label a row, got several columns of zeros and ones")
        if labels.count < 2:
            raise DataError(f"y: expected two or more classes, got one class, {labels.classes.tolist()[0]!r}")
        self._labels, self.classes_ = labels, labels.classes
        return labels.indices(y)

    def _as_learned(self, y: np.ndarray) -> np.ndarray:
        return self._labels.indices(y)

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        counts = np.bincount(y)
        return y if counts[counts > 0].min() > 1 else None

    def _weighted(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        if self.class_weight is None:
            return weights
        own = class_weights(self.class_weight, y, self.classes_)
        return own if weights is None else own * weights

    def _outputs(self) -> int:
        return self._labels.count

    def _loss(self) -> Loss:
        found: Loss = losses.with_options("cross_entropy", label_smoothing=float(self.label_smoothing))
        return found

    def _judge(self, y: np.ndarray, weights: np.ndarray | None, standard: Any = None) -> Judge:
        if self.metric == "log_loss":
            return lambda outputs: log_loss(probabilities(outputs), y, weights)
        return lambda outputs: float(np.average(probabilities(outputs).argmax(axis=-1) != y, weights=weights))

    def _after(self, fitted: Fitted, standard: Any, held: Rows | None) -> float:
        """The temperature."""
        if not self.calibrate or held is None:
            return 1.0
        X, y, weights = held
        return best_temperature(np.asarray(to_host(fitted.network.outputs(X))), y, weights)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probabilities of the classes, shape (n, k), in the order of ``classes_``."""

        return np.asarray(self._probabilities(self._said(X)))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def _probabilities(self, said: Sequence[Array]) -> Array:
        return self._mean(said, lambda member, outputs: probabilities(outputs, member.after))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable classes, shape (n,)."""
        places = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[places])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on the rows given."""
        return float(super().score(X, as_targets(y, "y"), sample_weight))

    def _results(self, said: Sequence[Array]) -> dict[str, Array]:
        found = self._probabilities(said)
        xp = array_namespace(found)
        return {"label": xp.take(xp.asarray(self.classes_), xp.argmax(found, axis=1)), "probabilities": found}


def _says(*outputs: str) -> Callable[[Any], bool]:
    """Whether an estimator's networks say so much; AttributeError if not, for methods that need it."""

    def check(estimator: Any) -> bool:
        if estimator._learned.output not in outputs:
            raise AttributeError(
                f"output={estimator._learned.output!r} does not say this; set output to {' or '.join(map(repr, outputs))}"
            )
        return True

    return check


class Learned(NamedTuple):
    """What the networks' outputs mean."""

    output: str
    quantiles: Sequence[float]

    @property
    def loss(self) -> Loss:
        """The loss that they are trained with."""
        return _predictive.loss_of(self.output, self.quantiles)


class TableRegressor(RegressorMixin, TableEstimator):
    """Targets are numbers, one or several a row, learned with mean 0 and deviation 1."""

    output: str
    quantiles: Sequence[float]
    _kept: Learned | None = None

    def _learn_targets(self, y: np.ndarray) -> np.ndarray:
        self._single = y.ndim == 1
        targets = _finite(y, "y")
        self.n_outputs_ = targets.shape[1]
        return targets

    def _as_learned(self, y: np.ndarray) -> np.ndarray:
        targets = _finite(y, "y_val")
        if targets.shape[1] != self.n_outputs_:
            raise ShapeError(
                f"y_val: expected {self.n_outputs_} targets a row, as y has, got {targets.shape[1]}"
            )
        return targets

    def _check(self) -> None:
        super()._check()
        check_choice("output", self.output, _predictive.OUTPUTS)
        losses.with_options("quantile", quantiles=self.quantiles)

    def _outputs(self) -> int:
        return self._loss().outputs_for(self.n_outputs_)

    def _loss(self) -> Loss:
        return _predictive.loss_of(self.output, self.quantiles)

    def _standard(self, y: np.ndarray, weights: np.ndarray | None) -> TargetScale:
        return TargetScale.of(y, weights)

    def _judge(self, y: np.ndarray, weights: np.ndarray | None, standard: TargetScale | None = None) -> Judge:
        return lambda outputs: _predictive.error(self.output, self.quantiles, outputs, y, weights, standard)

    def _note_learned(self) -> None:
        self._kept = Learned(self.output, tuple(map(float, self.quantiles)))

    @property
    def _learned(self) -> Learned:
        """Of the networks that there are, whatever the parameters say since."""
        return Learned(self.output, self.quantiles) if self._kept is None else self._kept

    def _learned_parameters(self) -> dict[str, Any]:
        return self._learned._asdict()

    # ---- predictions

    def predict(self, X: Any) -> np.ndarray:
        """The predictions, shape (n,) or (n, k): means, or medians with ``output="quantile"``."""
        return np.asarray(self._of_targets(self._predictions(self._said(X))))

    def _predictions(self, said: Sequence[Array]) -> Array:
        if self._learned.output == "quantile":
            known = self._known_levels
            if not known[0] <= 0.5 <= known[-1]:
                raise InputError(
                    f"quantiles: predictions are medians, and the network learned the quantiles from {known[0]:g} to {known[-1]:g}; call "
                    "predict_quantiles, or fit with others"
                )
            return self._quantiles(said, [0.5])[..., 0]
        if self._learned.output == "gaussian":
            return self._distribution(said)[0]
        return self._mean(said, lambda member, outputs: member.after.back(_predictive.mean_of(outputs)))

    def _of_targets(self, found: Array) -> Array:
        """Without the axis of targets, the second, if there is one target."""
        return found[:, 0] if self._single and found.ndim == 2 else found[:, 0, :] if self._single else found

    @available_if(_says("quantile", "gaussian"))
    def predict_quantiles(self, X: Any, q: Any = None) -> np.ndarray:
        """Quantiles of the targets, in their units; those of higher levels are never lower.

        Parameters
        ----------
        X : table
        q : float or sequence of float, optional
            Levels strictly between 0 and 1; default: ``quantiles``. With ``output="quantile"`` levels between those that were learned
            lie on straight lines between them, and others are refused.

        Returns
        -------
        numpy.ndarray, shape (n, levels), or (n, k, levels) for several targets
        """
        levels = list(self._learned.quantiles) if q is None else _predictive.check_levels("q", q)
        return np.asarray(self._of_targets(self._quantiles(self._said(X), levels)))

    def _quantiles(self, said: Sequence[Array], levels: Sequence[float]) -> Array:
        """Shape (n, k, levels)."""
        if self._learned.output == "gaussian":
            return _predictive.of_normal(*self._distribution(said), levels)
        known = self._known_levels

        def link(member: Member, outputs: Array) -> Array:
            return _predictive.in_units(member.after, _predictive.sorted_quantiles(outputs, len(known)))

        return _predictive.between(known, self._mean(said, link), levels)

    @property
    def _known_levels(self) -> Sequence[float]:
        """Those that the networks learned."""
        found: Sequence[float] = self._learned.loss.options.get("quantiles", (0.5,))
        return found

    @available_if(_says("quantile", "gaussian"))
    def predict_interval(self, X: Any, coverage: float = 0.9) -> np.ndarray:
        """Intervals that a share ``coverage`` of the targets lies in, with as many below as above.

        Returns
        -------
        numpy.ndarray, shape (n, 2), or (n, k, 2) for several targets
            Lower and upper ends.
        """
        inside = check_number("coverage", coverage, low=0, high=1, low_open=True, high_open=True)
        return self.predict_quantiles(X, [(1 - inside) / 2, (1 + inside) / 2])

    @available_if(_says("gaussian"))
    def predict_distribution(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of the targets, each of shape (n,) or (n, k).

        Those of the mixture of what the networks say: where they disagree the deviation is larger.
        """
        mean, deviation = (np.asarray(self._of_targets(part)) for part in self._distribution(self._said(X)))
        return mean, deviation

    def _distribution(self, said: Sequence[Array]) -> tuple[Array, Array]:
        """Means and deviations, each of shape (n, k)."""
        middle = self._members[0].after.mean

        def link(member: Member, outputs: Array) -> Array:
            mean, second = _predictive.moments(outputs)
            xp = array_namespace(mean)
            own = _predictive.in_units(member.after, mean)
            scale = _predictive.constant(mean, member.after.deviation)
            variance = (_predictive.deviation_of(mean, second) * scale) ** 2
            shifted = own - _predictive.constant(mean, middle)
            return xp.stack([own, shifted, variance + shifted**2])

        found = self._mean(said, link)
        return found[0, ...], _predictive.deviation_of(found[1, ...], found[2, ...])

    def _results(self, said: Sequence[Array]) -> dict[str, Array]:
        found: dict[str, Array] = {}
        known, (output, quantiles) = self._known_levels, self._learned
        if output != "quantile" or known[0] <= 0.5 <= known[-1]:
            found["prediction"] = self._of_targets(self._predictions(said))
        if output != "mean":
            found["quantiles"] = self._of_targets(self._quantiles(said, list(quantiles)))
        if output == "gaussian":
            found["deviation"] = self._of_targets(self._distribution(said)[1])
        return found


def _finite(y: np.ndarray, where: str) -> np.ndarray:
    """Targets that are numbers, float64, of shape (n, k)."""
    require_numbers(where, y)
    if y.dtype.kind == "O":
        y = np.frompyfunc(lambda item: np.nan if is_missing(item) else item, 1, 1)(y)
    try:
        targets = y.astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{where}: expected numbers, got {y.dtype}") from None
    if not np.isfinite(targets).all():
        row = int(np.argwhere(~np.isfinite(targets))[0][0])
        raise DataError(
            f"{where}: expected finite numbers; leave out rows whose target is missing or infinite, first row {row}"
        )
    return np.asarray(targets.reshape(len(targets), -1))
