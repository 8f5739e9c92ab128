"""The candidates of a sweep: which settings each has, checked, as columns."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from multimlp.errors import InputError
from multimlp.errors.checks import check_items, check_number, check_whole, refuse
from multimlp.errors.close import did_you_mean
from multimlp.mlp import MLP
from multimlp.optimizers import Optimizer, get, grouped
from multimlp.regularizers import Regularizer
from multimlp.schedules import Schedule

Settings: TypeAlias = dict[str, Any]
"""One candidate's, by name."""
Own: TypeAlias = tuple[tuple[str, tuple[float, ...]], ...]

SEED = "seed"
_PENALTY = ("l1", "l2")
_DROPOUT = "dropout"
_ALIASES = {"decay": "weight_decay"}
_SHAPES = (
    "in_features", "hidden", "out_features", "activation", "final_activation", "use_bias", "kernel_init", "bias_init",
    "optimizer", "loss", "epochs", "batch_size", "dtype", "shuffle", "nesterov", "regularizer",
)  # fmt: skip
_ELSEWHERE = (
    "the candidates of one sweep differ in numbers alone; for others make one sweep for each value, or see "
    "multimlp.estimators.MLPSearchCV and the guide's page 'Many models'"
)


class Candidates:
    """What is common to all candidates, and a column for each setting that is not.

    Parameters
    ----------
    mlp : MLP
    optimizer : Optimizer
        First-order.
    regularizer : Regularizer or None
    grid : mapping of str to sequence, or sequence of mappings
        All combinations, the last name running fastest; or the candidates themselves, which have the common value of what they do not
        name.
    seed : int
        Of the initial parameters, where the grid does not say.

    Attributes
    ----------
    columns : dict of str to numpy.ndarray
        By the names of the grid.
    count : int
    optimizer : Optimizer
        With options that keep whatever any candidate's keep.
    """

    def __init__(self, mlp: MLP, optimizer: Optimizer, regularizer: Any, grid: Any, seed: int) -> None:
        if len(set(mlp.dropouts)) > 1:
            raise InputError(
                f"mlp: a candidate of a sweep has one rate of dropout for all its hidden layers, this network has {list(mlp.dropouts)}; "
                "give it one number, or fit the candidates one by one"
            )
        self.mlp, self.base, self.regularizer, self._seed = mlp, optimizer, regularizer, seed
        columns = _product(grid) if isinstance(grid, Mapping) else _listed(grid, self._common)
        self.columns = {name: self._checked(name, column) for name, column in columns.items()}
        self.count = len(next(iter(self.columns.values())))
        swept = {name: values for name, values in self.columns.items() if name in optimizer.options}
        self.optimizer = with_options(optimizer, {name: float(max(v)) for name, v in swept.items()})

    def __repr__(self) -> str:
        return f"<{self.count} candidates of {', '.join(self.columns)}>"

    # ---- all of them

    def seeds(self, part: slice) -> np.ndarray:
        """Of the initial parameters."""
        column = self.columns.get(SEED)
        return np.full(len(range(*part.indices(self.count))), self._seed) if column is None else column[part]

    def own(self, part: slice) -> Own:
        """As `multimlp.training.Problem` takes it. Dropout and the bound of the gradient are always each member's: masks do not depend
        on who is trained beside it, nor do norms."""
        found = {name: column[part] for name, column in self.columns.items() if name != SEED}
        count = len(self.seeds(part))
        if self.mlp.dropout:
            found.setdefault(_DROPOUT, np.full(count, self.mlp.dropout))
        limit = self.base.options.get("clip_norm")
        if limit is not None:
            found.setdefault("clip_norm", np.full(count, limit))
        return tuple((name, tuple(map(float, column))) for name, column in found.items())

    # ---- one of them

    def settings(self, index: int) -> Settings:
        """Those of the grid."""
        return {name: column[index].item() for name, column in self.columns.items()}

    def single(self, index: int) -> tuple[MLP, Optimizer, Any, int]:
        """Network, optimiser, regulariser and seed of the initial parameters, as `fit` and `MLP.init` take them."""
        given = self.settings(index)
        seed = int(given.pop(SEED, self._seed))
        mlp = copy.copy(self.mlp)
        rate = given.pop(_DROPOUT, mlp.dropout)
        object.__setattr__(mlp, _DROPOUT, rate)
        object.__setattr__(mlp, "dropouts", (rate,) * len(mlp.hidden))
        strengths = {name: given.pop(name) for name in _PENALTY if name in given}
        regularizer = self.regularizer
        if strengths:
            regularizer = Regularizer(**{name: self._common(name) for name in _PENALTY} | strengths)
        return mlp, with_options(self.base, given), regularizer, seed

    # ---- checks

    def _common(self, name: str) -> Any:
        """What a candidate has that does not say otherwise."""
        if name == SEED:
            return self._seed
        if name == _DROPOUT:
            return self.mlp.dropout
        if name in _PENALTY:
            return 0.0 if self.regularizer is None else getattr(self.regularizer, name)
        value = self.base.options.get(name)
        return math.inf if name == "clip_norm" and value is None else value

    def _checked(self, name: str, column: Sequence[Any]) -> np.ndarray:
        check = self._check_of(name)
        known: dict[Any, Any] = {}  # of a large grid most values come many times
        for value in column:
            try:
                known.setdefault(value, None)
            except TypeError:
                raise refuse(f"grid[{name!r}]", "numbers", value) from None
        found = {value: check(f"grid[{name!r}]", value) for value in known}
        kind = np.int64 if name == SEED else np.float64
        return np.asarray([found[value] for value in column], dtype=kind)

    def _check_of(self, name: str) -> Callable[[str, Any], Any]:
        options = self.base.options
        if name == SEED:
            return lambda where, value: check_whole(where, value, low=0, high=2**63 - 1)
        if name == _DROPOUT:
            return lambda where, value: check_number(where, value, low=0, high=1, high_open=True)
        if name in _PENALTY:
            if self.regularizer is not None and not isinstance(self.regularizer, Regularizer):
                raise InputError(
                    f"grid: {name!r} is a strength of multimlp's own penalties, and regularizer is one of your own"
                )
            return lambda where, value: check_number(where, value, low=0)
        if name in options and not isinstance(options[name], bool) and name not in _SHAPES:
            return lambda where, value: self._check_option(where, name, value)
        if name in _SHAPES:
            raise InputError(f"grid: {name!r} cannot differ: {_ELSEWHERE}")
        allowed = [SEED, *(n for n in options if n not in _SHAPES), *_PENALTY, _DROPOUT]
        raise InputError(
            f"grid: there is no setting {name!r}; the settings: {', '.join(allowed)}{did_you_mean(name, allowed)}"
        )

    def _check_option(self, where: str, name: str, value: Any) -> float:
        if isinstance(value, Schedule) or callable(value):
            raise InputError(
                f"{where}: expected numbers, got the schedule {value!r}; set a schedule in optimizer= for all candidates"
            )
        if name == "clip_norm":  # None and inf: no bound
            value = math.inf if value is None else value
            return check_number(where, value, low=0, low_open=True, infinite=True)
        number = check_number(where, value)
        try:
            with_options(self.base, {name: number})
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        return number


