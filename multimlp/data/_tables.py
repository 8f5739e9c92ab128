"""Your own files: .csv, .npz, and pairs of .npy."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from multimlp.data._csv import is_missing, parse, read_csv
from multimlp.data._dataset import Dataset, check_features, make
from multimlp.data._otherwise import READ, meant
from multimlp.errors import DataError, FileFormatError
from multimlp.errors.checks import check_names, refuse
from multimlp.errors.shown import cut
from multimlp.files import array_names, as_path, read_array, read_arrays, why_unreadable

USUAL_TARGETS = ("target", "label", "class", "y")
_WHOLE = re.compile(r"\s*[+-]?[0-9]+\s*")
CSV = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_SUFFIXES = (*CSV, ".npz", ".npy")


def read_table(path: str | os.PathLike[str], target: str | None = None, task: str | None = None) -> Dataset:
    """A data set from a file.

    Parameters
    ----------
    path : path
        ``.csv`` (a header, then numbers; the target column may hold text), ``.npz`` (arrays ``X`` and ``y``,
        optionally ``feature_names``), or ``X.npy`` with ``y.npy`` beside it (any name with an ``X`` in it and
        the same name with ``y``).
    target : str, optional
        The column to predict, of a .csv. Default: the one called target, label, class or y.
    task : {"classification", "regression"}, optional
        Default: classification for text and for few different whole numbers, else regression.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the file is missing, empty or ragged, a column is missing, repeated or not of numbers, a value is
        missing or infinite, there is one row, or one class.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from multimlp import data
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "flowers.csv"
    >>> _ = path.write_text("length,width,species\\n1,2,a\\n3,4,b\\n5,6,b\\n7,8,a\\n")
    >>> flowers = data.read_table(path, target="species")
    >>> flowers.X.shape, flowers.y, flowers.classes
    ((4, 2), array([0, 1, 1, 0]), ('a', 'b'))
    """
    where = check_file(path, _SUFFIXES)
    if where.name.lower().endswith(CSV):
        return _from_csv(where, target, task)
    X, y, names = (
        _from_npz(where) if where.suffix == ".npz" else (_array(where), _array(_partner(where)), None)
    )
    if target is not None:
        raise DataError(
            f"{where}: a target column can only be chosen in a .csv file; here the target is the array y"
        )
    return make(str(where), X, y, names, task, where.name)


def read_features(path: str | os.PathLike[str], names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """The columns of these names, in this order, of a file of examples, and the names of those left out.

    An .npz or .npy has no names, or ``feature_names``; then its columns count by position.

    Returns
    -------
    X : numpy.ndarray, shape (n, len(names)), float32, or float64 where float32 would lose too much
    ignored : list of str

    Raises
    ------
    DataError
        As `read_table`; and if a column is missing.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from multimlp import data
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "new.csv"
    >>> _ = path.write_text("comment,b,a\\nfirst,2,1\\n")
    >>> data.read_features(path, ["a", "b"])
    (array([[1., 2.]], dtype=float32), ['comment'])
    """
    where, names = check_file(path, _SUFFIXES), check_names("names", names)
    if where.name.lower().endswith(CSV):
        ignored: list[str] = []

        def select(header: list[str]) -> tuple[list[int], int | None]:
            _require(where, names, header)
            ignored.extend(name for name in header if name not in set(names))
            return [header.index(name) for name in names], None

        return check_features(str(where), read_csv(where, select).numbers, names), ignored
    X, _, own = _from_npz(where, targets=False) if where.suffix == ".npz" else (_array(where), None, None)
    X = check_features(str(where), X, own)
    if own is not None:
        _require(where, names, own)
        return X[:, [own.index(name) for name in names]], [name for name in own if name not in set(names)]
    if X.shape[1] != len(names):
        raise DataError(f"{where}: expected {len(names)} columns ({listed(names)}), got {X.shape[1]}")
    return X, []


def table_files(path: str | os.PathLike[str]) -> list[str]:
    """The names of the files that `read_table` reads for this one; they need not be there."""
    where = as_path(path, "data")
    pair = where.suffix == ".npy" and "X" in where.stem
    return [str(where), *([str(_beside(where))] if pair else [])]


def check_file(path: str | os.PathLike[str], suffixes: tuple[str, ...]) -> Path:
    """The path of a file that can be read, is not empty and ends in one of these; `DataError` for another."""
    where = as_path(path, "data")
    if not where.name.lower().endswith(suffixes):
        raise DataError(f"{where}: expected a file that ends in {', '.join(suffixes)}")
    return _readable(where)


def _readable(where: Path) -> Path:
    why = why_unreadable(where)
    if why is not None:
        raise DataError(f"{where}: {why}")
    if not where.stat().st_size:
        raise DataError(f"{where}: the file is empty")
    return where


def _require(where: Path, wanted: Sequence[str], header: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in set(header)]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        raise DataError(f"{where}: missing column{plural} {listed(missing)}{hint(missing[0], header)}")


def target_column(where: Path, target: str | None, header: Sequence[str]) -> str:
    """The column to predict: the one asked for, or one with a usual name."""
    if target is not None and not isinstance(target, str):
        raise refuse("target", "the name of a column", target)
    usual = (name for name in header if name.lower() in USUAL_TARGETS)
    chosen = target if target is not None else next(usual, None)
    if chosen is None:
        raise DataError(
            f"{where}: which column to predict? Name one with target= (--target): {listed(header)}"
        )
    if chosen not in header:
        raise DataError(f"{where}: no column {chosen!r} to predict{hint(chosen, header)}")
    return chosen


def listed(names: Sequence[str], most: int = 8) -> str:
    """Some of the names, and how many more there are."""
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def hint(name: str, header: Sequence[str]) -> str:
    """What may have been meant by a name that is not there."""
    close = difflib.get_close_matches(name, header, n=3)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else f"; there are {listed(header)}"


# ---- .csv


def _from_csv(where: Path, target: str | None, task: str | None) -> Dataset:
    def select(header: list[str]) -> tuple[list[int], int | None]:
        at = header.index(target_column(where, target, header))
        return [j for j in range(len(header)) if j != at], at

    columns = read_csv(where, select)
    assert columns.text is not None
    targets = target_values(str(where), columns.text, task)
    return make(str(where), columns.numbers, targets, columns.names, task, where.name)


def target_values(where: str, cells: list[str], task: str | None) -> np.ndarray:
    """Numbers if all cells are numbers or missing, else the text, as objects: of one long cell among many an array of text takes
    that length for each."""
    numbers = [parse(cell) for cell in cells]
    words = [row for row, number in enumerate(numbers) if number is None]
    if words:
        if task in (None, "regression"):
            _refuse_odd(where, cells, words, task)
        return np.asarray(cells, dtype=object)
    values = np.asarray(numbers, dtype=np.float64)
    large = bool(np.all(np.isfinite(values)) and np.any(np.abs(values) >= 2**53))
    if task == "regression" or not large or not all(map(_WHOLE.fullmatch, cells)):
        return values
    # float64 holds no more than every second whole number from there on, and labels must not merge
    whole = [int(cell) for cell in cells]
    for dtype in (np.int64, np.uint64):
        if np.iinfo(dtype).min <= min(whole) and max(whole) <= np.iinfo(dtype).max:
            return np.asarray(whole, dtype=dtype)
    row = next(i for i, number in enumerate(whole) if not -(2**63) <= number < 2**63)
    raise DataError(
        f"{where}: the target in row {row + 1}, {cut(cells[row], 43)}, is a whole number beyond 64 bits; if it is a label, write a letter "
        "before it in every row; if it is a quantity, say task='regression' (--task regression)"
    )


def _refuse_odd(where: str, cells: list[str], words: list[int], task: str | None) -> None:
    """`DataError` where most targets are numbers and some are not, or where they mean numbers or dates and are no numbers as they are
    written: each would become a class."""
    there = [at for at, cell in enumerate(cells) if not is_missing(cell)]
    advice = "correct the cells"
    if task is None:
        advice += "; or say that the column holds classes, task='classification' (--task classification)"
    if 2 * len(words) < len(there):
        row, what = words[0], "is not a number, as most of the targets are"
    else:
        texts = [cells[at] for at in there]
        kind, rows = meant(texts, set(texts))
        if kind is None:
            return
        row = there[rows[0]]
        what = "is a date, which cannot be predicted" if kind == "date" else f"is not {READ[kind]}"
    raise DataError(f"{where}: the target in row {row + 1}, {cut(cells[row], 83)!r}, {what}; {advice}")


# ---- .npz and .npy


def _from_npz(where: Path, targets: bool = True) -> tuple[np.ndarray, np.ndarray, list[str] | None]:
    keys = ("X", "y") if targets else ("X",)
    try:
        archive = read_arrays(where, (*keys, "feature_names"))
    except FileFormatError as error:
        raise DataError(str(error)) from None
    for key in keys:
        if key not in archive:
            raise DataError(f"{where}: no array {key!r}; there are {listed(array_names(where)) or 'none'}")
    X, y = archive["X"], archive["y"] if targets else np.empty(0)
    if "feature_names" not in archive:
        return X, y, None
    given = archive["feature_names"]
    names = [str(name) for name in given.tolist()] if given.ndim == 1 else []
    if given.dtype.kind != "U" or X.ndim != 2 or len(names) != X.shape[1] or len(set(names)) != len(names):
        raise DataError(
            f"{where}: feature_names needs one different name for each column of X, which has shape {X.shape}"
        )
    return X, y, names


def _array(where: Path) -> np.ndarray:
    try:
        return read_array(where)
    except FileFormatError as error:
        raise DataError(str(error)) from None


def _beside(where: Path) -> Path:
    head, _, tail = where.stem.rpartition("X")
    return where.with_name(f"{head}y{tail}.npy")


def _partner(where: Path) -> Path:
    stem = where.stem
    if "X" not in stem:
        raise DataError(
            f"{where}: expected X in the name of a .npy file, so that the targets are found beside it under y"
        )
    partner = _beside(where)
    why = why_unreadable(partner)
    if why is not None:
        raise DataError(f"{where}: the targets are expected beside it in {partner.name!r}, but {why}")
    return partner
