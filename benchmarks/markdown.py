"""A results file as Markdown: the page with all tables, and the section of docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.machine import environment
from benchmarks.report import Table, quiet, tables, target_table
from benchmarks.results import Results

MORE = "<!-- more tables -->"
"""Stands on the page before the tables that the section does not have, for pages that include them."""
_FIRST = ("Training", "Ensemble")


def page(results: Results, plots: list[Path]) -> str:
    """Everything: the machine, the plots (relative to the page), the tables, the targets."""
    machine = results.machine
    found = tables(results) if machine["gpu"] else [*tables(results), target_table(results)]
    title = f"# Benchmarks on {machine['gpu'] or machine['cpu']}, {machine['cores']} cores"
    first = _first(found)
    others = [table for table in found if table not in first]
    return _joined([title, *_introduction(results), *_pictures(plots), *_texts(first), MORE, *_texts(others)])


def section(results: Results, plots: list[Path]) -> str:
    """That of the documentation: the machine, the plots (relative to its page), what training costs."""
    return _joined([*_introduction(results), *_pictures(plots), *_texts(_first(tables(results)))])


def _first(found: list[Table]) -> list[Table]:
    return [table for table in found if table.title.startswith(_FIRST)]


def _introduction(results: Results) -> list[str]:
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    place = f"{machine['gpu']} beside {machine['cpu']}" if machine["gpu"] else machine["cpu"]
    lines = [
        f"Measured {_day(machine)}on {place}, {machine['cores']} cores, {machine['threads']} threads, {machine['system']}, "
        f"Python {machine['python']}: {versions}{environment(machine)}.",
        "Times are medians over rounds (± half their range); ratios are the time of the peer over ours, so above 1x "
        "multimlp is faster. For the matrix products alone and for a copy the percentage of our time that they "
        "take: 100% is the limit. ✓ target reached, ≈ within noise of it, ✗ missed.",
    ]
    warning = quiet(results)
    return [*lines, f"**{warning[0].upper()}{warning[1:]}.**"] if warning else lines


def _day(machine: dict[str, Any]) -> str:
    return f"{machine['measured'][:10]} " if "measured" in machine else ""


def _pictures(plots: list[Path]) -> list[str]:
    return [f"![{path.stem}]({path.as_posix()})" for path in plots]


def _texts(found: list[Table]) -> list[str]:
    return [table_text(table) for table in found if table.rows]


def _joined(parts: list[str]) -> str:
    return "\n\n".join(parts) + "\n"


def table_text(table: Table) -> str:
    rows = [table.columns, tuple("---" for _ in table.columns), *table.rows]
    body = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
    remarks = "".join(f"\n\n{remark}" for remark in table.remarks)
    return f"### {table.title}\n\n{body}{remarks}"
