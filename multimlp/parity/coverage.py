"""What exactly was compared, as a table: how many comparisons of each kind on each backend, in each mode and dtype."""

from __future__ import annotations

from collections.abc import Iterator

from multimlp.parity.rows import Report, Row

SLOPES = ("derivative", "autodiff", "portable autodiff", "second", "jet", "slopes at infinity")


def _is_slope(row: Row) -> bool:
    return row.aspect in SLOPES or row.function in ("grad", "vjp", "jvp", "jacobian", "hessian", "hvp")


def coverage(report: Report) -> Iterator[str]:
    """Lines of Markdown: ``values + derivatives`` by kind.

    Examples
    --------
    >>> from multimlp.parity import Plan, run
    >>> from multimlp.parity.coverage import coverage
    >>> report = run(Plan(("numpy",), ("relu", "mse"), ("float32",), quick=True))
    >>> print(*list(coverage(report))[2:], sep="\\n")
    | backend | mode | dtype | activation | loss |
    | --- | --- | --- | ---: | ---: |
    | numpy | eager | float32 | 2 + 5 | 1 + 2 |
    | definitions | textbook | 50 digits | 1 + 3 | 2 + 1 |
    <BLANKLINE>
    """
    families = list(dict.fromkeys(row.family for row in report.rows))
    places: dict[tuple[str, str, str], dict[str, list[Row]]] = {}
    for row in report.rows:
        is_definition = row.mode == "definition"
        where = (
            ("definitions", "textbook", "50 digits") if is_definition else (row.backend, row.mode, row.dtype)
        )
        places.setdefault(where, {}).setdefault(row.family, []).append(row)
    yield "Comparisons of values + of derivatives, by kind:"
    yield ""
    yield f"| backend | mode | dtype | {' | '.join(families)} |"
    yield "| --- | --- | --- |" + " ---: |" * len(families)
    for where, by_family in places.items():
        cells = (_count(by_family.get(family, [])) for family in families)
        yield f"| {' | '.join(where)} | {' | '.join(cells)} |"
    yield ""


def _count(rows: list[Row]) -> str:
    slopes = sum(_is_slope(row) for row in rows)
    values = len(rows) - slopes
    return " + ".join(str(n) for n in (values, slopes) if n) or "-"
