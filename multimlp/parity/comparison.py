"""Two reports side by side: for backends that cannot share a process, and for versions of one backend."""

from __future__ import annotations

import numpy as np

from multimlp.errors import InputError
from multimlp.parity.formats import FORMATS
from multimlp.parity.rows import Report, Row


def compare(here: Report, there: Report) -> list[Row]:
    """A row for each function, aspect, dtype and pair of backends: the largest difference on the grid.

    Tolerated is the sum of what each may be off from the truth.

    Raises
    ------
    InputError
        If the two have nothing in common.
    """
    limits = {
        _key(row): row.limit_in_k
        for report in (here, there)
        for row in report.rows
        if row.mode != "definition"
    }
    theirs: dict[str, list[str]] = {}
    for key in there.results:
        asked, _, backend = key.rpartition("|")
        if backend != "mpmath":
            theirs.setdefault(asked, []).append(key)
    rows = []
    for key, result in here.results.items():
        asked, _, backend = key.rpartition("|")
        function, _, dtype = asked.split("|")
        grid = f"{function}|{dtype}"
        if backend != "mpmath" and np.array_equal(here.grids[grid], there.grids.get(grid, [])):
            rows += [
                _row(here, key, other, result, there.results[other], limits)
                for other in theirs.get(asked, [])
            ]
    if not rows:
        raise InputError(
            "--against: the two reports have no grid in common; run both with --quick, or both without"
        )
    return rows


def _key(row: Row) -> str:
    return f"{row.function}|{row.aspect}|{row.dtype}|{row.backend}"


def _row(
    here: Report, key: str, other_key: str, a: np.ndarray, b: np.ndarray, limits: dict[str, float]
) -> Row:
    function, aspect, dtype, backend = key.split("|")
    other = other_key.rpartition("|")[2]
    form = FORMATS[dtype]
    with np.errstate(invalid="ignore"):
        difference = np.where((a == b) | ((a != a) & (b != b)), 0.0, np.abs(a - b))
    size = np.where((a != a) & (b != b), 0.0, np.maximum(np.abs(a), np.abs(b)))  # nothing is demanded there
    k = difference / (form.eps * np.maximum(1.0, size))
    worst = int(np.argmax(np.nan_to_num(k, nan=np.inf)))
    limit = limits[key] + limits[other_key]
    return Row(
        function, "against", aspect, f"{backend} / {other}", "", dtype, "eager", float(k[worst]), limit,
        float((difference / form.spacing(size)).max()), float(here.grids[f"{function}|{dtype}"][worst]),
        bool(k[worst] <= limit),
    )  # fmt: skip
