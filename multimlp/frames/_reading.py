"""The columns of a table, whatever holds it: a data frame of any library that narwhals knows, a mapping, an array, or rows."""

from __future__ import annotations

import datetime
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from multimlp.backend import is_array, owner
from multimlp.errors import DataError, InputError, ShapeError, missing_dependency
from multimlp.errors.checks import check_items, refuse

DAY = 86_400 * 10**6
"""In microseconds."""


class Values(NamedTuple):
    """A column as it was read."""

    kind: str
    """``"number"``, ``"boolean"``, ``"date"`` or ``"category"``."""
    values: Any
    """Numbers, days since 1970 for dates, as float64 with NaN; else a list of text, True and False, and None."""
    rounded: bool = False
    """Whether the numbers were whole ones of which float64 lost more than a millionth of their spread."""


def read(X: Any) -> dict[str, Values]:
    """The columns by name; those of an array or of rows are ``x0``, ``x1``, ...

    Raises
    ------
    DataError
        For a column that holds what is none of the kinds, or several of them; names it.
    InputError, ShapeError
        For what is no table.
    MissingDependencyError
        For a data frame without narwhals.
    """
    if hasattr(X, "toarray"):
        raise InputError("X: expected a table, got a sparse matrix; make it dense first, X.toarray()")
    if isinstance(X, Mapping):
        _check_different([str(name) for name in X])
        columns = {str(name): _of_column(str(name), items) for name, items in X.items()}
        lengths = {len(column.values) for column in columns.values()}
        if len(lengths) > 1:
            raise ShapeError(f"X: columns of different lengths: {', '.join(map(str, sorted(lengths)))}")
        return columns
    if is_array(X) and not isinstance(X, np.ndarray):
        X = owner(X).to_numpy(X)
    if not isinstance(X, (np.ndarray, list, tuple)):
        if not hasattr(X, "__array__") or hasattr(X, "columns") or hasattr(X, "schema"):
            return _of_frame(X)
        X = np.asarray(X)
    table = X if isinstance(X, np.ndarray) else _of_rows(X)
    if table.ndim != 2:
        raise ShapeError(
            f"X: expected shape (n, columns), got {table.shape}. Reshape your data: one column is X.reshape(-1, 1), one row "
            "X.reshape(1, -1)"
        )
    return {f"x{j}": of_array(f"x{j}", table[:, j]) for j in range(table.shape[1])}


def _of_rows(rows: Sequence[Any]) -> np.ndarray:
    if rows and isinstance(rows[0], Mapping):
        raise InputError(
            "X: expected rows that are sequences, got mappings; make a table of them first, such as pandas.DataFrame(X)"
        )
    try:
        found = np.asarray(rows)
        # Of arrays of dates NumPy would make objects that are whole numbers.
        return found if found.dtype.kind in "biufmM" else np.asarray(rows, dtype=object)
    except ValueError as error:
        raise ShapeError(f"X: rows of different lengths: {error}") from None


def _of_column(name: str, items: Any) -> Values:
    if is_array(items) and not isinstance(items, np.ndarray):
        items = owner(items).to_numpy(items)
    if isinstance(items, np.ndarray):
        if items.ndim != 1:
            raise ShapeError(f"X[{name!r}]: expected a column of shape (n,), got {items.shape}")
        return of_array(name, items)
    if hasattr(items, "__next__"):  # the second reader would find nothing
        raise refuse(f"X[{name!r}]", "a sequence of cells, which can be read again", items, "make it a list")
    series = _as_series(items)
    if series is not None:
        return _of_series(name, series)
    return _of_items(name, check_items(f"X[{name!r}]", items, "of cells"))


def _as_series(items: Any) -> Any:
    """A column of a data frame of any library as narwhals has it; None for anything else."""
    if not hasattr(items, "to_list") and not hasattr(items, "__array__"):
        return None
    try:
        import narwhals as nw
    except ImportError:
        return None
    found = nw.from_native(items, series_only=True, pass_through=True)
    return found if isinstance(found, nw.Series) else None


def of_array(name: str, column: np.ndarray) -> Values:
    """A column of an array."""
    if isinstance(column, np.ma.MaskedArray):
        return _of_masked(name, column)
    kind = column.dtype.kind
    if kind == "c":
        raise DataError(
            f"X: the column {name!r} holds complex numbers. Complex data not supported; give real and imaginary parts"
        )
    if kind == "b":
        return Values("boolean", column.tolist())
    if kind in "iu":
        return Values("number", column.astype(np.float64), _is_rounded(column))
    if kind == "f":
        return Values("number", _finite(name, column.astype(np.float64)))
    if kind == "M":
        return Values("date", _days(column))
    if kind == "m":
        return Values("number", _days(column))
    return _of_items(name, column.tolist())


