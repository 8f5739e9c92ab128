"""What the estimators for tables share: reading tables, splitting rows, several networks and the mean of what they say."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted

from multimlp import tree
from multimlp.backend import Array, Target, array_namespace, select
from multimlp.blocks import Chain
from multimlp.callbacks import Callback, as_callbacks
from multimlp.errors import DataError, InputError, ShapeError
from multimlp.errors.checks import check_number, check_whole, flag, refuse
from multimlp.estimators import _inputs
from multimlp.estimators.tabular import _fitting
from multimlp.estimators.tabular._fitting import Fitted, Judge, Plan
from multimlp.estimators.tabular._preparation import Preparation
from multimlp.estimators.tabular._saving import Saved
from multimlp.frames import Encoded, Schema
from multimlp.losses import Loss
from multimlp.training.engines import master_dtype
from multimlp.tree import Tree

Rows = tuple[np.ndarray, np.ndarray, np.ndarray | None]
"""A matrix, targets, and weights if there are any."""


@dataclass(frozen=True)
class Member:
    """One network of an estimator, and how tables become its inputs."""

    preparation: Preparation
    fitted: Fitted
    after: Any = None
    """What makes predictions of its outputs: a temperature, or the scale of the targets."""

    def outputs(self, X: Encoded) -> np.ndarray:
        """The network's outputs for an encoded table."""
        return np.asarray(_inputs.to_host(self.fitted.network.outputs(self.preparation.matrix(X))))


def check_count(where: str, value: Any, low: int = 1) -> int:
    """A parameter that counts: an integer, not 2.0, because parameters stay as they were given and rows are sliced by them."""
    if not isinstance(value, (int, np.integer)):
        raise refuse(where, f"an integer >= {low}", value)
    return check_whole(where, value, low=low)


_WIDTHS = (256, 256, 256)
CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "n_epochs": check_count,
    "batch_size": check_count,
    "learning_rate": lambda where, value: (
        value if value is None else check_number(where, value, low=0, low_open=True)
    ),
    "validation_fraction": lambda where, value: check_number(where, value, low=0, high=1, high_open=True),
    "n_folds": lambda where, value: value if value is None else check_count(where, value, 2),
    "n_repeats": check_count,
    "patience": lambda where, value: value if value is None else check_count(where, value),
    "calibrate": flag,
    "verbose": flag,
}
"""Of parameters that several estimators have."""


