"""Columns of text as what they are: numbers, truth values, dates or categories, with values missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

import numpy as np

from multimlp.data._csv import is_missing, parse
from multimlp.data._otherwise import EXPECTED, READ, meant
from multimlp.errors import DataError
from multimlp.errors.shown import cut
from multimlp.frames import Meanings

_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?")
_TRUTH = {"true": True, "false": False}
_TRUTH_OR_DIGIT = {**_TRUTH, "1": True, "0": False}


def with_point(cell: str) -> str:
    """A cell whose one comma stands for a point, with that."""
    return cell.replace(",", ".") if cell.count(",") == 1 else cell


def numbers_with_points(cells: Sequence[str]) -> list[str]:
    """Cells of a file in which numbers may have commas, with points where they are numbers then, if more than half of those are that hold
    something; else as they are."""
    changed = [with_point(cell) for cell in cells]
    numbers = [parse(cell) is not None for cell in changed]
    gone = sum(map(is_missing, cells))
    if 2 * (sum(numbers) - gone) <= len(cells) - gone:
        return list(cells)
    return [new if number else cell for cell, new, number in zip(cells, changed, numbers, strict=True)]


class Cells:
    """The cells of a column, added block by block: numbers as long as all are, else text.

    Parameters
    ----------
    where : str
        The file, for messages.
    name : str
        Of the column.
    kind : str, optional
        What it must be, ``"number"``, ``"date"``, ``"boolean"`` or ``"category"``; by default, what its cells look like: numbers,
        true and false, or dates as ISO 8601 writes them, if more than half of them are; then all must be. Else categories.
    comma : bool
        Whether a number may have a comma for its point.
    known : sequence of str
        Categories that there are: a cell is taken for the one that means the same, 7.0 for 7.
    """

    def __init__(
        self, where: str, name: str, kind: str | None = None, comma: bool = False, known: Sequence[str] = ()
    ) -> None:
        self._where, self._name, self._kind, self._comma = where, name, kind, comma
        self._known = Meanings(known)
        self._numbers: list[np.ndarray] | None = None if kind in ("category", "date", "boolean") else []
        self._cells: list[str] = []

    def add(self, cells: Sequence[str], odd: bool) -> None:
        """Add cells; ``odd``: there may be underscores in them, which Python reads over in numbers."""
        self._cells.extend(cells)
        if self._numbers is None:
            return
        if not odd:
            try:
                self._numbers.append(np.array(cells, dtype=np.float64))
                return
            except ValueError:
                pass
        values = {cell: self._parsed(cell) for cell in set(cells)}
        if None in values.values():
            self._numbers = None
        else:
            self._numbers.append(np.asarray([values[cell] for cell in cells], dtype=np.float64))

    def values(self) -> Any:
        """float64 with NaN, datetime64 with NaT, or a list of text or of truth values with None; of nothing at all a list of None."""
        if self._numbers is not None:
            numbers = np.concatenate(self._numbers)
            if self._kind is None and np.isnan(numbers).all():  # of any kind
                return [None] * len(numbers)
            return self._finite(numbers)
        if self._kind == "category":
            return self._categories()
        distinct = dict.fromkeys(self._cells)
        present = [cell for cell in distinct if not is_missing(cell)]
        for kind, reads in self._readers.items():
            if self._kind not in (None, kind):
                continue
            found = {cell: reads(cell) for cell in present}
            wrong = [cell for cell in present if found[cell] is None]
            if not wrong and (present or self._kind is not None):
                return self._made(kind, found)
            if self._kind is not None:
                self._refuse(EXPECTED[kind], wrong[0], ", as the column was in training")
            if self._few(wrong, present):
                self._refuse(EXPECTED[kind], wrong[0], ", as most of the column are")
        known = set(present)
        there = [cell for cell in self._cells if cell in known]
        otherwise, rows = meant(there, present)
        if otherwise is not None:
            unread = (there[row] for row in rows if self._parsed(there[row]) is None)
            self._refuse(READ[otherwise], next(unread), "")
        return self._categories()

    @property
    def _readers(self) -> dict[str, Callable[[str], Any]]:
        truth = _TRUTH if self._kind is None else _TRUTH_OR_DIGIT
        return {
            "number": self._parsed,
            "boolean": lambda cell: truth.get(cell.strip().lower()),
            "date": _moment,
        }

    def _parsed(self, cell: str) -> float | None:
        value = parse(cell)
        return parse(with_point(cell)) if value is None and self._comma else value

    def _few(self, wrong: list[str], present: list[str]) -> bool:
        """Whether less than half of the cells that hold something hold one of these."""
        odd, there = set(wrong), set(present)
        return 2 * sum(cell in odd for cell in self._cells) < sum(cell in there for cell in self._cells)

    def _made(self, kind: str, found: dict[str, Any]) -> Any:
        if kind == "number":
            numbers = np.asarray([found.get(cell, np.nan) for cell in self._cells], dtype=np.float64)
            return self._finite(numbers)
        if kind == "boolean":
            return [found.get(cell) for cell in self._cells]
        gone = np.datetime64("NaT", "us")
        return np.asarray([found.get(cell, gone) for cell in self._cells], dtype="datetime64[us]")

    def _categories(self) -> list[str | None]:
        return [self._category(cell) for cell in self._cells]

    def _category(self, cell: str) -> str | None:
        text = cell.strip()
        return None if is_missing(text) else self._known.of(text)

    def _finite(self, numbers: np.ndarray) -> np.ndarray:
        rows = np.flatnonzero(np.isinf(numbers))
        if len(rows):
            raise DataError(
                f"{self._where}: column {self._name!r}, row {rows[0] + 1}: {numbers[rows[0]]} is not finite; correct the cell or leave "
                "it empty"
            )
        return numbers

    def _refuse(self, expected: str, cell: str, reason: str) -> NoReturn:
        row = self._cells.index(cell) + 1
        advice = "correct the cell or leave it empty"
        if self._kind is None:
            advice += f"; or say that the column holds categories (--categorical {self._name!r}), or leave it out (--drop {self._name!r})"
        raise DataError(
            f"{self._where}: column {self._name!r}, row {row}: {cut(cell, 83)!r} is not {expected}{reason}; {advice}"
        )


def _moment(cell: str) -> np.datetime64 | None:
    """The moment in a cell, in UTC if it says its zone; None if it is none."""
    text = cell.strip()
    if not _DATE.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            found = found.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return np.datetime64(found, "us")
