"""The columns of a table: what later ones must have, and how they become numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from multimlp.errors import DataError, FileFormatError, InputError
from multimlp.errors.checks import check_items
from multimlp.errors.close import did_you_mean
from multimlp.frames._columns import Column
from multimlp.frames._reading import Values, read


class Encoded(NamedTuple):
    """A table as numbers."""

    numbers: np.ndarray
    """Shape (n, columns of numbers and dates), float64; NaN where one is missing."""
    codes: np.ndarray
    """Shape (n, columns of categories and truth values), float64; -1 for what is missing or was not seen before."""


@dataclass(frozen=True)
class Schema:
    """The columns of a table, learned from one.

    Attributes
    ----------
    columns : tuple of Column

    Examples
    --------
    >>> from multimlp.frames import Schema
    >>> table = {"age": [31, None, 54], "job": ["cook", "nurse", "cook"]}
    >>> schema = Schema.of(table)
    >>> [(column.name, column.kind) for column in schema.columns]
    [('age', 'number'), ('job', 'category')]
    >>> schema.encode({"age": [40], "job": ["pilot"]})
    Encoded(numbers=array([[40.]]), codes=array([[-1.]]))
    """

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, X: Any, categorical: Sequence[str | int] = ()) -> Schema:
        """The schema of a table.

        Parameters
        ----------
        X : data frame, mapping of columns, array or list of rows
            Dates become numbers, days since 1970; text that is no number, and truth values, become categories.
        categorical : sequence of str or int
            Columns of numbers, by name or place, that are categories all the same.

        Raises
        ------
        DataError
            For an infinite number, a column that mixes kinds or holds none of them; names column and row.
        InputError, ShapeError, MissingDependencyError
        """
        table = read(X)
        chosen = _chosen(categorical, list(table))
        found = tuple(Column.of(name, column, name in chosen) for name, column in table.items())
        if not found or not len(next(iter(table.values())).values):
            raise DataError(
                f"X: expected at least one row and one column, got {_size(table)} while a minimum of 1 is required."
            )
        return cls(found)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def is_unnamed(self) -> bool:
        """Whether the columns are called as those of a table that has no names: x0, x1, ..., or by numbers from 0 on."""
        return self.names in (tuple(f"{x}{j}" for j in range(len(self.names))) for x in ("x", ""))

    @property
    def numeric(self) -> tuple[Column, ...]:
        """Those that make the columns of `Encoded.numbers`."""
        return tuple(column for column in self.columns if column.kind in ("number", "date"))

    @property
    def categorical(self) -> tuple[Column, ...]:
        """Those that make the columns of `Encoded.codes`."""
        return tuple(column for column in self.columns if column.kind in ("boolean", "category"))

    def encode(self, X: Any, by_place: bool = False) -> Encoded:
        """A table of these columns as numbers; columns of a frame go by their names, in any order.

        Parameters
        ----------
        X : data frame, mapping of columns, array or list of rows
        by_place : bool
            Whether columns go by their places, whatever their names are, if those are not the schema's.

        Raises
        ------
        DataError
            If a column is missing, there is one too many, or one is of another kind.
        """
        table = read(X)
        if by_place and len(table) == len(self.columns) and table.keys() != set(self.names):
            table = dict(zip(self.names, table.values(), strict=True))
        self._check_names(table)
        rows = len(next(iter(table.values())).values)
        numbers = [column.numbers(table[column.name]) for column in self.numeric]
        codes = [column.codes(table[column.name]) for column in self.categorical]
        return Encoded(
            np.stack(numbers, axis=1) if numbers else np.zeros((rows, 0)),
            np.stack(codes, axis=1) if codes else np.zeros((rows, 0)),
        )

    def unseen(self, X: Any) -> dict[str, list[str]]:
        """The categories of a table that were not there when the schema was made, by column, each as often as it is there.

        Examples
        --------
        >>> from multimlp.frames import Schema
        >>> Schema.of({"job": ["cook", "nurse"]}).unseen({"job": ["pilot", "cook", None, "pilot"]})
        {'job': ['pilot', 'pilot']}
        """
        table = read(X)
        self._check_names(table)
        found = {column.name: column.unseen(table[column.name]) for column in self.categorical}
        return {name: items for name, items in found.items() if items}

    def _check_names(self, table: Mapping[str, Values]) -> None:
        missing = [name for name in self.names if name not in table]
        foreign = [name for name in table if name not in self.names]
        if missing or foreign:
            parts = []
            if missing:
                close = did_you_mean(missing[0], foreign) if foreign else ""
                parts.append(f"missing {', '.join(map(repr, missing[:5]))}{close}")
            if foreign:
                parts.append(f"unexpected {', '.join(map(repr, foreign[:5]))}")
            raise DataError(
                f"X: expected the {len(self.columns)} columns of the training table: {'; '.join(parts)}"
            )

    def to_spec(self) -> list[dict[str, Any]]:
        """As plain values (JSON)."""
        return [column.to_spec() for column in self.columns]

    @classmethod
    def from_spec(cls, spec: Any) -> Schema:
        """The inverse of `to_spec`; `FileFormatError` for anything else."""
        if not isinstance(spec, list) or not spec:
            raise FileFormatError(f"not the description of a table: {str(spec)[:80]}")
        found = cls(tuple(Column.from_spec(item) for item in spec))
        if len(set(found.names)) != len(found.names):
            raise FileFormatError("the description of a table: two columns have one name")
        return found


def _chosen(categorical: Any, names: list[str]) -> set[str]:
    found = set()
    for item in check_items("categorical_features", categorical, "of names or places of columns"):
        if isinstance(item, str) and item in names:
            found.add(item)
        elif (
            not isinstance(item, (str, bool))
            and isinstance(item, (int, np.integer))
            and 0 <= item < len(names)
        ):
            found.add(names[int(item)])
        else:
            raise InputError(
                f"categorical_features: there is no column {item!r}; columns: {', '.join(names[:20])}"
                f"{did_you_mean(item, names) if isinstance(item, str) else ''}"
            )
    return found


def _size(table: Mapping[str, Values]) -> str:
    """What there is too little of, in scikit-learn's words."""
    rows = len(next(iter(table.values())).values) if table else 0
    few = f"{rows} sample(s)" if table else "0 feature(s)"
    return f"{few} (shape=({rows}, {len(table)}))"