class TableEstimator(Saved, BaseEstimator):
    """Fitting and predicting on tables; subclasses say what network is trained on what targets."""

    n_epochs: int
    batch_size: int
    validation_fraction: float
    n_folds: int | None
    n_repeats: int
    patience: int | None
    random_state: Any
    categorical_features: Any
    callbacks: Any
    verbose: bool
    backend: Any
    device: Any
    dtype: Any
    _members: list[Member]
    _schema: Schema
    _drops_last: bool
    """Whether an epoch leaves out rows that fill no batch, as the authors' training does or not."""

    # ---- what subclasses say

    def _check(self) -> None:
        """Look at the parameters that are the subclass's own."""

    def _check_held(self, some: bool) -> None:
        """`InputError` for parameters that need rows held out, if there are not ``some``."""

    def _learn_targets(self, y: np.ndarray) -> np.ndarray:
        """The targets as the loss wants them, for all rows."""
        raise NotImplementedError

    def _as_learned(self, y: np.ndarray) -> np.ndarray:
        """Targets of other rows, in the same way."""
        raise NotImplementedError

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        """What splits keep in proportion."""
        return None

    def _weighted(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """The weights of the rows, those of classes included."""
        return weights

    def _standard(self, y: np.ndarray, weights: np.ndarray | None) -> Any:
        """What makes targets of these rows into what the network learns, and predictions of its outputs; None for what needs none."""

    def _after(self, fitted: Fitted, standard: Any, held: Rows | None) -> Any:
        """`Member.after` of a network that is trained."""
        return standard

    def _judge(self, y: np.ndarray, weights: np.ndarray | None, standard: Any = None) -> Judge:
        """How bad outputs are for targets as the network learns them, of rows that weigh so much; ``standard`` as from `_standard`."""
        raise NotImplementedError

    def _note_learned(self) -> None:
        """Keep the parameters that predictions hang on, which may be set to something else before the next fit."""

    def _learned_parameters(self) -> dict[str, Any]:
        """What was kept, by the names of the parameters."""
        return {}

    def _loss(self) -> Loss:
        raise NotImplementedError

    def _outputs(self) -> int:
        """The number of the network's outputs."""
        raise NotImplementedError

    def _build(self, preparation: Preparation, X: np.ndarray, seed: int) -> tuple[Chain, Tree, Any]:
        """The network for matrices like X, its first parameters as float64 on the host, and its optimiser."""
        raise NotImplementedError

    def _prepare(self, X: Encoded) -> Preparation:
        raise NotImplementedError

    # ---- fitting

    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> Any:
        """Fit to a table X and targets y.

        Parameters
        ----------
        X : data frame (pandas, polars, ...), mapping of columns, array or list of rows, of shape (n, columns)
            Numbers, text and categories, truth values and dates; values may be missing.
        y : array or series of shape (n,), or (n, k) for several numbers
        sample_weight : array of shape (n,), optional
            How much each row counts: in the loss, in mean and deviation of targets that are numbers, and, where it is held out, in the
            error and the temperature. Rows of weight 0 are left out.
        X_val, y_val : table and targets, optional
            Rows to find the best epoch by (and the temperature), instead of a share of X: ``validation_fraction`` does not count then.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters or data that cannot be used (`multimlp.errors.InputError` is one).
        """
        for name, check in CHECKS.items():
            if hasattr(self, name):
                check(name, getattr(self, name))
        self._check()
        watchers = as_callbacks(self.callbacks)
        self._schema = Schema.of(X, self.categorical_features)
        encoded = self._schema.encode(X)
        rows = len(encoded.numbers)
        labels = _targets(y, rows)
        self._members = []
        targets, weights = self._learn_targets(labels), self._weights(sample_weight, rows, labels)
        if weights is not None and not np.all(weights > 0):
            counted = np.flatnonzero(weights > 0)
            if not len(counted):
                raise DataError("sample_weight, class_weight: no row has a weight above 0")
            encoded = Encoded(*(values[counted] for values in encoded))
            targets, weights, rows = targets[counted], weights[counted], len(counted)
        self._note_columns(X)
        given = self._given(X_val, y_val)
        self._check_held(given is not None or self.n_folds is not None or self.validation_fraction > 0)
        with _inputs.explained("random_state"):
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        members: list[Member] = []
        several = self.n_folds is not None or self.n_repeats > 1
        splits = self._splits(self._strata(targets), rows, seed, given is None)

        def part(chosen: np.ndarray) -> tuple[Encoded, np.ndarray, np.ndarray | None]:
            own = None if weights is None else weights[chosen]
            return Encoded(*(values[chosen] for values in encoded)), targets[chosen], own

        for number, (kept, held) in enumerate(splits):
            mine = part(kept)
            preparation = self._prepare(mine[0])
            if not preparation.columns:
                raise DataError("X: every column is constant, so there is nothing to learn from")
            judges = given if given is not None else part(held) if len(held) else None
            fitted, after = self._train(
                preparation,
                (preparation.matrix(mine[0]), *mine[1:]),
                None if judges is None else (preparation.matrix(judges[0]), *judges[1:]),
                seed + number,
                watchers,
                number if several else None,
            )
            members.append(Member(preparation, fitted, after))
            if self.verbose:
                print(
                    f"network {number + 1}: best epoch {fitted.epoch}, error {min(fitted.errors, default=math.nan):.6g}"
                )
            if fitted.interrupted:
                warnings.warn("Training interrupted by user.", stacklevel=2)
                break
        self._members = members
        self._note_learned()
        return self

    def _given(self, X: Any, y: Any) -> tuple[Encoded, np.ndarray, np.ndarray | None] | None:
        """Rows to judge by that somebody brings, encoded, with their targets and the weights of their classes."""
        if X is None and y is None:
            return None
        if X is None or y is None:
            raise InputError(
                f"{'X_val' if X is None else 'y_val'}: expected rows to judge by, both X_val and y_val, got None"
            )
        if self.n_folds is not None:
            raise InputError("X_val: expected n_folds=None with it, since each fold is judged on rows of X")
        encoded = self._encoded(X)
        labels = _targets(y, len(encoded.numbers), "y_val")
        learned, weights = self._as_learned(labels), self._weighted(labels, None)
        if weights is not None and not np.any(weights > 0):
            raise DataError("y_val: the classes of all rows weigh nothing (class_weight)")
        return encoded, learned, weights

    def _train(
        self,
        preparation: Preparation,
        rows: Rows,
        held: Rows | None,
        seed: int,
        watchers: Sequence[Callback],
        number: int | None,
    ) -> tuple[Fitted, Any]:
        """A network trained on some rows, judged on others; and `Member.after`."""
        X, y, weights = rows
        target, standard = self._target(), self._standard(y, weights)
        if standard is not None:
            y = standard.standard(y)
            held = None if held is None else (held[0], standard.standard(held[1]), held[2])
        chain, host, optimizer = self._build(preparation, X, seed)
        dtype = master_dtype(target.dtype)
        params = tree.map(lambda a: target.backend.asarray(a, dtype=dtype, device=target.device), host)
        plan = Plan(
            self._loss(), optimizer, self.n_epochs, self.batch_size, self._drops_last, self._steps(len(X)),
            math.inf if self.patience is None else self.patience, seed, target,
        )  # fmt: skip
        judge = self._judge(*((y, None) if held is None else held[1:]), standard)
        judged = None if held is None else held[0]
        fitted = _fitting.fit(chain, params, plan, (X, y, weights), judged, judge, watchers, number)
        return fitted, self._after(fitted, standard, held)

    def _steps(self, rows: int) -> int:
        """How many steps all epochs make."""
        batch = min(self.batch_size, rows)
        return self.n_epochs * (rows // batch if self._drops_last else math.ceil(rows / batch))

    def _target(self) -> Target:
        return select(self.backend, self.device, self.dtype)

    def _weights(self, sample_weight: Any, rows: int, labels: np.ndarray) -> np.ndarray | None:
        return self._weighted(labels, _inputs.check_weights(sample_weight, rows))

    def _splits(
        self, strata: np.ndarray | None, rows: int, seed: int, hold: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The rows that each network is trained on, and those that it is judged by."""
        everything = np.arange(rows)
        for repeat in range(self.n_repeats):
            number = (seed + repeat) % 2**31
            if self.n_folds is not None:
                kind = KFold if strata is None else StratifiedKFold
                with _inputs.explained("n_folds"):
                    yield from kind(self.n_folds, shuffle=True, random_state=number).split(everything, strata)
            elif self.validation_fraction == 0 or not hold:
                yield everything, everything[:0]
            else:
                with _inputs.explained("validation_fraction"):
                    yield train_test_split(
                        everything,
                        test_size=self.validation_fraction,
                        random_state=number,
                        stratify=strata if self._has_room(strata, rows) else None,
                    )

    def _has_room(self, strata: np.ndarray | None, rows: int) -> bool:
        """Whether every stratum can be on both sides of a split."""
        held = math.ceil(rows * self.validation_fraction)
        return strata is not None and len(np.unique(strata)) <= min(held, rows - held)

    def _note_columns(self, X: Any) -> None:
        names = self._schema.names
        self.n_features_in_ = len(names)
        if _has_names(X):
            self.feature_names_in_ = np.asarray(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    # ---- what was learned

    def _said(self, X: Any) -> list[Array]:
        """The outputs of each network for a table."""
        check_is_fitted(self)
        encoded = self._encoded(X)
        said = [member.outputs(encoded) for member in self._members]
        for outputs in said:
            if not np.isfinite(outputs).all():
                row = int(np.argwhere(~np.isfinite(outputs))[0][-2])
                raise DataError(
                    f"X: a network's outputs are NaN or infinite, first for row {row}; its values are too large for the dtype that the "
                    "network computes in"
                )
        return said

    def _encoded(self, X: Any) -> Encoded:
        """A table like that of `fit`; where one of the two has no names, its columns go by their places."""
        name, named = type(self).__name__, hasattr(self, "feature_names_in_")
        width = getattr(X, "shape", ())[1:]
        if not _has_names(X):
            if width and width[0] != self.n_features_in_:
                raise DataError(
                    f"X has {width[0]} features, but {name} is expecting {self.n_features_in_} features as input"
                )
            if named:
                warnings.warn(
                    f"X does not have valid feature names, but {name} was fitted with feature names",
                    stacklevel=4,
                )
        elif not named:
            warnings.warn(f"X has feature names, but {name} was fitted without feature names", stacklevel=4)
        found = self._schema.encode(X, by_place=_is_unnamed(X) or (not named and self._schema.is_unnamed))
        if not len(found.numbers):
            raise DataError(
                f"X: Found array with 0 sample(s) (shape=(0, {self.n_features_in_})) while a minimum of 1 is required."
            )
        return found

    def _mean(self, said: Sequence[Array], link: Callable[[Member, Array], Array]) -> Array:
        """The mean over the networks of what ``link`` makes of what they said; arrays of any library."""
        found = [link(member, outputs) for member, outputs in zip(self._members, said, strict=True)]
        xp = array_namespace(*found)
        return xp.mean(xp.stack(found), axis=0)

    def _results(self, said: Sequence[Array]) -> dict[str, Array]:
        """All that it makes of what the networks said, by the names that an exported model gives them."""
        raise NotImplementedError

    def _recorded(self) -> tuple[dict[str, Any], Callable[[Mapping[str, Array]], dict[str, Array]]]:
        """The inputs of an exported model, and the function that writes its graph."""
        from multimlp.estimators.tabular import _recorded  # onnx is an extra

        return _recorded.of(self._schema, self._members, self._results)

    @property
    def schema_(self) -> Schema:
        """The columns of the tables that it takes."""
        check_is_fitted(self)
        return self._schema

    @property
    def best_epochs_(self) -> list[int]:
        """Of each network, from 1."""
        check_is_fitted(self)
        return [member.fitted.epoch for member in self._members]

    @property
    def interrupted_(self) -> bool:
        """Whether Ctrl-C ended the fit early."""
        check_is_fitted(self)
        return any(member.fitted.interrupted for member in self._members)

    @property
    def loss_curves_(self) -> list[list[float]]:
        """Of each network, the training loss after each epoch."""
        check_is_fitted(self)
        return [member.fitted.losses for member in self._members]

    @property
    def validation_curves_(self) -> list[list[float]]:
        """Of each network, the error on the rows held out after each epoch; lower is better."""
        check_is_fitted(self)
        return [member.fitted.errors for member in self._members]

    def to_chain(self, member: int = 0) -> tuple[Any, Any]:
        """A network as ``(chain, params)``; its inputs are matrices as the estimator prepares them."""
        check_is_fitted(self)
        network = self._members[member].fitted.network
        return network.mlp, network.params

    def __sklearn_is_fitted__(self) -> bool:
        return bool(getattr(self, "_members", None))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.non_deterministic = False
        return tags


def _names(X: Any) -> list[Any]:
    """Those of the columns; none of an array or of rows."""
    return list(X if isinstance(X, Mapping) else getattr(X, "column_names", getattr(X, "columns", ())))


def _has_names(X: Any) -> bool:
    """Whether all columns have names that are text, which is what scikit-learn asks for."""
    names = _names(X)
    return bool(names) and all(isinstance(name, str) for name in names)


def _is_unnamed(X: Any) -> bool:
    """Whether columns have no names, or are numbered from 0 on, as a frame does where nobody named them."""
    names = _names(X)
    return not any(isinstance(name, str) for name in names) and names == list(range(len(names)))


def _targets(y: Any, rows: int, where: str = "y") -> np.ndarray:
    if y is None:
        raise DataError("y: the estimator requires y to be passed, but the target y is None")
    try:
        given = y.to_numpy() if hasattr(y, "to_numpy") else y
        found = np.asarray(_inputs.as_targets(given, where))
    except ValueError as error:
        raise DataError(f"{where}: expected one target a row: {error}") from None
    if found.ndim == 2 and found.shape[1] == 1:
        found = np.asarray(_inputs.as_targets(column_or_1d(found, warn=True), where))
    if found.ndim not in (1, 2) or len(found) != rows or not found.size:
        raise ShapeError(f"{where}: expected {rows} rows, as X{where[1:]} has, got shape {found.shape}")
    return found


def widths(value: Any) -> list[int]:
    """Hidden widths; `InputError` for anything else."""
    try:
        each = value if hasattr(value, "__iter__") else [value]
        return [check_whole("hidden_layer_sizes", width, low=1) for width in each]
    except TypeError:
        raise InputError(
            f"hidden_layer_sizes: expected a sequence of positive integers, got {value!r}"
        ) from None
