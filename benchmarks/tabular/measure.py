"""Fits each model to each split and scores it."""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.tabular import models
from benchmarks.tabular.datasets import DataSet
from benchmarks.tabular.models import THREADS, Model
from benchmarks.tabular.results import Results, Score
from multimlp import metrics

TEST_SHARE = 0.25
BINS = 10
"""Of the calibration error."""


def measure(
    results: Results,
    datasets: Sequence[DataSet],
    chosen: Sequence[Model],
    seeds: int,
    rows: int,
    done: Callable[[Score], None],
) -> None:
    """Measure what the results do not hold yet; ``done`` is told of each score when it is there.

    The models take turns within a split, so that all of them see the machine in the same state.
    """
    for seed in range(seeds):
        for dataset in datasets:
            missing = [one for one in chosen if not results.has(dataset.name, one.name, seed)]
            if not missing:
                continue
            frame, y = dataset.load(rows)
            train, test = split(y, dataset.is_classification, seed)
            parts = (frame.iloc[train], y[train], frame.iloc[test], y[test])
            for model in missing:
                score = _scored(dataset, model, seed, *parts)
                results.scores.append(score)
                done(score)


def split(y: np.ndarray, is_classification: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows to be judged by, of each class its share."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        np.arange(len(y)), test_size=TEST_SHARE, random_state=seed, stratify=y if is_classification else None
    )
    return train, test


def _scored(
    dataset: DataSet, model: Model, seed: int, X: Any, y: np.ndarray, X_test: Any, y_test: np.ndarray
) -> Score:
    if importlib.util.find_spec(model.package) is None:
        return Score(dataset.name, model.name, seed, None, problem=f"{model.package} is not installed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = model.make(dataset.is_classification, seed, X)
            start = time.perf_counter()
            model.fit(fitted, X, y)
            trained = time.perf_counter()
            outputs = fitted.predict_proba(X_test) if dataset.is_classification else fitted.predict(X_test)
            ended = time.perf_counter()
    except Exception as error:
        return Score(
            dataset.name,
            model.name,
            seed,
            None,
            problem=f"{type(error).__name__}: {error}".splitlines()[0][:200],
        )
    outputs = np.asarray(outputs, dtype=np.float64)
    error, other = (classified if dataset.is_classification else predicted)(y_test, outputs)
    return Score(dataset.name, model.name, seed, error, other, trained - start, ended - trained)


def classified(y: np.ndarray, probabilities: np.ndarray) -> tuple[float, dict[str, float]]:
    """The error that ranks go by, and others, of probabilities of shape (n, classes); the Brier score is the sum over classes."""
    from sklearn.metrics import log_loss, roc_auc_score

    probabilities = np.clip(probabilities, 1e-15, 1.0)
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    labels = np.arange(probabilities.shape[1])
    loss = float(log_loss(y, probabilities, labels=labels))
    brier = metrics.with_options("brier", from_logits=False)
    calibration = metrics.with_options("expected_calibration_error", from_logits=False, bins=BINS)
    other = {
        "log_loss": loss,
        "accuracy": float(metrics.accuracy(probabilities, y)),
        "brier": float(brier(probabilities, y)) * (2 if len(labels) == 2 else 1),
        "calibration": float(calibration(probabilities, y)),
    }
    if len(labels) > 2:
        return loss, other
    return 1.0 - float(roc_auc_score(y, probabilities[:, 1])), other


def predicted(y: np.ndarray, values: np.ndarray) -> tuple[float, dict[str, float]]:
    """The root mean square error, and the coefficient of determination."""
    square = float(np.mean((values - y) ** 2))
    return square**0.5, {"r2": 1.0 - square / float(np.var(y))}


def options(seeds: int, rows: int) -> dict[str, Any]:
    """What a run was asked for, as plain data."""
    return {
        "seeds": seeds,
        "rows": rows,
        "test_share": TEST_SHARE,
        "threads": THREADS,
        "models": list(models.MODELS),
    }
