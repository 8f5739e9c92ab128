"""Strict reading of delimited text: numbers or a message that names the cell.

Python's own reader, a block of rows at a time, so that nothing is guessed: a short row, a stray word or a
repeated name is an error here, and not a column of NaN.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import NamedTuple, TextIO

import numpy as np

from multimlp.errors import DataError
from multimlp.errors.shown import cut

_BLOCK = 4096
_LONGEST_LINE = 16 << 20
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
            lines = _Lines(where, file)
            first = next(lines, "")
            delimiter = max(",;\t", key=first.count)
            reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
            return _read(where, lines, _records(where, lines, reader), select)
    except OSError as error:
        raise DataError(f"cannot read {where!r}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise DataError(
            f"{where}: not text in UTF-8 (after line {lines.count}); is it a CSV file? Save it as UTF-8"
        ) from None
    except csv.Error as error:
        raise DataError(f"{where}: not a well-formed CSV file (at line {lines.count}): {error}") from None


class _Lines:
    """The lines of a file, looked at as a whole before they are cut into cells, which is cheaper than cell by cell."""

    def __init__(self, where: str, file: TextIO) -> None:
        self._where, self._file = where, file
        self.count = 0
        self.odd = False
        """Whether there was an underscore, which Python reads over in numbers (2024_01 is 202401 to it), and nobody else does."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(_LONGEST_LINE)
        if not line:
            raise StopIteration
        self.count += 1
        if "_" in line:
            self.odd = True
        if "\0" in line:
            raise DataError(
                f"{self._where}: line {self.count} has a NUL byte, so it is no CSV file in UTF-8; is it UTF-16? Save it as UTF-8"
            )
        if len(line) == _LONGEST_LINE:
            raise DataError(f"{self._where}: line {self.count} has more than {_LONGEST_LINE} characters")
        return line


def _records(where: str, lines: _Lines, reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows, blank lines passed over, but for those that are a missing value between others: of the one column that there is."""
    width, blank = 0, 0
    for row in reader:
        if not row:
            blank = lines.count
            continue
        if blank and width == 1:
            raise DataError(
                f"{where}: line {blank} is empty, so the value of its row is missing; drop the line or fill it"
            )
        width, blank = width or len(row), 0
        yield row


def _read(where: str, lines: _Lines, rows: Iterator[list[str]], select: Select) -> Columns:
    header = [name.strip() for name in next(rows, [])]
    if not header:
        raise DataError(f"{where}: the file is empty")
    _check_header(where, header)
    positions, text_position = select(header)
    blocks: list[np.ndarray] = []
    text: list[str] = []
    count, lines.odd = 0, False
    while block := list(islice(rows, _BLOCK)):
        for i, row in enumerate(block, start=count + 1):
            if len(row) != len(header):
                raise DataError(f"{where}: row {i} has {len(row)} cells, the header {len(header)}")
        blocks.append(_numbers(where, block, positions, header, count, lines.odd))
        lines.odd = False
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
            f"{where}: more than one column is called {', '.join(map(repr, repeated[:8]))}; rename them"
        )
    if all(parse(name) is not None for name in header):
        raise DataError(
            f"{where}: the first line holds numbers; a line with the names of the columns is expected there"
        )


def _numbers(
    where: str, block: list[list[str]], positions: list[int], header: list[str], before: int, odd: bool
) -> np.ndarray:
    if not odd:
        try:
            return np.array(block, dtype=object)[:, positions].astype(np.float64)
        except ValueError:
            pass
    rows = [
        [_number(where, row[j], header[j], before + i + 1) for j in positions] for i, row in enumerate(block)
    ]
    return np.asarray(rows, dtype=np.float64).reshape(len(block), len(positions))


def _number(where: str, cell: str, column: str, row: int) -> float:
    value = parse(cell)
    if value is None:
        raise DataError(
            f"{where}: column {column!r}, row {row}: {cut(cell, 83)!r} is not a number; "
            "leave the column out, or turn its text into numbers first"
        )
    return value


def is_missing(cell: str) -> bool:
    """Whether a cell is empty or says that its value is missing."""
    return cell.strip().lower() in _MISSING


def parse(cell: str) -> float | None:
    """The number in a cell, NaN if it is empty or says so, None if it is text."""
    if is_missing(cell):
        return float("nan")
    if "_" in cell:
        return None
    try:
        return float(cell)
    except ValueError:
        return None
