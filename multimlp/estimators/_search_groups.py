"""Which candidates of a search are trained together, and what a pipeline does to their rows before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.pipeline import Pipeline

from multimlp.estimators._members import NUMBERS

Settings = Mapping[str, Any]
"""One candidate's parameters by name."""


def last_step(estimator: Any) -> Any:
    """The estimator itself, or that at the end of a pipeline."""
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def prefix_of(estimator: Any) -> str:
    """What names of the network's parameters begin with."""
    return f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""


def transformed(estimators: Sequence[Any], X: Any, y: Any) -> Any:
    """What the steps before the networks, fitted once, make of the rows; all the pipelines get them."""
    if not isinstance(estimators[0], Pipeline) or len(estimators[0].steps) == 1:
        return X
    first = estimators[0][:-1]
    X = first.fit_transform(X, y)
    for estimator in estimators[1:]:
        estimator.steps[:-1] = first.steps
    estimators[0].steps[:-1] = first.steps
    return X


def grouped(candidates: Sequence[Settings], prefix: str) -> list[list[int]]:
    """The indices of candidates that differ in numbers alone, group by group."""
    numbers = {prefix + name for name in NUMBERS}
    groups: list[tuple[dict[str, Any], list[int]]] = []
    for i, candidate in enumerate(candidates):
        shape = {name: value for name, value in candidate.items() if name not in numbers}
        found = next((members for known, members in groups if _same(known, shape)), None)
        if found is None:
            groups.append((shape, [i]))
        else:
            found.append(i)
    return [members for _, members in groups]


def _same(a: Settings, b: Settings) -> bool:
    def equal(x: Any, y: Any) -> bool:
        try:
            return x is y or (type(x) is type(y) and bool(x == y))
        except Exception:  # of anybody's values
            return False

    return a.keys() == b.keys() and all(equal(a[name], b[name]) for name in a)
