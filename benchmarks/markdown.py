"""The benchmark section of the README, from a results file."""

from __future__ import annotations

from pathlib import Path

from benchmarks.report import Table, quiet, tables
from benchmarks.results import Results


def render(results: Results, plots: list[Path]) -> str:
    """Markdown: the machine, the plots, the tables.

    Parameters
    ----------
    results : Results
    plots : list of Path
        Shown above the tables; relative to the README.
    """
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    place = f"{machine['gpu']} beside {machine['cpu']}" if machine["gpu"] else machine["cpu"]
    lines = [
        f"Measured on {place}, {machine['cores']} cores, {machine['threads']} threads, {machine['system']}, "
        f"Python {machine['python']}: {versions}.",
        "Times are medians over rounds (± half their range); ratios are the time of the peer over ours, so above 1x "
        "multimlp is faster. For the matrix products alone and for a copy the percentage of our time that they "
        "take: 100% is the limit. ✓ target reached, ≈ within noise of it, ✗ missed.",
    ]
    warning = quiet(results)
    if warning:
        lines.append(f"**{warning[0].upper()}{warning[1:]}.**")
    lines += [f"![{path.stem}]({path.as_posix()})" for path in plots]
    lines += [_table(table) for table in tables(results) if table.rows]
    return "\n\n".join(lines) + "\n"


def _table(table: Table) -> str:
    rows = [table.columns, tuple("---" for _ in table.columns), *table.rows]
    body = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
    remarks = "".join(f"\n\n{remark}" for remark in table.remarks)
    return f"### {table.title}\n\n{body}{remarks}"
