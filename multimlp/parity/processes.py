"""The training runs of the report on several processes: the numbers of one, the same bits each time, and with shards those of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from multimlp.backend import load_backend
from multimlp.distributed import run
from multimlp.errors import InputError
from multimlp.parity.formats import FORMATS
from multimlp.parity.plan import Plan
from multimlp.parity.rows import Report, Row
from multimlp.parity.training import RECIPES, Recipe, trained

LIMIT = 1e-12
"""Relative to the largest parameter."""
PIECES = 2
"""Shards a process."""


class Runs(NamedTuple):
    """The parameters that a recipe ends with in one process: of two runs, and of one with shards."""

    first: np.ndarray
    again: np.ndarray
    sharded: np.ndarray


def compare(plan: Plan, processes: int, note: Callable[[str], None]) -> Report:
    """Train every recipe on so many processes and on one, on each backend of the plan.

    Parameters
    ----------
    plan : Plan
        Of which backends and functions count.
    processes : int
    note : callable
        Told what is trained next.

    Raises
    ------
    InputError
        If no training run has such a name.
    """
    started = time.perf_counter()
    recipes = [recipe for recipe in RECIPES if plan.wants(recipe.label) or plan.wants("fit")]
    if not recipes:
        names = ", ".join(recipe.label for recipe in RECIPES)
        raise InputError(f"function: no training run fits {', '.join(plan.functions)}; there are: {names}")
    rows: list[Row] = []
    for name in plan.backends:
        note(f"training on {processes} processes, {name}")
        rows += _rows(name, recipes, processes)
    return Report(
        rows=rows,
        versions={name: load_backend(name).version for name in plan.backends},
        settings={
            "dtypes": ["float64"],
            "processes": processes,
            "seconds": round(time.perf_counter() - started, 1),
        },
    )


def in_one_process(recipes: Sequence[Recipe], backend: str, shards: int) -> list[Runs]:
    """What one of the processes makes of the recipes."""

    def runs(recipe: Recipe) -> Runs:
        first, again = (trained(recipe, backend, None, devices="all") for _ in range(2))
        return Runs(first, again, trained(recipe, backend, None, devices="all", shards=shards))

    return [runs(recipe) for recipe in recipes]


def _rows(backend: str, recipes: Sequence[Recipe], processes: int) -> Iterator[Row]:
    shards = PIECES * processes
    try:
        everyone = run(in_one_process, processes, backend, (recipes, backend, shards))
    except Exception as error:
        text = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
        yield from (_row(recipe, backend, processes, "parameters", np.inf, 0.0, text) for recipe in recipes)
        return
    for number, recipe in enumerate(recipes):
        first, *others = (one[number] for one in everyone)
        alone = trained(recipe, backend, None)
        off = _apart(first.first, alone)
        yield _row(recipe, backend, processes, "parameters", off, LIMIT, f"relative {off:.1e}")
        same = [first.again, *(other.first for other in others)]
        off = max(_apart(one, first.first) for one in same)
        yield _row(recipe, backend, processes, "again, and on all processes", off, 0.0)
        sharded = trained(recipe, backend, None, shards=shards)
        off = max(_apart(one.sharded, sharded) for one in (first, *others))
        yield _row(recipe, backend, processes, f"{shards} shards", off, 0.0)


def _apart(found: np.ndarray, expected: np.ndarray) -> float:
    off = float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))
    return off if np.isfinite(off) else np.inf


def _row(
    recipe: Recipe, backend: str, processes: int, aspect: str, off: float, limit: float, note: str = ""
) -> Row:
    eps = FORMATS["float64"].eps
    device = load_backend(backend).devices()[0]
    return Row(
        recipe.label, "training", aspect, backend, device, "float64", f"{processes} processes",
        off / eps, limit / eps, off / eps, 0.0, off <= limit, note,
    )  # fmt: skip


def render(report: Report) -> str:
    """The section of Markdown: how far processes are from one, by recipe and backend.

    Examples
    --------
    >>> from multimlp.parity.processes import render
    >>> from multimlp.parity.rows import Report
    >>> render(Report(settings={"processes": 2})).splitlines()[0]
    '## On 2 processes'
    """
    processes = report.settings["processes"]
    columns = list(dict.fromkeys(row.backend for row in report.rows))
    bits = [row for row in report.rows if row.aspect != "parameters"]
    unlike = [row for row in bits if not row.passed]
    lines = [
        f"## On {processes} processes",
        "",
        f"`multimlp parity --processes {processes}` trains each run on {processes} processes and on one, "
        f"{', '.join(f'{name} {version}'.rstrip() for name, version in report.versions.items())}. Largest difference of the "
        f"parameters, relative to the largest parameter; {LIMIT:g} is tolerated:",
        "",
        f"| run | {' | '.join(columns)} |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for label in dict.fromkeys(row.function for row in report.rows):
        cells = [_cell(report.rows, label, name) for name in columns]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    verdict = (
        f"the same bits in all {len(bits)} comparisons"
        if not unlike
        else f"other bits in {len(unlike)} of {len(bits)} comparisons"
    )
    lines += [
        "",
        f"Run again, on each of the processes, and in {PIECES * processes} shards on one process: {verdict}.",
    ]
    return "\n".join(lines) + "\n"


def _cell(rows: Sequence[Row], label: str, backend: str) -> str:
    eps = FORMATS["float64"].eps
    found: Any = [r for r in rows if (r.function, r.backend, r.aspect) == (label, backend, "parameters")]
    if not found:
        return "-"
    off = found[0].worst_error_in_k * eps
    return f"{off:.1e}" if np.isfinite(off) else "failed"
