"""Ranks of models over data sets, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.tabular.results import Results

DRAWS = 2000
SAME = 1e-9
"""Errors that differ by less, relatively, share a rank."""


@dataclass(frozen=True)
class Rank:
    """A model's mean rank over the data sets, 95 % of those of data sets drawn again, and its median time relative to the quickest."""

    model: str
    rank: float
    low: float
    high: float
    datasets: int
    seconds: float


def errors(results: Results, models: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Mean errors over the seeds, (data sets, models), of the data sets that all of these models have."""
    names, rows = [], []
    for dataset in results.datasets():
        row = []
        for model in models:
            found = [
                s.error
                for s in results.scores
                if (s.dataset, s.model) == (dataset, model) and s.error is not None
            ]
            row.append(float(np.mean(found)) if found else np.nan)
        if not np.any(np.isnan(row)):
            names.append(dataset)
            rows.append(row)
    return names, np.asarray(rows, dtype=float).reshape(len(rows), len(models))


def ranked(table: np.ndarray) -> np.ndarray:
    """The rank of each model on each data set, 1 for the least error; equals share the mean of their ranks.

    Examples
    --------
    >>> import numpy as np
    >>> ranked(np.asarray([[0.3, 0.1, 0.3]])).tolist()
    [[2.5, 1.0, 2.5]]
    """
    smaller = table[:, None, :] < table[:, :, None] * (1 - SAME)
    equal = np.abs(table[:, None, :] - table[:, :, None]) <= SAME * np.abs(table[:, :, None])
    return np.asarray(smaller.sum(axis=2) + (equal.sum(axis=2) + 1) / 2)


def ranks(results: Results) -> list[Rank]:
    """All models that are there for at least one data set, the best first."""
    models = [
        m for m in results.models() if any(s.model == m and s.error is not None for s in results.scores)
    ]
    names, table = errors(results, models)
    if not names:
        return []
    by_dataset = ranked(table)
    random = np.random.default_rng(0)
    drawn = by_dataset[random.integers(0, len(names), (DRAWS, len(names)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    found = [
        Rank(
            model,
            float(by_dataset[:, i].mean()),
            float(low[i]),
            float(high[i]),
            len(names),
            _seconds(results, model),
        )
        for i, model in enumerate(models)
    ]
    return sorted(found, key=lambda one: one.rank)


def wins(results: Results, ours: str, other: str) -> tuple[int, int]:
    """On how many data sets ours has less error, of how many that both have."""
    _, table = errors(results, [ours, other])
    return int(np.sum(table[:, 0] < table[:, 1])), len(table)


def time_ratio(results: Results, ours: str, other: str) -> float:
    """How many times as long as the other ours takes to fit: the median over what both have fitted; NaN where there is nothing."""
    seconds = {(s.dataset, s.seed, s.model): s.fit_seconds for s in results.scores if s.error is not None}
    ratios = [
        own / seconds[dataset, seed, other]
        for (dataset, seed, model), own in seconds.items()
        if model == ours and seconds.get((dataset, seed, other))
    ]
    return float(np.median(ratios)) if ratios else float("nan")


def _seconds(results: Results, model: str) -> float:
    return float(
        np.median([s.fit_seconds for s in results.scores if s.model == model and s.error is not None])
    )
