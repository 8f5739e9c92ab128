"""Strict reading of delimited text: numbers or a message that names the cell.

Python's own reader, a block of rows at a time, so that nothing is guessed: a short row, a stray word or a
repeated name is an error here, and not a column of NaN.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from multimlp.errors import DataError

_BLOCK = 4096
_MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}

Select = Callable[[list[str]], tuple[list[int], int | None]]


class Columns(NamedTuple):
    """What was read: the numbers of some columns, and the text of one."""

    names: list[str]
    numbers: np.ndarray
    """Shape (rows, chosen columns), float64; a missing cell is NaN."""
    text: list[str] | None


def read_csv(path: str | os.PathLike[str], select: Select) -> Columns:
    """The columns that ``select(header)`` chooses: positions of the numbers, and that of the text or None.

    The delimiter is the comma, semicolon or tab that is most frequent in the header; rows are counted from 1
    without the header.
    """
    where = str(path)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=first.count)
            return _read(where, _records(csv.reader(file, delimiter=delimiter, strict=True)), select)
    except OSError as error:
        raise DataError(f"cannot read {where!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not text in UTF-8 (byte {error.start}); is it a CSV file?") from None
    except csv.Error as error:
        raise DataError(f"{where}: not a well-formed CSV file: {error}") from None


def _records(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows, blank lines passed over."""
    return (row for row in reader if row)


def _read(where: str, rows: Iterator[list[str]], select: Select) -> Columns:
    header = [name.strip() for name in next(rows, [])]
    if not header:
        raise DataError(f"{where}: the file is empty")
    _check_header(where, header)
    positions, text_position = select(header)
    blocks: list[np.ndarray] = []
    text: list[str] = []
    count = 0
    while block := list(islice(rows, _BLOCK)):
        for i, row in enumerate(block, start=count + 1):
            if len(row) != len(header):
                raise DataError(f"{where}: row {i} has {len(row)} cells, the header {len(header)}")
        blocks.append(_numbers(where, block, positions, header, count))
        if text_position is not None:
            text.extend(row[text_position].strip() for row in block)
        count += len(block)
    if not count:
        raise DataError(f"{where}: there is a header, and no row below it")
    return Columns(
        [header[j] for j in positions], np.concatenate(blocks), text if text_position is not None else None
    )


def _check_header(where: str, header: list[str]) -> None:
    repeated = [name for name, times in Counter(header).items() if times > 1]
    if repeated:
        raise DataError(
            f"{where}: more than one column is called {', '.join(map(repr, repeated))}; rename them"
        )
    if all(parse(name) is not None for name in header):
        raise DataError(
            f"{where}: the first line holds numbers; a line with the names of the columns is expected there"
        )


def _numbers(
    where: str, block: list[list[str]], positions: list[int], header: list[str], before: int
) -> np.ndarray:
    try:
        return np.array(block, dtype=object)[:, positions].astype(np.float64)
    except ValueError:
        return np.asarray(
            [
                [_number(where, row[j], header[j], before + i + 1) for j in positions]
                for i, row in enumerate(block)
            ]
        )


def _number(where: str, cell: str, column: str, row: int) -> float:
    value = parse(cell)
    if value is None:
        raise DataError(
            f"{where}: column {column!r}, row {row}: {cell!r} is not a number; "
            "leave the column out, or turn its text into numbers first"
        )
    return value


def parse(cell: str) -> float | None:
    """The number in a cell, NaN if it is empty or says so, None if it is text."""
    if cell.strip().lower() in _MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return None
