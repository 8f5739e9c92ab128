"""When to stop: no improvement for some epochs, on the training loss or on rows that were held out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from multimlp.backend import Array
from multimlp.errors import InputError
from multimlp.estimators import _inputs
from multimlp.estimators._fitted_network import Network
from multimlp.mlp import MLP, Params


class Patience:
    """Counts epochs whose figure (lower is better) is not ``tol`` below the best one before.

    Examples
    --------
    >>> from multimlp.estimators._stopping import Patience
    >>> patience = Patience(tol=0.1, limit=1)
    >>> [patience.exhausted(loss) for loss in (1.0, 0.5, 0.49, 0.48)]
    [False, False, False, True]
    """

    def __init__(self, tol: float, limit: float, best: float = math.inf) -> None:
        self.best = best
        self._tol, self._limit, self._waited = tol, limit, 0

    def exhausted(self, value: float) -> bool:
        """Note the figure of an epoch; whether there have been more than ``limit`` epochs without
        improvement."""
        self._waited = self._waited + 1 if value > self.best - self._tol else 0
        self.best = min(self.best, value)
        return self._waited > self._limit

    def reset(self) -> None:
        """Start counting again."""
        self._waited = 0


class Holdout:
    """Rows kept from training, and the best parameters by their score."""

    def __init__(self, X: Array, y: np.ndarray, weights: np.ndarray | None) -> None:
        self._X, self._y, self._weights = X, y, weights
        self._best = -math.inf
        self.best_params: Params | None = None

    @classmethod
    def split(
        cls, estimator: Any, X: Array, y: np.ndarray, weights: np.ndarray | None, seed: int
    ) -> tuple[Array, np.ndarray, np.ndarray | None, Holdout]:
        """``(X, y, weights)`` to train on, and the holdout: ``validation_fraction`` of the rows, drawn by the
        seed."""
        kept, held = train_test_split(
            np.arange(len(y)),
            test_size=estimator.validation_fraction,
            random_state=seed,
            stratify=estimator._strata(y),
        )
        if len(held) < 2:
            raise InputError(
                "validation_fraction: The validation set is too small. Increase "
                "'validation_fraction' or the size of "
                "your dataset."
            )

        def part(chosen: np.ndarray) -> tuple[Array, np.ndarray, np.ndarray | None]:
            return _inputs.rows(X, chosen), y[chosen], None if weights is None else weights[chosen]

        return *part(kept), cls(*part(held))

    def score(self, mlp: MLP, params: Params, score_of: Callable[..., float]) -> float:
        """The score of the parameters, which are kept if it is the best."""
        outputs = _inputs.to_host(Network(mlp, params).outputs(self._X))
        value = score_of(outputs, self._y, self._weights) if np.all(np.isfinite(outputs)) else math.nan
        if value > self._best:
            self._best, self.best_params = value, params
        return value
