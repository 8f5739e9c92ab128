"""RealMLP and TabM of multimlp as models of TabArena, which are AutoGluon's: `autogluon.core.models.AbstractModel`.

TabArena (https://tabarena.ai) runs such a class by itself, in bagged folds, and AutoGluon takes it in ``hyperparameters``. Tried with the
classes and the ``TabularPredictor`` of AutoGluon 1.6.3 (`tests/test_tabarena.py`); TabArena's own runner, which fetches its data, was not:

    pip install autogluon.tabular tabarena

    from autogluon.tabular import TabularPredictor
    from benchmarks.tabular.tabarena import MultimlpRealMLP

    TabularPredictor("income").fit(frame, hyperparameters={MultimlpRealMLP: {"n_epochs": 256, "backend": "torch"}})

    from tabarena.utils.config_utils import ConfigGenerator
    experiments = ConfigGenerator(MultimlpRealMLP, {}, manual_configs=[{}]).generate_all_bag_experiments(num_random_configs=0)

Hyperparameters are the estimators' own. Rows that come with a fold choose the best epoch; without any all epochs are made, as many as the
folds found best where the model is fitted again on everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

try:
    from autogluon.core.models import AbstractModel
except ImportError as error:
    raise ImportError(
        "benchmarks.tabular.tabarena needs AutoGluon: pip install autogluon.tabular (and tabarena, to run the board)"
    ) from error

from multimlp import estimators

_CHANCES = ("log_loss", "roc_auc", "roc_auc_ovo", "roc_auc_ovr", "pac_score")
"""Metrics of probabilities: the best epoch is that of the smallest log-loss, and labels are not smoothed."""


class _Table(AbstractModel):
    """What both have in common."""

    seed_name = "random_state"
    default_resources_physical_cores_only = True
    _supported_problem_types: ClassVar = ["binary", "multiclass", "regression", "quantile"]
    _kinds: ClassVar[tuple[Any, Any]]

    def _fit(
        self,
        X: Any,
        y: Any,
        X_val: Any = None,
        y_val: Any = None,
        time_limit: float | None = None,
        sample_weight: Any = None,
        num_cpus: int = 1,
        num_gpus: float = 0,
        **kwargs: Any,
    ) -> None:
        started = time.monotonic()
        X = self.preprocess(X, y=y, is_train=True)
        truths = self._feature_metadata.get_features(required_special_types=["bool"])
        options = self._get_model_params() | {"categorical_features": truths}
        if self.problem_type == "quantile":
            options |= {"output": "quantile", "quantiles": tuple(self.quantile_levels)}
        if self.problem_type in ("binary", "multiclass") and self.stopping_metric.name in _CHANCES:
            options = {"metric": "log_loss", "label_smoothing": 0.0} | options
        if num_gpus:
            options = {"backend": "torch", "device": "cuda"} | options
        given = {}
        if X_val is None:
            options["validation_fraction"] = 0.0
        else:
            given = {"X_val": self.preprocess(X_val), "y_val": y_val}
        if time_limit is not None:
            options["callbacks"] = [_until(started + time_limit)]
        classes = self.problem_type in ("binary", "multiclass")
        self.model = self._kinds[0 if classes else 1](**options)
        self.model.fit(X, y, sample_weight=sample_weight, **given)
        self.model.set_params(callbacks=())  # which no pickle is to hold
        self.params_trained["n_epochs"] = self.model.best_epochs_[0]

    def _predict_proba(self, X: Any, **kwargs: Any) -> np.ndarray:
        if self.problem_type == "quantile":
            return self.model.predict_quantiles(self.preprocess(X, **kwargs))
        return super()._predict_proba(X, **kwargs)

    _default_auxiliary_params_extra: ClassVar = {"valid_raw_types": ["bool", "int", "float", "category"]}

    @classmethod
    def _estimate_memory_usage_static(cls, *, X: Any, **kwargs: Any) -> int:
        """The process, and some copies of the table in float64."""
        return int(1.5e9 + 80 * X.shape[0] * X.shape[1])

    def _more_tags(self) -> dict[str, bool]:
        return {"can_refit_full": True}


def _until(end: float) -> Callable[[Any], None]:
    """A callback that ends training when another epoch would end too late."""
    begun = time.monotonic()

    def look(run: Any) -> None:
        now = time.monotonic()
        if now + (now - begun) / max(run.epoch, 1) > end:
            run.stop("the time is over")

    return look


class MultimlpRealMLP(_Table):
    """`multimlp.estimators.RealMLPClassifier` and ``RealMLPRegressor``."""

    ag_key = "MULTIMLP_REALMLP"
    ag_name = "MultimlpRealMLP"
    _kinds = (estimators.RealMLPClassifier, estimators.RealMLPRegressor)


class MultimlpTabM(_Table):
    """`multimlp.estimators.TabMClassifier` and ``TabMRegressor``."""

    ag_key = "MULTIMLP_TABM"
    ag_name = "MultimlpTabM"
    _kinds = (estimators.TabMClassifier, estimators.TabMRegressor)
