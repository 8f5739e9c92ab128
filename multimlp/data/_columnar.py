"""Tables in Parquet and Arrow files, by polars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multimlp.data._cells import Cells
from multimlp.errors import DataError, missing_dependency
from multimlp.errors.shown import one_line
from multimlp.frames import Meanings, as_text

COLUMNAR = (".parquet", ".arrow", ".feather")

Choose = Callable[[list[str]], tuple[list[str], str | None]]


def read_columnar(
    where: Path, choose: Choose, kinds: Mapping[str, str], known: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Any], np.ndarray | None]:
    """The columns that ``choose(header)`` names, as `multimlp.data.Frame` has them, and the values of the one besides: numbers, or objects
    with None."""
    try:
        import polars
    except ImportError:
        raise missing_dependency("polars", f"reading {where.suffix} files", "parquet") from None
    read = polars.read_parquet if where.suffix.lower() == ".parquet" else polars.read_ipc
    try:
        frame = read(where)
    except BaseException as error:  # of damaged files its core says that it "panics", which is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise DataError(f"{where}: not a readable {where.suffix} file: {one_line(error)}") from None
    if not frame.height:
        raise DataError(f"{where}: there are no rows")
    names, extra = choose(frame.columns)
    columns = {
        name: _categories(where, frame[name], known.get(name, ()))
        if kinds.get(name) == "category"
        else _values(where, frame[name], kinds.get(name))
        for name in names
    }
    target = None
    if extra is not None:
        found = _values(where, frame[extra], None)
        if frame[extra].dtype.is_integer():  # of which floats do not hold all
            gaps = frame[extra].null_count() > 0
            found = frame[extra].to_list() if gaps else frame[extra].to_numpy()
        target = found if isinstance(found, np.ndarray) else np.asarray(found, dtype=object)
    return columns, target


def _categories(where: Path, series: Any, known: Sequence[str]) -> list[str | None]:
    """The values as text; those of another kind as they are written where they are categories, or as the category known that means them."""
    import polars

    dtype = series.dtype
    if dtype.is_integer() or dtype == polars.Boolean:  # whole numbers of which floats do not hold all
        texts = series.cast(polars.String).to_list()
    else:
        values = _values(where, series, None)
        texts = as_text(values) if isinstance(values, np.ndarray) else values
    meanings = Meanings(known)
    return [None if text is None else meanings.of(text) for text in texts]


def _values(where: Path, series: Any, kind: str | None) -> Any:
    import polars

    dtype = series.dtype
    if dtype == polars.Null:
        return [None] * len(series)
    if dtype.is_numeric() or dtype.is_decimal():
        numbers = series.cast(polars.Float64).to_numpy().astype(np.float64)
        rows = np.flatnonzero(np.isinf(numbers))
        if len(rows):
            raise DataError(
                f"{where}: column {series.name!r}, row {rows[0] + 1}: {numbers[rows[0]]} is not finite; correct it or make it missing"
            )
        return numbers
    if isinstance(dtype, polars.Datetime):
        moments = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if dtype.time_zone else series
        return moments.cast(polars.Datetime("us")).to_numpy().astype("datetime64[us]")
    if dtype == polars.Date:
        return series.cast(polars.Datetime("us")).to_numpy().astype("datetime64[us]")
    if dtype == polars.Duration:
        return series.dt.total_microseconds().cast(polars.Float64).to_numpy() / 86_400e6
    if dtype == polars.Boolean:
        return series.to_list()
    if dtype == polars.String and kind in ("number", "date", "boolean"):
        cells = Cells(str(where), series.name, kind)
        cells.add(series.fill_null("").to_list(), odd=True)
        return cells.values()
    if isinstance(dtype, (polars.Categorical, polars.Enum)) or dtype == polars.String:
        return series.cast(polars.String).to_list()
    raise DataError(
        f"{where}: column {series.name!r} holds {dtype}; expected numbers, text, categories, truth values or dates; leave it out "
        f"(--drop {series.name!r})"
    )
