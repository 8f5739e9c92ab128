"""The examples that `multimlp.fit` is given: checked, and split into rows to train on and rows to validate on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from multimlp.backend import host, owner
from multimlp.errors import DataError, InputError, ShapeError
from multimlp.errors.checks import check_number, refuse
from multimlp.training._orders import held_out
from multimlp.training._rows import all_finite, is_any_positive, nothing_to_learn, take_rows
from multimlp.training._several import Layout
from multimlp.training._sources import LABELS, Rows, is_streamed


class Examples:
    """What the user gave to learn from: arrays, or batches; and what to validate on. Lists and data frames become arrays here.

    Attributes
    ----------
    streamed : bool
        Whether ``X`` stands for batches, which bring their own targets and weights.
    X, y
        Arrays of some library; batches as they were given, and None.
    weights
        Of the examples, or None.
    validation
        As it was given.
    """

    def __init__(self, X: Any, y: Any, sample_weight: Any, validation: Any) -> None:
        if isinstance(X, (str, bytes, Mapping, set, frozenset, type)):
            raise refuse(
                "X", "an array, a list of rows, a data frame, or batches", X,
                "of columns by name make a data frame, e.g. pandas.DataFrame(X)" if isinstance(X, Mapping) else "",
            )  # fmt: skip
        self.streamed = is_streamed(X)
        if self.streamed and (y is not None or sample_weight is not None):
            raise InputError(
                "y, sample_weight: batches carry their own targets and weights; leave these arguments out"
            )
        self.X = X if self.streamed else host(X, "X")
        self.y = None if self.streamed else _targets(y)
        self.weights = None if sample_weight is None else host(sample_weight, "sample_weight")
        self.validation = validation

    @property
    def arrays(self) -> list[Any]:
        """What may decide where to train."""
        return [] if self.streamed else [self.X, self.y]

    def split(self, features: int | None, seed: int) -> tuple[Rows, np.ndarray, Rows | None]:
        """The rows to train on, the numbers of those among them that are to be left out, and the rows to validate on, all checked.

        Of a memory map all rows come back, since it is not copied, and there are such numbers; ``features`` is None for any number of
        columns.
        """
        check_rows(self.X, self.y, self.weights, features)
        everything = self.X, self.y, self.weights
        if self.validation is None or isinstance(self.validation, (tuple, list)):
            return everything, np.arange(0), self.validation_rows(features)
        held = _rows_held_out(self.validation, int(self.X.shape[0]))
        return _split(everything, held, seed) if held else (everything, np.arange(0), None)

    def validation_rows(self, features: int | None, layout: Layout | None = None) -> Rows | None:
        """``validation`` where it is rows, checked as the examples are; a fraction, which batches cannot be split by, counts as
        None."""
        given = self.validation
        if given is None:
            return None
        if not isinstance(given, (tuple, list)):
            _fraction(given)
            return None
        if len(given) not in (2, 3):
            raise InputError(f"validation: expected (X, y) or (X, y, sample_weight), got {len(given)} items")
        X = host(given[0], "validation X") if layout is None else layout.packed(given[0], "validation X")
        y = host(given[1], "validation y", LABELS)
        weights = None if len(given) == 2 or given[2] is None else host(given[2], "validation sample_weight")
        check_rows(X, y, weights, features, "validation ")
        if weights is not None and not is_any_positive(weights):
            raise _nothing_to_validate_on("validation sample_weight: all weights")
        return X, y, weights


def _targets(y: Any) -> Any:
    if y is None:
        raise InputError("y: targets are needed (only batches carry their own)")
    return host(y, "y", LABELS)


# ---- the split -----------------------------------------------------------------------------------------------------------


def _fraction(given: Any) -> float:
    try:
        return check_number("validation", given, low=0, high=1, high_open=True)
    except InputError:
        raise refuse("validation", "a fraction in [0, 1), a pair (X, y) or None", given) from None


def _rows_held_out(given: Any, rows: int) -> int:
    fraction = _fraction(given)
    held: int = round(rows * fraction)
    if rows - held < 1:
        raise DataError(
            f"validation: {fraction!r} of {rows} rows leaves nothing to train on; use validation=None"
        )
    return held


def _split(everything: Rows, held: int, seed: int) -> tuple[Rows, np.ndarray, Rows]:
    X, y, weights = everything
    held_rows = held_out(seed, int(X.shape[0]), held)
    if weights is not None:
        counts = owner(weights).to_numpy(weights) > 0
        if not np.delete(counts, held_rows).any():
            raise nothing_to_learn(
                "sample_weight: all weights of the rows that validation leaves to train on"
            )
        if not counts[held_rows].any():
            raise _nothing_to_validate_on("sample_weight: all weights of the rows that validation holds out")

    def part(rows: np.ndarray) -> Rows:
        return take_rows(X, rows), take_rows(y, rows), None if weights is None else take_rows(weights, rows)

    if isinstance(X, np.memmap):
        held_out_part = part(held_rows)
        _check_finite(held_out_part[0], "X, among the rows that validation holds out")
        return everything, held_rows, held_out_part
    kept = np.delete(np.arange(int(X.shape[0])), held_rows)
    return part(kept), np.arange(0), part(held_rows)


def _nothing_to_validate_on(what: str) -> DataError:
    return DataError(f"{what} are zero, so there is nothing to validate on")


# ---- checks --------------------------------------------------------------------------------------------------------------


def check_rows(X: Any, y: Any, weights: Any, features: int | None, where: str = "") -> None:
    """Raise for examples that cannot be learned from, or that do not fit a model of so many features; ``where`` precedes the names."""
    if X.ndim != 2:
        raise ShapeError(f"{where}X: expected shape (n, features), got {tuple(X.shape)}")
    if y.ndim not in (1, 2) or y.shape[0] != X.shape[0]:
        raise ShapeError(f"{where}y: expected {X.shape[0]} rows, as {where}X has, got shape {tuple(y.shape)}")
    if X.shape[0] == 0:
        raise DataError(f"{where}X: there are no rows")
    if features is not None and X.shape[1] != features:
        raise ShapeError(f"{where}X: expected shape (n, {features}) for this model, got {tuple(X.shape)}")
    if weights is not None and tuple(weights.shape) != (X.shape[0],):
        raise ShapeError(f"{where}sample_weight: expected shape ({X.shape[0]},), got {tuple(weights.shape)}")
    if not isinstance(X, np.memmap):
        _check_finite(X, f"{where}X")
    _check_finite(y, f"{where}y")
    if weights is not None:
        _check_finite(weights, f"{where}sample_weight")
        _check_weights(weights, f"{where}sample_weight", some=not where)


def _check_weights(weights: Any, name: str, some: bool) -> None:
    """``some``: whether one at least must be positive; a batch among others may be of no weight."""
    host_weights = owner(weights).to_numpy(weights)
    negative = np.flatnonzero(host_weights < 0)
    if len(negative):
        raise DataError(f"{name}: expected weights >= 0, got {host_weights[negative[0]]} at [{negative[0]}]")
    if some and not is_any_positive(weights):
        raise nothing_to_learn(f"{name}: all weights")


def _check_finite(array: Any, name: str) -> None:
    backend = owner(array)
    if backend.xp.isdtype(array.dtype, "complex floating"):
        raise DataError(f"{name}: expected real numbers, got {backend.dtype_name(array.dtype)}")
    if not backend.xp.isdtype(array.dtype, "real floating"):
        return
    if all_finite(array):
        return
    bad = np.argwhere(~np.isfinite(backend.to_numpy(array)))
    place_of_first = ", ".join(str(int(i)) for i in bad[0])
    raise DataError(
        f"{name}: {len(bad)} values are NaN or infinite, the first at [{place_of_first}]; remove or fill them in"
    )
