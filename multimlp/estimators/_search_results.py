"""What a search reports: scikit-learn's ``cv_results_``, from the scores of each candidate on each split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

Scores = Mapping[str, np.ndarray]
"""By the scorer's name, shape (candidates, splits)."""


def cv_results(
    params: Sequence[Mapping[str, Any]],
    fit_time: np.ndarray,
    score_time: np.ndarray,
    test: Scores,
    train: Scores,
) -> dict[str, Any]:
    """The keys, shapes and dtypes of `sklearn.model_selection.GridSearchCV`.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.estimators._search_results import cv_results
    >>> seconds = np.zeros((2, 2))
    >>> found = cv_results([{"alpha": 0.1}, {"alpha": 0.2}], seconds, seconds, {"score": np.asarray([[0.5, 0.7], [0.9, 0.8]])}, {})
    >>> found["mean_test_score"].round(2), found["rank_test_score"], found["param_alpha"].data
    (array([0.6 , 0.85]), array([2, 1], dtype=int32), array([0.1, 0.2]))
    """
    found: dict[str, Any] = {}
    for name, seconds in (("fit_time", fit_time), ("score_time", score_time)):
        found |= _summary(name, seconds, splits=False)
    for name in dict.fromkeys(key for candidate in params for key in candidate):
        found[f"param_{name}"] = _column(name, params)
    found["params"] = list(params)
    for name, scores in test.items():
        found |= _summary(f"test_{name}", scores)
        found[f"rank_test_{name}"] = _ranks(found[f"mean_test_{name}"])
        if name in train:
            found |= _summary(f"train_{name}", train[name])
    return found


def _summary(name: str, values: np.ndarray, splits: bool = True) -> dict[str, np.ndarray]:
    each = {f"split{i}_{name}": values[:, i].copy() for i in range(values.shape[1])} if splits else {}
    return {**each, f"mean_{name}": values.mean(axis=1), f"std_{name}": values.std(axis=1)}


def _ranks(means: np.ndarray) -> np.ndarray:
    """1 for the best; those without a number tie with the worst, and with each other where there is no other."""
    if np.isnan(means).all():
        return np.ones(len(means), dtype=np.int32)
    lowest = np.nanmin(means) - 1
    ranks: np.ndarray = rankdata(-np.where(np.isnan(means), lowest, means), method="min").astype(np.int32)
    return ranks


def _column(name: str, params: Sequence[Mapping[str, Any]]) -> Any:
    """A masked array of the values; where a candidate does not name the parameter it is masked."""
    values = [candidate[name] for candidate in params if name in candidate]
    kinds = {type(value) for value in values}
    dtype: Any = object
    if kinds <= {int, float} or all(issubclass(kind, np.number) for kind in kinds):
        dtype = np.result_type(*(np.asarray(value).dtype for value in values))
    elif kinds == {bool}:
        dtype = bool
    column: Any = np.ma.masked_all(len(params), dtype=dtype)
    for i, candidate in enumerate(params):
        if name in candidate:
            column[i] = candidate[name]
    return column
