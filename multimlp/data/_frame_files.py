"""Tables in files as people have them: numbers, categories, truth values and dates, with values missing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from multimlp.data._cells import Cells, numbers_with_points
from multimlp.data._columnar import COLUMNAR, Choose, read_columnar
from multimlp.data._csv import blocks_of, header_of, is_missing, opened_csv
from multimlp.data._dataset import Dataset, check_features
from multimlp.data._split import rows_of_parts
from multimlp.data._tables import CSV, check_file, hint, listed, target_column, target_values
from multimlp.data._targets import encode
from multimlp.errors import DataError, InputError
from multimlp.errors.checks import check_names, flag
from multimlp.frames import Features, Schema

_SUFFIXES = (*CSV, *COLUMNAR)


@dataclass(frozen=True, eq=False)
class Frame:
    """A table from a file, and what is to be predicted from it.

    Attributes
    ----------
    columns : dict
        By name: float64 with NaN, datetime64 with NaT, or a list of text or truth values with None; as `multimlp.frames.Schema` and
        the estimators for tables take it.
    y : numpy.ndarray, shape (n,)
        As in `Dataset`.
    classes : tuple or None
    task : str
    target : str
        The name of the column that ``y`` comes from.
    description : str
    left_out : int
        How many rows of the file were left out, since their target is missing.
    """

    columns: dict[str, Any]
    y: np.ndarray
    classes: tuple[Any, ...] | None
    task: str
    target: str
    description: str
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, index: np.ndarray) -> Frame:
        """The table of these rows."""
        columns = {name: _taken(values, index) for name, values in self.columns.items()}
        return replace(self, columns=columns, y=self.y[index])

    def split(self, fraction: float | None, seed: int) -> tuple[Frame, Frame]:
        """A training and a test part, as `multimlp.data.split` makes them."""
        count = None if self.classes is None else len(self.classes)
        kept, held = rows_of_parts(
            self.y, count, 0.2 if fraction is None else fraction, seed, self.description
        )
        return self.rows(kept), self.rows(held)

    def datasets(self, test: Frame) -> tuple[Dataset, Dataset, Features]:
        """This training part and a test part as numbers, and what makes them of the columns, learned from the training part alone."""
        schema = Schema.of(self.columns)
        encoded = schema.encode(self.columns)
        features = Features.of(schema, encoded)
        train = self._dataset(features.matrix(encoded), features.names)
        return train, test._dataset(features.matrix(schema.encode(test.columns)), features.names), features

    def _dataset(self, matrix: np.ndarray, names: Sequence[str]) -> Dataset:
        X = check_features(self.description, matrix, names)
        return Dataset(X, self.y, tuple(names), self.classes, self.task, self.description)


def _taken(values: Any, index: np.ndarray) -> Any:
    return values[index] if isinstance(values, np.ndarray) else [values[i] for i in index]


def is_frame_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds a table with named columns, by the end of its name."""
    return str(path).lower().endswith(_SUFFIXES)


def read_frame(
    path: str | os.PathLike[str],
    target: str | None = None,
    task: str | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    drop_missing: bool = False,
) -> Frame:
    """A table from a file.

    Parameters
    ----------
    path : path
        ``.csv`` or ``.tsv``, also compressed (``.csv.gz``): a header and rows, separated by commas, semicolons, tabs or bars; cells
        may be quoted and then hold anything. ``.parquet``, ``.arrow``, ``.feather`` with polars.
    target : str, optional
        The column to predict. Default: the one called target, label, class or y.
    task : {"classification", "regression"}, optional
        As in `read_table`.
    drop : sequence of str
        Columns that are left out.
    categorical : sequence of str
        Columns whose cells are categories, whatever they look like: ``007`` is not ``7`` then.
    drop_missing : bool
        Whether rows are left out whose target is missing; else one is an error.

    Returns
    -------
    Frame

    Raises
    ------
    DataError
        If the file is missing, empty or ragged, a column is missing or repeated, or a cell is not what the others of its column are;
        names row and column.
    MissingDependencyError
        If polars is missing for a format that needs it.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from multimlp import data
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text("age,job,since,y\\n31,cook,2020-01-31,yes\\n?,nurse,2021-03-01,no\\n54,,2019-05-06,yes\\n40,cook,,no\\n")
    >>> people = data.read_frame(path)
    >>> people.columns["age"], people.columns["job"], people.y, people.classes
    (array([31., nan, 54., 40.]), ['cook', 'nurse', None, 'cook'], array([1, 0, 1, 0]), ('no', 'yes'))
    """
    where, drop, categorical = (
        _checked(path),
        check_names("drop", drop),
        check_names("categorical", categorical),
    )
    kinds = dict.fromkeys(categorical, "category")

    def choose(header: list[str]) -> tuple[list[str], str | None]:
        chosen = target_column(where, target, header)
        for option, named in (("drop", drop), ("categorical", categorical)):
            for name in named:
                if name not in header:
                    raise DataError(f"{where}: {option} (--{option}): no column {name!r}{hint(name, header)}")
                if name == chosen:
                    raise InputError(f"{option} (--{option}): {name!r} is the column to predict")
        kept = [name for name in header if name != chosen and name not in set(drop)]
        if not kept:
            raise DataError(f"{where}: there is no column to predict {chosen!r} from")
        predicted.append(chosen)
        return kept, chosen

    predicted: list[str] = []
    skip = flag("drop_missing", drop_missing)
    columns, cells = _read(where, choose, kinds, {})
    kept = _with_target(str(where), cells, skip)
    left_out = len(cells) - len(kept)
    if left_out:
        columns = {name: _taken(values, kept) for name, values in columns.items()}
        cells = _taken(cells, kept)
    if isinstance(cells, np.ndarray) and cells.dtype == object and not isinstance(cells[0], str):
        cells = np.asarray(cells.tolist())  # truth values or whole numbers, of which none is missing now
    given = cells if isinstance(cells, np.ndarray) else target_values(str(where), cells, task)
    y, classes, found = encode(str(where), given, task)
    if len(y) < 2:
        raise DataError(
            f"{where}: there is only one row; at least two are needed, one to train and one to test"
        )
    return Frame(columns, y, classes, found, predicted[0], where.name, left_out)


