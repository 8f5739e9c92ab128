"""The report on a terminal: functions by backends, the worst errors, coloured by pass and fail."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from multimlp.errors import missing_dependency
from multimlp.parity.modes import modes
from multimlp.parity.rows import Report, Row

CELLS = "worst error of values and derivatives in eps max(1, |reference|) / of values in ULP"


def figure(value: float) -> str:
    """A number of units in the last place, in few characters."""
    if value != value or value == float("inf"):
        return "wrong"
    if value == 0:
        return "0"
    return f"{value:.1f}" if value < 100 else f"{value:.0e}".replace("e+0", "e").replace("e+", "e")


def grouped(rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, list[Row]]]:
    """Rows by (family, function), the functions of a family together, then by backend."""
    families = list(dict.fromkeys(row.family for row in rows))
    found: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in sorted(rows, key=lambda row: families.index(row.family)):
        found.setdefault((row.family, row.function), {}).setdefault(row.backend, []).append(row)
    return found


def summary(rows: Sequence[Row]) -> str:
    """The worst error of all rows in eps max(1, |reference|), and of the values alone in ULP."""
    worst = max(row.worst_error_in_k for row in rows)
    values = [row.worst_ulp for row in rows if row.aspect in ("value", "portable")]
    return figure(worst) + (f" / {figure(max(values))}" if values else "")


def show(report: Report, against: Sequence[Row] = ()) -> None:
    """Print the tables and the summary on standard output."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        raise missing_dependency("rich", "the parity report on a terminal", "parity") from None
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160)
    for dtype in report.settings["dtypes"]:
        columns = [
            b for b in report.backends if any(r.backend == b and r.dtype == dtype for r in report.rows)
        ]
        table = Table(title=f"{dtype}: {CELLS}", title_justify="left")
        table.add_column("function")
        for name in columns:
            table.add_column(f"{name} {report.versions.get(name, '')}", justify="right")
        rows = [row for row in report.rows if row.dtype == dtype and row.mode != "definition"]
        family = ""
        for (kind, function), by_backend in grouped(rows).items():
            if kind != family and family:
                table.add_section()
            family = kind
            table.add_row(function, *(_cell(by_backend.get(name, [])) for name in columns))
        console.print(table)
    definitions = [row for row in report.rows if row.mode == "definition"]
    if definitions:
        good = sum(row.passed for row in definitions)
        console.print(
            f"definitions against the textbooks' formulas at 50 digits: {good} of {len(definitions)} agree"
        )
    if against:
        good = sum(row.passed for row in against)
        console.print(f"against the other report: {good} of {len(against)} comparisons within tolerance")
    failures = [*report.failures, *(row for row in against if not row.passed)]
    for row in failures:
        console.print(f"[red]FAILED[/red] {describe(row)}", highlight=False)
    console.print(modes(report), highlight=False)
    verdict = (
        f"[red]{len(failures)} out of tolerance[/red]" if failures else "[green]all within tolerance[/green]"
    )
    console.print(
        f"{len(report.rows) + len(against)} comparisons in {report.settings['seconds']} s: {verdict}"
    )


def describe(row: Row) -> str:
    """A failed row in a line."""
    return (
        f"{row.function}, {row.aspect}, {row.backend} {row.device} {row.dtype} {row.mode}: "
        f"{row.worst_error_in_k:.3g} eps at {row.at:.6g}, tolerated {row.limit_in_k:g}. {row.note}"
    ).rstrip()


def _cell(rows: Sequence[Row]) -> str:
    if not rows:
        return "[dim]-[/dim]"
    passed = all(row.passed for row in rows)
    return f"[{'green' if passed else 'bold red'}]{summary(rows)}[/]"
