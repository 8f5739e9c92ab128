"""Your own files: .csv, .npz, and pairs of .npy."""

from __future__ import annotations

import difflib
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from multimlp.data._csv import parse, read_csv
from multimlp.data._dataset import Dataset, check_features, make
from multimlp.errors import DataError

USUAL_TARGETS = ("target", "label", "class", "y")
_SUFFIXES = (".csv", ".tsv", ".npz", ".npy")


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
    where = _checked(path)
    if where.suffix in (".csv", ".tsv"):
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
    where = _checked(path)
    if where.suffix in (".csv", ".tsv"):
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
        raise DataError(f"{where}: expected {len(names)} columns ({_listed(names)}), got {X.shape[1]}")
    return X, []


def _checked(path: str | os.PathLike[str]) -> Path:
    where = Path(path)
    if where.suffix not in _SUFFIXES:
        raise DataError(f"{where}: expected a file that ends in {', '.join(_SUFFIXES)}")
    if not where.is_file():
        raise DataError(f"{where}: there is no such file")
    if not where.stat().st_size:
        raise DataError(f"{where}: the file is empty")
    return where


def _require(where: Path, wanted: Sequence[str], header: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in set(header)]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        raise DataError(f"{where}: missing column{plural} {_listed(missing)}{_hint(missing[0], header)}")


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _hint(name: str, header: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, header, n=3)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else f"; there are {_listed(header)}"


# ---- .csv


def _from_csv(where: Path, target: str | None, task: str | None) -> Dataset:
    def select(header: list[str]) -> tuple[list[int], int | None]:
        usual = (name for name in header if name.lower() in USUAL_TARGETS)
        chosen = target if target is not None else next(usual, None)
        if chosen is None:
            raise DataError(
                f"{where}: which column to predict? Name one with target= (--target): {_listed(header)}"
            )
        if chosen not in header:
            raise DataError(f"{where}: no column {chosen!r} to predict{_hint(chosen, header)}")
        at = header.index(chosen)
        return [j for j in range(len(header)) if j != at], at

    columns = read_csv(where, select)
    assert columns.text is not None
    return make(str(where), columns.numbers, _target_values(columns.text), columns.names, task, where.name)


def _target_values(cells: list[str]) -> np.ndarray:
    """Numbers if all cells are numbers or missing, else the text."""
    numbers = [parse(cell) for cell in cells]
    if any(number is None for number in numbers):
        return np.asarray(cells)
    return np.asarray(numbers, dtype=np.float64)


# ---- .npz and .npy


def _from_npz(where: Path, targets: bool = True) -> tuple[np.ndarray, np.ndarray, list[str] | None]:
    try:
        with np.load(where, allow_pickle=False) as archive:
            for key in ("X", "y") if targets else ("X",):
                if key not in archive:
                    raise DataError(f"{where}: no array {key!r}{_hint(key, list(archive))}")
            names = [str(name) for name in archive["feature_names"]] if "feature_names" in archive else None
            X, y = archive["X"], archive["y"] if targets else np.empty(0)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where}: not a readable .npz file of plain arrays: {_first_line(error)}") from None
    if names is not None and (X.ndim != 2 or len(names) != X.shape[1] or len(set(names)) != len(names)):
        raise DataError(
            f"{where}: feature_names needs one different name for each column of X, which has shape {X.shape}"
        )
    return X, y, names


def _array(where: Path) -> np.ndarray:
    try:
        with where.open("rb") as file:  # np.load would also open an archive under this name
            return np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{where}: not a readable .npy file of plain numbers: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _partner(where: Path) -> Path:
    stem = where.stem
    if "X" not in stem:
        raise DataError(
            f"{where}: expected X in the name of a .npy file, so that the targets are found beside it under y"
        )
    head, _, tail = stem.rpartition("X")
    partner = where.with_name(f"{head}y{tail}.npy")
    if not partner.is_file():
        raise DataError(
            f"{where}: the targets are expected beside it in {partner.name!r}, which does not exist"
        )
    return partner