def _with_target(where: str, cells: Any, skip: bool) -> np.ndarray:
    """The rows whose target is there; `DataError` for others unless they are to be skipped, and where there is none."""
    if isinstance(cells, np.ndarray) and cells.dtype != object:
        gone = np.isnan(cells) if cells.dtype.kind == "f" else np.zeros(len(cells), dtype=bool)
    else:
        gone = np.asarray([cell is None or (isinstance(cell, str) and is_missing(cell)) for cell in cells])
    if gone.any() and not skip:
        first = int(np.argmax(gone))
        raise DataError(
            f"{where}: the target is missing in {int(gone.sum())} of {len(gone)} rows, first in row {first + 1} ({str(cells[first])!r}); "
            "leave such rows out with drop_missing=True (--drop-missing), or give a class of that name another one"
        )
    if gone.all():
        raise DataError(f"{where}: the target is missing in every row")
    return np.flatnonzero(~gone)


def read_columns(path: str | os.PathLike[str], schema: Schema) -> tuple[dict[str, Any], list[str]]:
    """The columns of a schema from a file, and the names of those left out.

    Raises
    ------
    DataError, MissingDependencyError
        As `read_frame`; and if a column is missing, or a cell is not of its column's kind.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from multimlp import data
    >>> from multimlp.frames import Features, Schema
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "new.csv"
    >>> _ = path.write_text("comment,job,age\\nfirst,cook,31\\n")
    >>> data.read_columns(path, Schema.of({"age": [31], "job": ["cook"]}))
    ({'age': array([31.]), 'job': ['cook']}, ['comment'])
    """
    where = _checked(path)
    ignored: list[str] = []

    def choose(header: list[str]) -> tuple[list[str], None]:
        missing = [name for name in schema.names if name not in set(header)]
        if missing:
            kinds = {column.name: column.kind for column in schema.columns}
            raise DataError(
                f"{where}: missing column{'s' if len(missing) > 1 else ''} {listed(missing)} "
                f"({kinds[missing[0]]}), which the model was trained with{hint(missing[0], header)}"
            )
        ignored.extend(name for name in header if name not in set(schema.names))
        return list(schema.names), None

    kinds = {column.name: column.kind for column in schema.columns}
    known = {column.name: column.categories for column in schema.columns if column.kind == "category"}
    columns, _ = _read(where, choose, kinds, known)
    return columns, ignored


def _checked(path: str | os.PathLike[str]) -> Path:
    return check_file(path, _SUFFIXES)


def _read(
    where: Path,
    choose: Choose,
    kinds: Mapping[str, str],
    known: Mapping[str, Sequence[str]],
) -> tuple[dict[str, Any], Any]:
    """The columns that ``choose(header)`` names, and the values of the one besides."""
    if str(where).lower().endswith(COLUMNAR):
        return read_columnar(where, choose, kinds, known)
    with opened_csv(where) as records:
        header = header_of(str(where), records)
        names, extra = choose(header)
        comma = records.delimiter == ";"
        cells = {name: Cells(str(where), name, kinds.get(name), comma, known.get(name, ())) for name in names}
        text: list[str] = []
        places = {name: at for at, name in enumerate(header)}
        records.lines.odd = False
        for _, block in blocks_of(str(where), records, len(header)):
            turned = list(zip(*block, strict=True))
            for name, column in cells.items():
                column.add(turned[places[name]], records.lines.odd)
            if extra is not None:
                text.extend(cell.strip() for cell in turned[places[extra]])
            records.lines.odd = False
    return {name: column.values() for name, column in cells.items()}, numbers_with_points(
        text
    ) if comma else text
