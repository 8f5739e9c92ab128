"""What is known of a column, and the features that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimlp.errors import DataError, FileFormatError
from multimlp.frames._meaning import Meanings
from multimlp.frames._reading import Values, date_text, number_text, of_array

KINDS = ("number", "date", "boolean", "category")
"""What a column can be."""

LARGEST_WHOLE = 2.0**53
"""From here on float64 does not hold every whole number."""

UNSEEN = -1.0
"""The code of a category that was not there when the schema was made; those that are missing have it too."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
    kind : {"number", "date", "boolean", "category"}
    categories : tuple of str
        Of a column of categories, in the order of their codes; ``("False", "True")`` of truth values.
    missing : bool
        Whether values were missing when the schema was made.
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()
    missing: bool = False

    @classmethod
    def of(cls, name: str, column: Values, categorical: bool = False) -> Column:
        """What such a column is; ``categorical`` makes categories of numbers and dates."""
        kind, values, _ = column
        there = _there(column)
        gone = len(there) < len(values)
        if column.rounded and not categorical:
            raise DataError(
                f"X: the column {name!r} holds whole numbers beyond 2^53 that float64 does not tell apart; count them from another start "
                "(column - column.min()), give them as text, or leave the column out"
            )
        if not len(there):  # whatever comes later is none that is known
            return cls(name, "category", (), gone)
        if kind in ("number", "date") and not categorical:
            return cls(name, kind, (), gone)
        if kind == "boolean":
            return cls(name, kind, ("False", "True"), gone)
        if kind == "number" and (np.abs(there) >= LARGEST_WHOLE).any():
            raise DataError(
                f"X: the column {name!r} holds categories that are whole numbers of 2^53 or more, which float64 does not tell apart; "
                "give them as text, e.g. column.astype(str)"
            )
        found = {text for text in _as_text(column) if text is not None}
        return cls(name, "category", tuple(sorted(found, key=float if kind == "number" else None)), gone)

    def numbers(self, column: Values) -> np.ndarray:
        """The values of a column of numbers or dates: float64, NaN where one is missing."""
        if column.kind == self.kind:
            return np.asarray(column.values)
        if not len(_there(column)):
            return np.full(len(column.values), np.nan)
        if column.kind == "boolean" and self.kind == "number":
            return np.asarray([np.nan if item is None else float(item) for item in column.values])
        raise self._other(column)

    def codes(self, column: Values) -> np.ndarray:
        """The codes of a column of categories, as float64; `UNSEEN` for what the schema does not know and what is missing."""
        places: dict[Any, float] = {category: float(i) for i, category in enumerate(self.categories)}
        return np.asarray([places.get(item, UNSEEN) for item in self._items(column)], dtype=np.float64)

    def unseen(self, column: Values) -> list[str]:
        """The categories that the schema does not know."""
        known = {None, *self.categories}
        return [item for item in self._items(column) if item not in known]

    def _items(self, column: Values) -> list[Any]:
        """The categories of the rows, None where one is missing."""
        there = _there(column)
        if not len(there):
            return [None] * len(column.values)
        if self.kind == "boolean":
            if column.kind == "boolean" or (column.kind == "number" and np.isin(there, (0.0, 1.0)).all()):
                return [None if item is None else str(item in ("1", "True")) for item in _as_text(column)]
            raise self._other(column)
        texts = _as_text(column)
        if column.kind == "category" or not self.categories:
            return texts
        # What is no text here was none where the schema was made, or was written into a file in between.
        meanings = Meanings(self.categories)
        if not meanings.has(column.kind):
            raise self._other(column)
        return [None if text is None else meanings.of(text) for text in texts]

    def _other(self, column: Values) -> DataError:
        return DataError(
            f"X: the column {self.name!r} was of the kind {self.kind!r} and is now {column.kind!r}; give it as it was"
        )

    def to_spec(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "name": self.name,
            "kind": self.kind,
            "categories": list(self.categories),
            "missing": self.missing,
        }

    @classmethod
    def from_spec(cls, spec: Any) -> Column:
        """The inverse of `to_spec`; `FileFormatError` for anything else."""
        good = (
            isinstance(spec, Mapping)
            and spec.keys() == {"name", "kind", "categories", "missing"}
            and isinstance(spec["name"], str)
            and spec["kind"] in KINDS
            and isinstance(spec["categories"], list)
            and all(isinstance(item, str) for item in spec["categories"])
            and isinstance(spec["missing"], bool)
        )
        if not good:
            raise FileFormatError(f"not the description of a column: {str(spec)[:80]}")
        return cls(spec["name"], spec["kind"], tuple(spec["categories"]), spec["missing"])


def _there(column: Values) -> Any:
    """The values that are not missing."""
    if column.kind in ("number", "date"):
        values = np.asarray(column.values)
        return values[~np.isnan(values)]
    return [item for item in column.values if item is not None]


def as_text(values: np.ndarray) -> list[str | None]:
    """An array of numbers or dates as names of categories, None where a value is missing.

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)

    Returns
    -------
    list of str or None

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.frames import as_text
    >>> as_text(np.asarray([2.0, 2.5, np.nan])), as_text(np.asarray(["2024-12-31"], dtype="datetime64[s]"))
    (['2', '2.5', None], ['2024-12-31'])
    """
    return _as_text(of_array("values", values))


def _as_text(column: Values) -> list[str | None]:
    """The values as names of categories, None where one is missing."""
    if column.kind == "number":
        return [None if np.isnan(v) else number_text(v) for v in column.values]
    if column.kind == "date":
        return [None if np.isnan(v) else date_text(v) for v in column.values]
    return [None if item is None else _text(item) for item in column.values]


def _text(item: Any) -> str:
    # Bytes that are no text stay apart from each other.
    return item.decode("utf-8", "backslashreplace") if isinstance(item, bytes) else str(item)
