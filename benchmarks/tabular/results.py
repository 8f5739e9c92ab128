"""What was measured of models on tables, in a file that grows with each measurement."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import stored

VERSION = 1


@dataclass(frozen=True)
class Score:
    """A model on a split of a data set.

    Attributes
    ----------
    dataset, model : str
    seed : int
        Of the split and the model.
    error : float
        What ranks go by: 1 - AUC for two classes, the log-loss for more, the root mean square error for numbers.
    other : dict
        Further scores by name.
    fit_seconds, predict_seconds : float
    problem : str
        Why there is no score.
    """

    dataset: str
    model: str
    seed: int
    error: float | None
    other: dict[str, float] = field(default_factory=dict)
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    problem: str = ""


@dataclass
class Results:
    """A whole run."""

    machine: dict[str, Any]
    options: dict[str, Any]
    scores: list[Score] = field(default_factory=list)

    def has(self, dataset: str, model: str, seed: int) -> bool:
        return any((one.dataset, one.model, one.seed) == (dataset, model, seed) for one in self.scores)

    def models(self) -> list[str]:
        return list(dict.fromkeys(one.model for one in self.scores))

    def datasets(self) -> list[str]:
        return list(dict.fromkeys(one.dataset for one in self.scores))

    def write(self, path: Path) -> None:
        stored.write(path, self, VERSION)

    @classmethod
    def read(cls, path: Path) -> Results:
        """From a file; errors as those of `benchmarks.stored.read`."""

        def made(plain: dict[str, Any]) -> Results:
            return cls(**(plain | {"scores": [Score(**one) for one in plain["scores"]]}))

        return stored.read(path, VERSION, "results of benchmarks tables", made)
