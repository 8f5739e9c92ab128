"""Cells of text that mean a number or a date, and are written as none that is read: they would become categories in silence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_GROUPED = r"\d{1,3}(?P<mark>[,.'’ \u00a0\u202f])\d{3}(?:(?P=mark)\d{3})*(?:[.,]\d+)?"
_PLAIN = r"\d+(?:[.,]\d+)?"
_SIGN, _MONEY = r"[-+(]?\s?", r"[$€£¥]"
_NUMBERS = [
    rf"{_SIGN}{_MONEY}?\s?{_GROUPED}\s?(?:{_MONEY}|%)?\)?",
    rf"{_SIGN}{_MONEY}\s?{_PLAIN}\)?",
    rf"{_SIGN}{_PLAIN}\s?(?:{_MONEY}|%)\)?",
    r"[-+]?\d+,\d+",
]
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_TIME = r"(?:[ T,]+\d{1,2}[:.]\d\d.*)?"
_DATES = [
    rf"(?:\d{{1,2}}[./-]\d{{1,2}}[./-]\d\d(?:\d\d)?|\d{{4}}[./-]\d{{1,2}}[./-]\d{{1,2}}){_TIME}",
    rf"\d{{1,2}}[ .-]*{_MONTH}[ ,.-]*\d{{2,4}}{_TIME}",
    rf"{_MONTH} *\d{{1,2}},? +\d{{4}}{_TIME}",
]
_PATTERNS = {
    kind: [re.compile(pattern, re.ASCII | re.IGNORECASE) for pattern in patterns]
    for kind, patterns in (("date", _DATES), ("number", _NUMBERS))
}
EXPECTED = {
    "number": "a number",
    "date": "a date such as 2024-12-31 or 2024-12-31T23:59:00",
    "boolean": "true or false",
}
"""What a cell of a kind ought to be."""
READ = EXPECTED | {
    "number": "a number as it is read, such as 1234.5: without marks for thousands, currency or per cent",
}
"""The same for one that is of the kind, and written otherwise."""


def meant(cells: Sequence[str], distinct: Iterable[str]) -> tuple[str | None, list[int]]:
    """Which of ``"date"`` and ``"number"`` more than half of cells mean, none of which is missing, and which those are; None for neither.

    Examples
    --------
    >>> from multimlp.data._otherwise import meant
    >>> cells = ["n", "12.31.2024", "1.31.2024"]
    >>> meant(cells, cells)
    ('date', [1, 2])
    """
    for kind, patterns in _PATTERNS.items():
        found = {cell for cell in distinct if any(pattern.fullmatch(cell.strip()) for pattern in patterns)}
        rows = [row for row, cell in enumerate(cells) if cell in found] if found else []
        if 2 * len(rows) > len(cells):
            return kind, rows
    return None, []
