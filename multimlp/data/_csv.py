"""Strict reading of delimited text: numbers or a message that names the cell.

Python's own reader, a block of rows at a time, so that nothing is guessed: a short row, a stray word or a
repeated name is an error here, and not a column of NaN.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


class Records(NamedTuple):
    """A file that is being read."""

    lines: _Lines
    rows: Iterator[list[str]]
    """The header first."""
    delimiter: str


@contextmanager
def opened_csv(path: str | os.PathLike[str]) -> Iterator[Records]:
    """The rows of a file, compressed by gzip if its name ends in .gz; what is wrong with it becomes a `DataError`.

    The delimiter is the comma, semicolon, tab or bar that is most frequent in the header, outside of quotes, or that which a line before
    it says, ``sep=;``, as spreadsheets write it.
    """
    where = str(path)
    lines = None
    try:
        with _text(path) as file:
            lines = _Lines(where, file)
            first = next(lines, "")
            said = _SAID.fullmatch(first)
            if said is not None:
                first = next(lines, "")
            delimiter = said[1] if said is not None else max(",;\t|", key=_QUOTED.sub("", first).count)
            reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
            yield Records(lines, _records(where, lines, reader), delimiter)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{where}: damaged, or not compressed by gzip: {error}") from None
    except OSError as error:
        raise DataError(f"cannot read {where!r}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise DataError(
            f"{where}: not text in UTF-8 (after line {lines.count if lines else 0}); is it a CSV file? Save it as UTF-8"
        ) from None
    except csv.Error as error:
        raise DataError(
            f"{where}: not a well-formed CSV file (at line {lines.count if lines else 0}): {error}"
        ) from None


_QUOTED = re.compile(r'"[^"]*"')
_SAID = re.compile(r'"?sep=([,;\t|])"?\s*')


def _text(path: str | os.PathLike[str]) -> TextIO:
    if os.fspath(path).endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


def header_of(where: str, records: Records) -> list[str]:
    """The names of the columns, checked."""
    header = [name.strip() for name in next(records.rows, [])]
    if not header:
        raise DataError(f"{where}: the file is empty")
    _check_header(where, header)
    return header


def blocks_of(where: str, records: Records, width: int) -> Iterator[tuple[int, list[list[str]]]]:
    """The rows below the header, some thousands at a time, each time with the number of those before; at least one."""
    count = 0
    while block := list(islice(records.rows, _BLOCK)):
        for i, row in enumerate(block, start=count + 1):
            if len(row) != width:
                raise DataError(f"{where}: row {i} has {len(row)} cells, the header {width}")
        yield count, block
        count += len(block)
    if not count:
        raise DataError(f"{where}: there is a header, and no row below it")


def read_csv(path: str | os.PathLike[str], select: Select) -> Columns:
    """The columns that ``select(header)`` chooses: positions of the numbers, and that of the text or None.

    Rows are counted from 1 without the header.
    """
    where = str(path)
    with opened_csv(path) as records:
        header = header_of(where, records)
        positions, text_position = select(header)
        blocks: list[np.ndarray] = []
        text: list[str] = []
        records.lines.odd = False
        for count, block in blocks_of(where, records, len(header)):
            blocks.append(_numbers(where, block, positions, header, count, records.lines.odd))
            records.lines.odd = False
            if text_position is not None:
                text.extend(row[text_position].strip() for row in block)
    return Columns(
        [header[j] for j in positions], np.concatenate(blocks), text if text_position is not None else None
    )


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
