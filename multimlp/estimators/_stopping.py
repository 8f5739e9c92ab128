"""When to stop: what counts as an improvement, how long to wait for one, and the rows that are held out to see it."""

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
from multimlp.training import take_rows


class Patience:
    """Counts epochs whose figure (lower is better) is not ``tol`` below the best one before.

    Parameters
    ----------
    tol, limit : float
    best : float
        The best figure so far.
    waited : int
        Epochs without improvement so far.

    Examples
    --------
    >>> from multimlp.estimators._stopping import Patience
    >>> patience = Patience(tol=0.1, limit=1)
    >>> [patience.exhausted(loss) for loss in (1.0, 0.5, 0.49, 0.48)]
    [False, False, False, True]
    """

    def __init__(self, tol: float, limit: float, best: float = math.inf, waited: int = 0) -> None:
        self.best, self.waited = best, waited
        self._tol, self._limit = tol, limit

    def exhausted(self, value: float) -> bool:
        """Note the figure of an epoch; whether there have been more than ``limit`` epochs without
        improvement."""
        self.waited = self.waited + 1 if value > self.best - self._tol else 0
        self.best = min(self.best, value)
        return self.waited > self._limit


class Holdout:
    """Rows kept from training, and the best parameters by their score.

    Parameters
    ----------
    X, y, weights
        The rows.
    best : float
        The score to beat.
    best_params : tuple of Dense, optional
        Those that have it.
    """

    def __init__(
        self,
        X: Array,
        y: np.ndarray,
        weights: np.ndarray | None,
        best: float = -math.inf,
        best_params: Params | None = None,
    ) -> None:
        self._X, self._y, self._weights = X, y, weights
        self.best, self.best_params = best, best_params

    @property
    def rows(self) -> int:
        return len(self._y)

    def outputs(self, mlp: MLP, params: Params) -> np.ndarray:
        """What a network says of the rows, (n, k), or all members (members, n, k)."""
        return np.asarray(_inputs.to_host(Network(mlp, params).outputs(self._X)))

    def note(
        self, outputs: np.ndarray, params: Callable[[], Params], score_of: Callable[..., float]
    ) -> float:
        """The score of the parameters with these outputs, which are kept if it is the best; NaN if the outputs are not finite."""
        value = score_of(outputs, self._y, self._weights) if np.all(np.isfinite(outputs)) else math.nan
        if value > self.best:
            self.best, self.best_params = value, params()
        return value

    def for_another(self) -> Holdout:
        """The same rows for another network, of which nothing is known."""
        return Holdout(self._X, self._y, self._weights)


Rows = tuple[Array, np.ndarray, np.ndarray | None]
"""Inputs, encoded targets, weights."""


def split(estimator: Any, rows: Rows, seed: int) -> tuple[Rows, Rows]:
    """The rows to train on and those held out: ``validation_fraction`` of them, drawn by the seed."""
    X, y, weights = rows
    with _inputs.explained("validation_fraction"):
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

    def part(chosen: np.ndarray) -> Rows:
        return take_rows(X, chosen), y[chosen], None if weights is None else weights[chosen]

    return part(kept), part(held)
