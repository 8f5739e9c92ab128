"""What a sweep returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Target
from multimlp.errors import InputError
from multimlp.errors.checks import check_whole
from multimlp.errors.shown import shown
from multimlp.mlp import MLP, Params
from multimlp.optimizers import Optimizer
from multimlp.training._candidates import Candidates, Settings
from multimlp.training._table import Table, order_of
from multimlp.tree import Tree


@dataclass(frozen=True)
class Best:
    """The candidate with the best score."""

    index: int
    settings: Settings
    score: float


@dataclass(eq=False)
class SweepResult:
    """What `multimlp.sweep` returns.

    Attributes
    ----------
    table : Table
        A row for each candidate, in the order of the grid: ``candidate``, its settings, the training ``loss`` of its last epoch, the
        ``val_`` figures after it, and ``epochs``, how many it made. Figures are NaN where a candidate was not trained, as after
        Ctrl-C, and NaN or infinite where it diverged.
    score : str
        The column by which candidates are compared.
    higher_is_better : bool
    engine, engine_reason : str
        As in `multimlp.FitResult`.
    backend, device, dtype : str
    members_per_program : int
        How many were trained at once.
    stopped : str or None
        ``"interrupted"``, or None.
    seconds : float
    """

    table: Table
    score: str
    higher_is_better: bool
    engine: str
    engine_reason: str
    backend: str
    device: str | None
    dtype: str
    members_per_program: int
    stopped: str | None
    seconds: float
    candidates: Candidates = field(repr=False)
    kept: np.ndarray = field(repr=False)
    """Whose parameters are kept: the numbers of candidates, ascending."""
    host_params: Tree = field(repr=False)
    """Those parameters, NumPy arrays with a leading axis."""
    target: Target = field(repr=False)

    def __len__(self) -> int:
        """The number of candidates."""
        return self.candidates.count

    @property
    def best(self) -> Best:
        """Number, settings and score of the best candidate; `InputError` if there is none, because all have diverged."""
        scores = self.table.column(self.score)
        first = int(order_of(scores, self.higher_is_better)[0])
        worst = -np.inf if self.higher_is_better else np.inf
        if np.isnan(scores[first]) or scores[first] == worst:
            raise InputError(f"score: no candidate has a finite {self.score}; lower the learning rates")
        return Best(first, self.settings(first), float(scores[first]))

    def ranked(self) -> Table:
        """The table from the best candidate to the worst."""
        return self.table.sorted(self.score, descending=self.higher_is_better)

    def settings(self, index: int) -> Settings:
        """Those of one candidate that the grid gives."""
        return self.candidates.settings(self._number(index))

    def params(self, index: int | None = None) -> Params:
        """The trained parameters of one candidate, by default the best, on the backend that trained them."""
        number = self.best.index if index is None else self._number(index)
        place = int(np.searchsorted(self.kept, number))
        if place == len(self.kept) or self.kept[place] != number:
            raise InputError(
                f"index: the parameters of candidate {number} were not kept; sweep with keep=None, or a larger keep"
            )
        target = self.target

        def move(leaf: np.ndarray) -> Any:
            return target.backend.asarray(leaf[place], dtype=target.dtype, device=target.device)

        return tree.map(move, self.host_params)  # type: ignore[no-any-return]

    def mlp(self, index: int | None = None) -> MLP:
        """The network of one candidate, by default the best: with its dropout."""
        return self._single(index)[0]

    def optimizer(self, index: int | None = None) -> Optimizer:
        """The optimiser of one candidate, by default the best."""
        return self._single(index)[1]

    def regularizer(self, index: int | None = None) -> Any:
        """The regulariser of one candidate, by default the best."""
        return self._single(index)[2]

    def _single(self, index: int | None) -> tuple[MLP, Optimizer, Any, int]:
        return self.candidates.single(self.best.index if index is None else self._number(index))

    def _number(self, index: Any) -> int:
        number = check_whole("index", index, low=0)
        if number >= self.candidates.count:
            raise InputError(f"index: there are {self.candidates.count} candidates, got {number}")
        return number

    def __repr__(self) -> str:
        try:
            best = self.best
            found = f"best {self.score}={best.score:.4g} at {best.settings}"
        except InputError:
            found = f"no finite {self.score}"
        stopped = [] if self.stopped is None else [f"stopped={shown(self.stopped)}"]
        where = f"backend={self.backend!r}, dtype={self.dtype!r}, engine={self.engine!r}"
        parts = (f"{len(self)} candidates", found, *stopped, where, f"seconds={self.seconds:.4g}")
        return f"SweepResult({', '.join(parts)})"
