"""The regressor: scikit-learn's ``MLPRegressor`` on any backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from multimlp.backend import Array, owner
from multimlp.errors import DataError, InputError
from multimlp.estimators import _inputs, _sklearn_losses
from multimlp.estimators._base import BaseMLP, is_stochastic, store
from multimlp.estimators._standard import Standard
from multimlp.losses import Loss
from multimlp.mlp import Params


class MLPRegressor(RegressorMixin, BaseMLP):
    """A multilayer perceptron that predicts numbers; scikit-learn's ``MLPRegressor`` with a choice of
    backend.

    Parameters and attributes are those of `MLPClassifier`, but for these.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}, any of `multimlp.losses.names`, or a Loss
        scikit-learn's squared error is halved and added up over the outputs; ``"mse"`` is the plain mean.
        ``"poisson"`` predicts exp(outputs).
    target_scaling : {None, "standard"}
        ``"standard"``: the network learns targets with mean 0 and deviation 1, each column by itself, so that training depends on
        their units no more; without it targets in the hundreds are hardly learned with the default rate. Predictions, ``coefs_``,
        ``intercepts_`` and `to_mlp` are in the units of y, while ``loss_``, ``loss_curve_`` and ``tol`` are those of the standardised
        targets. Mean and deviation heed sample weights; those of the first call stay for ``partial_fit`` and ``warm_start``. For
        losses whose outputs are the predictions, options such as
        ``delta`` being in standardised units too; None, as scikit-learn: targets as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.estimators import MLPRegressor
    >>> X = np.linspace(-1, 1, 50)[:, np.newaxis]
    >>> model = MLPRegressor(hidden_layer_sizes=16, activation="tanh", solver="lbfgs", random_state=0)
    >>> model.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.99
    True
    """

    _numeric_targets = True
    _standard: Standard | None = None

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        n_members: int | None = None,
        target_scaling: str | None = None,
        callbacks: Sequence[Any] = (),
        backend: Any = None,
        device: str | None = None,
        dtype: Any = None,
        devices: Any = None,
    ) -> None:
        store(self, locals())

    # ---- targets

    def _learn_targets(self, y: np.ndarray, first: bool, classes: Any) -> None:
        width = 1 if y.ndim == 1 else int(y.shape[1])
        if first:
            self._targets = width
        elif width != self._targets:
            raise DataError(f"y: expected {self._targets} targets a row, as in the first call, got {width}")

    def _encode(self, y: np.ndarray) -> np.ndarray:
        _inputs.require_numbers("y", y)
        y = np.asarray(y, dtype=np.float64) if y.dtype.kind != "f" else y
        loss = self._loss()
        if loss.activation_function is None and self._width() != self._targets:
            raise InputError(
                f"loss: expected one that predicts one number a target, got {self.loss!r}; for several quantiles take RealMLPRegressor or "
                "TabMRegressor with output='quantile', or multimlp.fit"
            )
        loss.validate((len(y), self._width()), y)
        return y

    def _scaled(self, y: np.ndarray, weights: np.ndarray | None, first: bool) -> np.ndarray:
        columns = y.reshape(len(y), -1)
        if first:
            self._standard = None
            if self.target_scaling is not None:
                self._require_plain_outputs()
                self._standard = Standard.of(columns, weights)
        elif (self._standard is None) != (self.target_scaling is None):
            raise InputError(
                f"target_scaling: expected what the first call had, which the network has learned, got {self.target_scaling!r}"
            )
        return y if self._standard is None else self._standard.standard(columns).reshape(y.shape)

    def _require_plain_outputs(self) -> None:
        loss = self._loss()
        if loss.activation_function is not None or loss.decides is not None:
            raise InputError(
                f"target_scaling: expected None for loss={self.loss!r}, whose outputs are no predictions, got {self.target_scaling!r}"
            )

    def _in_units(self, params: Params) -> Params:
        return params if self._standard is None else self._standard.folded(params)

    def _loss_of(self, loss: Any) -> Loss:
        return _sklearn_losses.for_regression(loss, self._targets)

    def _width(self) -> int:
        return self._loss().outputs_for(self._targets)

    def _score_of(self, outputs: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None) -> float:
        predicted = _inputs.to_host(self._means(outputs))
        truth = y if self._standard is None else self._standard.back(y.reshape(len(y), -1)).reshape(y.shape)
        return float(r2_score(truth, predicted, sample_weight=sample_weight))

    def _means(self, outputs: Array) -> Array:
        """Predictions (n,) or (n, k) for the network's outputs."""
        return self._mean(self._predicted(outputs))

    def _results(self, outputs: Array) -> dict[str, Array]:
        return {"prediction": self._means(outputs)}

    def _predicted(self, outputs: Array) -> Array:
        with owner(outputs).scope_of(outputs):
            values = self._outputs_loss().activation(outputs)
            if self._standard is not None:
                values = values * self._as(values, self._standard.deviation) + self._as(
                    values, self._standard.mean
                )
        return values[..., 0] if values.shape[-1] == 1 else values

    @staticmethod
    def _as(values: Array, numbers: np.ndarray) -> Array:
        """Numbers as an array like values."""
        backend = owner(values)
        return backend.asarray(
            numbers, dtype=backend.dtype_name(values.dtype), device=backend.device_name(values)
        )

    # ---- public

    @available_if(is_stochastic)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """One epoch over the rows given, going on from the last call; parameters as for `fit`."""
        return self._fit_on(X, y, sample_weight)

    def predict(self, X: Any) -> Array:
        """Predictions of shape (n,), or (n, k) for several targets."""
        outputs, origin = self._outputs(X)
        return origin.give(self._means(outputs))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The coefficient of determination R^2 on the rows given."""
        predicted = _inputs.to_host(self.predict(X))
        return float(r2_score(_inputs.to_host(y), predicted, sample_weight=_inputs.to_host(sample_weight)))
