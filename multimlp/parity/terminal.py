"""The report on a terminal: functions by backends, the worst errors, coloured by pass and fail."""

from __future__ import annotations

from collections.abc import Sequence

from multimlp._terminal import Coloured, print_table, print_text
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
    for dtype in report.settings["dtypes"]:
        names = [b for b in report.backends if any(r.backend == b and r.dtype == dtype for r in report.rows)]
        rows = [row for row in report.rows if row.dtype == dtype and row.mode != "definition"]
        lines: list[list[object] | None] = []
        family = ""
        for (kind, function), by_backend in grouped(rows).items():
            if kind != family and family:
                lines.append(None)
            family = kind
            lines.append(
                [function.replace("(", " (", 1), *(_cell(by_backend.get(name, [])) for name in names)]
            )
        print_table(["function", *names], lines, f"{dtype}: {CELLS}")
        print()
    definitions = [row for row in report.rows if row.mode == "definition"]
    if definitions:
        good = sum(row.passed for row in definitions)
        print_text(
            f"definitions against the textbooks' formulas at 50 digits: {good} of {len(definitions)} agree"
        )
    if against:
        good = sum(row.passed for row in against)
        print_text(f"against what was made elsewhere: {good} of {len(against)} comparisons within tolerance")
    failures = [*report.failures, *(row for row in against if not row.passed)]
    for row in failures:
        print_text(f"FAILED {describe(row)}", "red")
    print_text(", ".join(f"{name} {version}".rstrip() for name, version in report.versions.items()))
    print_text(modes(report))
    verdict = f"{len(failures)} out of tolerance" if failures else "all within tolerance"
    print_text(
        f"{len(report.rows) + len(against)} comparisons in {report.settings['seconds']} s: {verdict}",
        "red" if failures else "green",
    )


def describe(row: Row) -> str:
    """A failed row in a line."""
    return (
        f"{row.function}, {row.aspect}, {row.backend} {row.device} {row.dtype} {row.mode}: "
        f"{row.worst_error_in_k:.3g} eps at {row.at:.6g}, tolerated {row.limit_in_k:g}. {row.note}"
    ).rstrip()


def _cell(rows: Sequence[Row]) -> str | None:
    if not rows:
        return None
    return Coloured(summary(rows).replace(" / ", "/"), "green" if all(row.passed for row in rows) else "red")
