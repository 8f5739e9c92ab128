"""Ensembles: many small networks that differ in their seeds, trained at once as one program on the leading
axis of the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp.backend import Array, owner
from multimlp.estimators._base import BaseMLP, store
from multimlp.estimators._classifier import MLPClassifier
from multimlp.estimators._regressor import MLPRegressor


class _Ensemble(BaseMLP):
    """What ensembles change: seeds, means, and the spread of predictions."""

    n_members: int

    def _seeds(self, seed: int) -> int | list[int]:
        return [seed + i for i in range(self.n_members)]

    def _mean(self, values: Array) -> Array:
        return _over_members(values, "mean")

    def _members(self, outputs: Array) -> Array:
        """Each member's predictions (members, n, k) for the network's outputs."""
        raise TypeError("a subclass says what its members predict")

    def predict_members(self, X: Any) -> Array:
        """Each member's probabilities (members, n, k), or predictions (members, n) or (members, n, k)."""
        outputs, origin = self._outputs(X)
        return origin.give(self._members(outputs))

    def predict_spread(self, X: Any) -> Array:
        """The standard deviation over the members of what `predict_members` says."""
        outputs, origin = self._outputs(X)
        return origin.give(_over_members(self._members(outputs), "std"))


def _over_members(values: Array, statistic: str) -> Array:
    backend = owner(values)
    with backend.scope_of(values):
        return getattr(backend.xp, statistic)(values, axis=0)


class EnsembleMLPClassifier(_Ensemble, MLPClassifier):
    """``n_members`` classifiers from different initial parameters, trained together; probabilities are the
    mean over the members.

    Parameters and attributes are those of `MLPClassifier`, but for ``n_members``, and ``coefs_`` and
    ``intercepts_`` have a leading axis of members. All members see the same batches; member 0 starts as the
    `MLPClassifier` of the same ``random_state``. The loss and when to stop are those of the mean. L-BFGS,
    whose steps are searched for all parameters together, cannot train an ensemble.

    Parameters
    ----------
    n_members : int

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from multimlp.estimators import EnsembleMLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = EnsembleMLPClassifier(16, n_members=5, random_state=0, learning_rate_init=0.01).fit(X, y)
    >>> model.predict_proba(X).shape, model.predict_spread(X).shape, model.coefs_[0].shape
    ((150, 3), (150, 3), (5, 4, 16))
    """

    def __init__(
        self,
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
        loss: Any = "log_loss",
        class_weight: Any = None,
        dropout: float = 0.0,
        n_members: int = 10,
        callbacks: Sequence[Any] = (),
        backend: Any = None,
        device: str | None = None,
        dtype: Any = None,
    ) -> None:
        store(self, locals())

    def _decided(self, outputs: Array) -> np.ndarray:
        if self._loss().activation_function is None:
            return self._labels.decode(_host(self._mean(outputs)))
        backend = owner(outputs)
        with backend.scope_of(outputs):
            chances = self._mean(self._loss().activation(outputs))
        return self._labels.decode(_host(chances), 0.5)

    def _members(self, outputs: Array) -> Array:
        return self._probabilities(outputs)


class EnsembleMLPRegressor(_Ensemble, MLPRegressor):
    """``n_members`` regressors from different initial parameters, trained together; predictions are the mean
    over the members.

    See `EnsembleMLPClassifier`; parameters are those of `MLPRegressor` and ``n_members``.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.estimators import EnsembleMLPRegressor
    >>> X = np.linspace(-1, 1, 50)[:, np.newaxis]
    >>> model = EnsembleMLPRegressor(hidden_layer_sizes=8, n_members=4, solver="rmsprop", tol=0.01)
    >>> model = model.fit(X, X[:, 0])
    >>> bool(np.all(model.predict_spread(X) >= 0))
    True
    """

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
        n_members: int = 10,
        callbacks: Sequence[Any] = (),
        backend: Any = None,
        device: str | None = None,
        dtype: Any = None,
    ) -> None:
        store(self, locals())

    def _members(self, outputs: Array) -> Array:
        with owner(outputs).scope_of(outputs):
            values = self._loss().activation(outputs)
        return values[..., 0] if values.shape[-1] == 1 else values


def _host(values: Array) -> np.ndarray:
    return owner(values).to_numpy(values)
