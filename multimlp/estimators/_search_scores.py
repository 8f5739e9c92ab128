"""The estimators of a search once they are fitted, and their scores."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.utils import _safe_indexing

from multimlp.errors.checks import check_number
from multimlp.estimators._base import BaseMLP


class Rows:
    """Some rows of what was given."""

    def __init__(self, X: Any, y: Any, weights: np.ndarray | None, indices: np.ndarray) -> None:
        self._given, self._indices = (X, y, weights), indices

    def taken(self) -> tuple[Any, Any, np.ndarray | None]:
        X, y, weights = self._given
        own = None if weights is None else weights[self._indices]
        return _safe_indexing(X, self._indices), _safe_indexing(y, self._indices), own


class Fitted:
    """An estimator after it was fitted, or why it could not be."""

    def __init__(
        self, estimator: Any, error: Exception | None, seconds: float, unfinished: bool = False
    ) -> None:
        self.estimator, self.error, self.seconds, self.unfinished = estimator, error, seconds, unfinished


def fitted_alone(estimator: Any, network: BaseMLP, X: Any, y: Any, weights: Any, seconds: float) -> Fitted:
    started = time.perf_counter()
    try:
        network.fit(X, y, sample_weight=weights)
    except Exception as error:  # of anybody's callbacks and losses
        return Fitted(estimator, error, seconds)
    return Fitted(estimator, None, seconds + time.perf_counter() - started)


class ScoreTable:
    """The scores of each candidate on each split."""

    def __init__(self, scorer: Any, candidates: int, splits: int, error_score: Any, train: bool) -> None:
        if not (isinstance(error_score, str) and error_score == "raise"):
            error_score = check_number("error_score", error_score, infinite=True, nan=True)
        self._scorer, self._error_score, self._with_train = scorer, error_score, train
        self._shape = (candidates, splits)
        self.fit_time, self.score_time = np.zeros(self._shape), np.zeros(self._shape)
        self.test: dict[str, np.ndarray] = {}
        self.train: dict[str, np.ndarray] = {}
        self.multimetric = False
        self._failed: list[tuple[int, int, Exception]] = []
        self._partly: list[tuple[int, int, Exception]] = []
        """Those that some scorers, and not others, could not score."""

    def kept(self, i: int, split: int) -> dict[str, Any]:
        """The scores and times of one fit, or why it failed, as plain values."""
        errors = [
            f"{type(e).__name__}: {e}" for j, k, e in (*self._failed, *self._partly) if (j, k) == (i, split)
        ]
        none = any((j, k) == (i, split) for j, k, _ in self._failed)
        return {
            "error": errors[0] if errors else None,
            "test": {} if none else {name: float(table[i, split]) for name, table in self.test.items()},
            "train": {} if none else {name: float(table[i, split]) for name, table in self.train.items()},
            "multimetric": self.multimetric,
            "times": [float(self.fit_time[i, split]), float(self.score_time[i, split])],
        }

    def restore(self, i: int, split: int, kept: Mapping[str, Any]) -> None:
        """The inverse of `kept`."""
        self.multimetric = bool(kept["multimetric"])
        self.fit_time[i, split], self.score_time[i, split] = map(float, kept["times"])
        if kept["error"] is not None:
            failures = self._partly if kept["test"] else self._failed
            failures.append((i, split, ValueError(str(kept["error"]))))
        self._note(self.test, i, split, kept["test"])
        self._note(self.train, i, split, kept["train"])

    def add(self, i: int, split: int, fitted: Fitted, test: Rows, train: Rows) -> None:
        self.fit_time[i, split] = fitted.seconds
        if fitted.error is not None:
            if self._error_score == "raise":
                raise fitted.error
            self._failed.append((i, split, fitted.error))
            return
        started = time.perf_counter()
        try:
            found = [self._score(fitted.estimator, test)]
            self.score_time[i, split] = time.perf_counter() - started
            if self._with_train:
                found.append(self._score(fitted.estimator, train))
            for table, scores in zip((self.test, self.train), found, strict=False):
                self._note(table, i, split, scores)
            # Of several scorers one that fails has its traceback for a score.
            wrong = [text for scores in found for text in scores.values() if isinstance(text, str)]
            if wrong:
                self._partly.append((i, split, ValueError(wrong[0].strip().splitlines()[-1])))
        except Exception as error:  # of anybody's scorers
            if self._error_score == "raise":
                raise
            self._failed.append((i, split, error))

    def _score(self, estimator: Any, rows: Rows) -> dict[str, Any]:
        X, y, weights = rows.taken()
        given = {} if weights is None or not _takes_weights(self._scorer) else {"sample_weight": weights}
        found = self._scorer(estimator, X, y, **given)
        self.multimetric = isinstance(found, dict)
        return found if isinstance(found, dict) else {"score": found}

    def _note(self, table: dict[str, np.ndarray], i: int, split: int, scores: Mapping[str, Any]) -> None:
        for name, value in scores.items():
            if name not in table:
                number = np.nan if self._error_score == "raise" else float(self._error_score)
                table[name] = np.full(self._shape, number)
            if not isinstance(value, str):
                table[name][i, split] = value

    def report(self, unfinished: int) -> None:
        """Say what went wrong; raise where nothing went right."""
        if unfinished:
            warnings.warn(
                f"{unfinished} of the fits reached max_iter before they had converged",
                ConvergenceWarning,
                stacklevel=4,
            )
        total = self._shape[0] * self._shape[1]
        if self._partly:
            i, split, error = self._partly[0]
            warnings.warn(
                f"{len(self._partly)} fits of {total} could not be scored by every scorer; the first, of candidate {i} on split {split}: "
                f"{error}. Such scores are {self._error_score}",
                FitFailedWarning,
                stacklevel=4,
            )
        if not self._failed:
            return
        i, split, error = self._failed[0]
        text = f"{len(self._failed)} fits of {total} failed; the first, of candidate {i} on split {split}: {type(error).__name__}: {error}"
        if len(self._failed) == total:
            error.add_note(f"In a search all of the {text}")
            raise error
        warnings.warn(f"{text}. Their score is {self._error_score}", FitFailedWarning, stacklevel=4)


def _takes_weights(scorer: Any) -> bool:
    """Whether a scorer makes use of weights."""
    asked = getattr(scorer, "_accept_sample_weight", None)
    return bool(asked()) if asked is not None else "sample_weight" in inspect.signature(scorer).parameters
