"""A small table of numbers: one row a candidate, one column a setting or a figure."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from multimlp._json import finite
from multimlp.errors import InputError, missing_dependency
from multimlp.errors.checks import check_path, flag
from multimlp.errors.close import did_you_mean
from multimlp.files import replacing


class Table(Sequence[dict[str, Any]]):
    """Rows as dicts of Python numbers; slices and sorted copies are tables again.

    Parameters
    ----------
    columns : mapping of str to numpy.ndarray
        Of one length.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.training import Table
    >>> table = Table({"seed": np.asarray([0, 1, 2]), "loss": np.asarray([0.5, np.nan, 0.25])})
    >>> table
    seed  loss
       0   0.5
       1   nan
       2  0.25
    >>> [row["seed"] for row in table.sorted("loss")]
    [2, 0, 1]
    """

    def __init__(self, columns: Mapping[str, np.ndarray]) -> None:
        self.columns = dict(columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, index: Any) -> Any:
        """A row, or a table of some."""
        if isinstance(index, (slice, np.ndarray)):
            return Table({name: column[index] for name, column in self.columns.items()})
        return {name: column[index].item() for name, column in self.columns.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row in zip(*(column.tolist() for column in self.columns.values()), strict=True):
            yield dict(zip(self.columns, row, strict=True))

    def column(self, name: str) -> np.ndarray:
        """One column; `InputError` with the names there are for another."""
        if name not in self.columns:
            listed = ", ".join(self.columns)
            raise InputError(
                f"there is no column {name!r}, only {listed}{did_you_mean(str(name), self.columns)}"
            )
        return self.columns[name]

    def sorted(self, by: str, descending: bool = False) -> Table:
        """The rows in the order of a column, those that have no number there last; equal ones as they were."""
        return self[order_of(self.column(by), flag("descending", descending))]  # type: ignore[no-any-return]

    def to_pandas(self) -> Any:
        """A pandas data frame."""
        try:
            import pandas
        except ImportError:
            raise missing_dependency("pandas", "Table.to_pandas", "data") from None
        return pandas.DataFrame(self.columns)

    def to_csv(self, path: Any) -> None:
        """Write a file of comma-separated values, the names in its first line."""
        with (
            replacing(check_path("path", path)) as beside,
            open(beside, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(self.columns)
            writer.writerows(row.values() for row in self)

    def to_json(self, path: Any) -> None:
        """Write a list of objects, one a row; what is no finite number becomes null."""
        with replacing(check_path("path", path)) as beside, open(beside, "w", encoding="utf-8") as file:
            json.dump(finite(list(self)), file, indent=1, allow_nan=False)

    def __repr__(self) -> str:
        shown = [list(self.columns), *([_text(v) for v in row.values()] for row in self[:_SHOWN])]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        lines = ["  ".join(text.rjust(w) for text, w in zip(row, widths, strict=True)) for row in shown]
        rest = len(self) - _SHOWN
        return "\n".join([*lines, f"... {rest} more"] if rest > 0 else lines)


_SHOWN = 10


def order_of(column: np.ndarray, descending: bool) -> np.ndarray:
    """Row numbers from the best to the worst; NaN and, where low is good, infinity come last by themselves."""
    values = np.where(np.isnan(column), -np.inf if descending else np.inf, column)
    nan_last = np.isnan(column)
    return np.lexsort((-values if descending else values, nan_last))


def best_of(column: np.ndarray, descending: bool, count: int | None) -> np.ndarray:
    """The row numbers of so many of the best, ascending; of equal ones the first."""
    return np.sort(order_of(column, descending)[:count])


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