def with_options(base: Optimizer, options: Mapping[str, Any]) -> Optimizer:
    """The optimiser with options replaced, groups kept; what it remembers may change with them."""
    if not options:
        return base
    given = {name: None if value == math.inf else value for name, value in options.items()}
    if not base.is_known:
        found: Optimizer = copy.copy(base)
        object.__setattr__(found, "options", {**base.options, **given})
        return found
    made: Optimizer = get({"name": base.name, "options": {**base.options, **given}})
    groups = getattr(base, "groups", None)
    return made if groups is None else grouped(made, groups, base.label)  # type: ignore[attr-defined]


def _product(grid: Mapping[Any, Any]) -> dict[str, Sequence[Any]]:
    values = {_named(name): _values(f"grid[{name!r}]", column) for name, column in grid.items()}
    if not values:
        raise refuse("grid", "at least one setting, such as {'seed': range(8)}", grid)
    sizes = [len(column) for column in values.values()]
    inner = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]
    count = math.prod(sizes)
    return {
        name: list(itertools.islice(itertools.cycle(_stretched(column, repeat)), count))
        for (name, column), repeat in zip(values.items(), inner, strict=True)
    }


def _stretched(column: Sequence[Any], repeat: int) -> list[Any]:
    return [value for value in column for _ in range(repeat)]


def _listed(grid: Any, common: Callable[[str], Any]) -> dict[str, Sequence[Any]]:
    rows = check_items("grid", grid, "of settings, or a mapping of names to values")
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping) or not row:
            raise refuse(f"grid[{i}]", "a mapping of names to numbers, such as {'learning_rate': 0.01}", row)
    if not rows:
        raise refuse("grid", "at least one candidate", grid)
    named = [{_named(name): value for name, value in row.items()} for row in rows]
    names = dict.fromkeys(name for row in named for name in row)
    return {name: [row[name] if name in row else common(name) for row in named] for name in names}


def _named(name: Any) -> str:
    if not isinstance(name, str):
        raise refuse("grid", "the names of settings as text", name)
    return _ALIASES.get(name, name)


def _values(where: str, column: Any) -> list[Any]:
    found = check_items(where, column, "of values")
    if not found:
        raise refuse(where, "at least one value", column)
    return found