def _check_different(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise InputError(f"X: two columns are called {next(n for n in names if names.count(n) > 1)!r}")


def _of_masked(name: str, column: Any) -> Values:
    """What is masked is missing."""
    if column.dtype.kind in "iuf":
        return of_array(name, np.asarray(column.astype(np.float64).filled(np.nan)))
    found, gone = of_array(name, np.asarray(column)), np.ma.getmaskarray(column)
    if isinstance(found.values, np.ndarray):
        return Values(found.kind, np.where(gone, np.nan, found.values))
    return Values(found.kind, [None if g else item for item, g in zip(found.values, gone, strict=True)])


def _of_frame(X: Any) -> dict[str, Values]:
    try:
        import narwhals as nw
    except ImportError:
        if hasattr(X, "columns") or hasattr(X, "schema"):
            raise missing_dependency("narwhals", "a data frame as X", "frames") from None
        raise refuse("X", "a data frame, an array, a list of rows, or a mapping of columns", X) from None
    try:
        frame = nw.from_native(X, eager_only=True)
    except TypeError:
        advice = "it is lazy, so collect it first, X.collect()" if hasattr(X, "collect") else ""
        raise refuse(
            "X", "a data frame, an array, a list of rows, or a mapping of columns", X, advice
        ) from None
    except nw.exceptions.DuplicateError:
        names = [str(name) for name in X.columns]
        _check_different(names)
        raise
    names = [str(name) for name in frame.columns]
    _check_different(names)
    # By get_column: in a frame of pandas a name may be a number, which would be taken for a row.
    columns = map(frame.get_column, frame.columns)
    return {name: _of_series(name, column) for name, column in zip(names, columns, strict=True)}


def _of_series(name: str, series: Any) -> Values:
    import narwhals as nw

    dtype = series.dtype
    if dtype.is_numeric():
        numbers = _finite(name, series.cast(nw.Float64).to_numpy().astype(np.float64))
        return Values("number", numbers, dtype.is_integer() and _is_rounded(series.drop_nulls().to_numpy()))
    if dtype == nw.Boolean:
        return Values("boolean", [value if value in (True, False) else None for value in _present(series)])
    if dtype == nw.Duration:
        return Values("number", _days(series.to_numpy()))
    if dtype == nw.Datetime and dtype.time_zone is not None:
        return Values("date", _days(series.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy()))
    if dtype in (nw.Datetime, nw.Date):
        return Values("date", _days(series.cast(nw.Datetime("us")).to_numpy()))
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        return Values("category", [_as_category(item) for item in _present(series)])
    if dtype in (nw.Object, nw.Unknown):
        return _of_items(name, _present(series))
    raise DataError(
        f"X: the column {name!r} holds {dtype}; expected numbers, text, categories, truth values or dates"
    )


def _as_category(item: Any) -> str | None:
    """Text, of numbers that are categories too the one that they have as numbers: 2.0 is 2."""
    if item is None:
        return None
    return number_text(item) if isinstance(item, float) else str(item)


def number_text(value: float) -> str:
    """A finite number as the name of a category: whole ones without a point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def date_text(days: float) -> str:
    """A moment, in days since 1970, as the name of a category: as ISO 8601 writes it, whole days without a time."""
    if float(days).is_integer():
        return str(np.datetime64(int(days), "D"))
    moment = np.datetime64(round(days * DAY), "us")
    seconds = moment.astype("datetime64[s]")
    return str(seconds if seconds == moment else moment)


def _present(series: Any) -> list[Any]:
    """The items, None where one is missing."""
    return [
        None if gone else item
        for item, gone in zip(series.to_list(), series.is_null().to_list(), strict=True)
    ]


def _days(times: np.ndarray) -> np.ndarray:
    """Days since 1970, or of a duration; whole days and the rest apart, since microseconds end with the year 294246."""
    kind = "datetime64" if times.dtype.kind == "M" else "timedelta64"
    if np.datetime_data(times.dtype)[0] in ("ps", "fs", "as"):  # too fine for a count of days
        times = times.astype(f"{kind}[ns]")
    whole = times.astype(f"{kind}[D]")
    rest = (times - whole.astype(times.dtype)).astype("timedelta64[us]").astype(np.int64) / DAY
    return np.where(np.isnat(times), np.nan, whole.astype(np.int64) + rest)


def _is_rounded(whole: np.ndarray) -> bool:
    """Whether float64 loses more than a millionth of the spread of whole numbers, as of identifiers beyond 2^53 that are close together."""
    if not whole.size or max(abs(int(whole.min())), abs(int(whole.max()))) < 2**53:
        return False
    numbers = whole.astype(np.float64)
    lost = max(abs(int(number) - int(item)) for number, item in zip(numbers, whole, strict=True))
    return bool(lost > 1e-6 * np.std(numbers))


def _finite(name: str, column: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(np.isinf(column))
    if len(rows):
        raise DataError(
            f"X: the column {name!r} holds {column[rows[0]]} in row {rows[0]}; remove such values or make them missing (NaN)"
        )
    return column


# ---- columns of Python's own objects -------------------------------------------------------------------------------------


def _of_items(name: str, items: list[Any]) -> Values:
    types = set(map(type, items))
    if str in types and types <= {str, type(None)}:  # text, as most are
        return Values("category", items)
    found: dict[str, int] = {}
    plain: list[Any] = []
    for row, item in enumerate(items):
        # NumPy makes whole numbers of times in nanoseconds.
        item = item.item() if isinstance(item, np.generic) and item.dtype.kind not in "mM" else item
        kind = kind_of(item)
        if kind is None:
            raise DataError(
                f"X: the column {name!r} holds {type(item).__name__} in row {row}; expected numbers, text, truth values or dates"
            )
        plain.append(None if kind == "missing" else item)
        found.setdefault(kind, row)
    found.pop("missing", None)
    if len(found) > 1:
        (one, first), (other, second), *_ = found.items()
        raise DataError(
            f"X: the column {name!r} mixes {_WORDS[one]} (row {first}) and {_WORDS[other]} (row {second}); make it one of them, "
            "e.g. column.astype(str)"
        )
    kind = next(iter(found), "category")  # of nothing at all: whatever comes later is none that is known
    if kind == "number":
        try:
            return Values("number", _finite(name, _numbers(plain)))
        except OverflowError:
            raise DataError(f"X: the column {name!r} holds a number beyond float64") from None
    if kind == "date":
        try:
            return Values("date", _days(np.asarray([_utc(item) for item in plain], dtype="datetime64[us]")))
        except OverflowError:
            raise DataError(
                f"X: the column {name!r} holds a date beyond the years 1 to 9999 in UTC"
            ) from None
    if kind == "duration":
        nothing = np.timedelta64("NaT")
        spans = [nothing if item is None else item for item in plain]
        return Values("number", _days(np.asarray(spans, dtype="timedelta64[us]")))
    return Values(kind, plain)


_WORDS = {
    "number": "numbers",
    "boolean": "truth values",
    "category": "text",
    "date": "dates",
    "duration": "durations",
}


def is_missing(item: Any) -> bool:
    """Whether a cell says that its value is missing: None, NaN, NaT, or the NA of pandas, which answers no comparison.

    Parameters
    ----------
    item : object

    Returns
    -------
    bool

    Examples
    --------
    >>> from multimlp.frames import is_missing
    >>> [is_missing(item) for item in (None, float("nan"), 0, "")]
    [True, True, False, False]
    """
    if item is None or type(item).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(item, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(item))
    return _is_number(item) and bool(item != item)


def _is_number(item: Any) -> bool:
    return isinstance(item, numbers.Real) or type(item).__name__ == "Decimal"


def kind_of(item: Any) -> str | None:
    """What a cell is: ``"missing"``, ``"number"``, ``"boolean"``, ``"date"``, ``"duration"``, or ``"category"`` for text; None for
    anything else.

    Parameters
    ----------
    item : object

    Returns
    -------
    str or None

    Examples
    --------
    >>> from multimlp.frames import kind_of
    >>> [kind_of(item) for item in (1.5, True, "a", None, [1])]
    ['number', 'boolean', 'category', 'missing', None]
    """
    if is_missing(item):
        return "missing"
    if isinstance(item, (bool, np.bool_)):
        return "boolean"
    if isinstance(item, (datetime.timedelta, np.timedelta64)):  # NumPy's are whole numbers, too
        return "duration"
    if _is_number(item):
        return "number"
    if isinstance(item, (str, bytes)):
        return "category"
    return "date" if isinstance(item, (datetime.date, np.datetime64)) else None


def _numbers(items: Iterable[Any]) -> np.ndarray:
    return np.asarray([math.nan if item is None else float(item) for item in items], dtype=np.float64)


def _utc(item: Any) -> Any:
    if item is None:
        return np.datetime64("NaT")
    zone = getattr(item, "tzinfo", None)
    return item if zone is None else item.astimezone(datetime.UTC).replace(tzinfo=None)
