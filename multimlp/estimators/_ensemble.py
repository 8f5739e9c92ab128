"""Ensembles: many small networks that differ in their seeds, trained at once as one program on the leading
axis of the parameters. They are classifier and regressor with another default of ``n_members``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from multimlp.estimators._classifier import MLPClassifier
from multimlp.estimators._regressor import MLPRegressor

Init = Callable[..., None]


def _with_default(init: Init, **defaults: Any) -> Init:
    """``__init__`` with other defaults, its signature (in which scikit-learn reads the parameters) included."""
    signature = inspect.signature(init)
    parameters = [p.replace(default=defaults.get(p.name, p.default)) for p in signature.parameters.values()]

    @functools.wraps(init)
    def initialise(self: Any, *args: Any, **given: Any) -> None:
        init(self, *args, **{**defaults, **given})

    initialise.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return initialise


class EnsembleMLPClassifier(MLPClassifier):
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

    __init__ = _with_default(MLPClassifier.__init__, n_members=10)


class EnsembleMLPRegressor(MLPRegressor):
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

    __init__ = _with_default(MLPRegressor.__init__, n_members=10)
