"""Results as tables and as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.drawing import pyplot, write_svg
from benchmarks.machine import environment
from benchmarks.markdown import table_text
from benchmarks.report import Table, duration
from benchmarks.tabular.ranks import Rank, errors, ranks, time_ratio, wins
from benchmarks.tabular.results import Results

OURS = ("RealMLP", "TabM")


def tables(results: Results) -> list[Table]:
    """Mean ranks, and the errors themselves."""
    return [_ranks(results), _errors(results)]


def _ranks(results: Results) -> Table:
    rows = [
        (
            one.model,
            f"{one.rank:.2f}",
            f"{one.low:.2f} to {one.high:.2f}",
            _calibration(results, one.model),
            duration(one.seconds),
        )
        for one in ranks(results)
    ]
    columns = ("model", "mean rank", "95 %", "calibration error", "fit, median")
    return Table("Models on tables", columns, rows, _remarks(results))


def _errors(results: Results) -> Table:
    models = [one.model for one in ranks(results)]
    names, table = errors(results, models) if models else ([], np.empty((0, 0)))
    rows = []
    for name, line in zip(names, table, strict=True):
        cells = [f"{value:.4g}" for value in line]
        best = int(np.argmin(line))
        cells[best] = f"**{cells[best]}**"
        rows.append((name, *cells))
    return Table("Errors by data set", ("data set", *models), rows)


def _remarks(results: Results) -> tuple[str, ...]:
    """In words: who beats whom, and what could not be measured."""
    said = []
    for ours in OURS:
        for other in ("MLP of scikit-learn", "HistGradientBoosting", f"{ours} of pytabkit"):
            won, of = wins(results, ours, other)
            if of:
                longer = float(f"{time_ratio(results, ours, other):.2g}")
                said.append(
                    f"{ours} has less error than {other} on {won} of {of} data sets, and takes {longer:g} times as long to fit."
                )
    problems = sorted({f"{s.model} on {s.dataset}: {s.problem}" for s in results.scores if s.problem})
    return (*said, *(f"Not measured: {problem}" for problem in problems))


def section(results: Results, picture: str | None) -> str:
    """For the documentation: how it was measured, the tables, the picture (its path seen from the page)."""
    options, machine = results.options, results.machine
    count, threads = options["seeds"], options["threads"]
    first, second = tables(results)
    parts = [
        f"{len(second.rows)} data sets of at most {options['rows']} rows, {count} split{'s' if count > 1 else ''} into "
        f"{1 - options['test_share']:.0%} to learn from and the rest. Errors are 1 - AUC for two classes, the log-loss for more, the root "
        f"mean square error for numbers. {machine['cpu']}, {threads} thread{'s' if threads > 1 else ''}, Python {machine['python']}: "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        + f"{environment(machine)}.",
        table_text(first),
    ]
    if picture is not None:
        parts.append(f"![Mean ranks with intervals]({picture})")
    return "\n\n".join([*parts, table_text(second)]) + "\n"


def draw(results: Results, path: Path) -> Path | None:
    """Mean ranks with intervals, as an SVG; None where there are none."""
    found = ranks(results)
    if not found:
        return None
    plt = pyplot()
    figure, axis = plt.subplots(figsize=(6.4, 0.4 * len(found) + 1.0), layout="constrained")
    for place, one in enumerate(reversed(found)):
        _bar(axis, place, one)
    axis.set_yticks(range(len(found)), [one.model for one in reversed(found)])
    axis.set_xlabel(f"mean rank over {found[0].datasets} data sets, 95 % interval; less is better")
    axis.grid(axis="x", color="#eeeeee")
    write_svg(figure, path)
    plt.close(figure)
    return path


def _bar(axis: object, place: int, one: Rank) -> None:
    color = "#d62728" if one.model in OURS else "#7f7f7f"
    axis.plot([one.low, one.high], [place, place], color=color, linewidth=2)  # type: ignore[attr-defined]
    axis.plot([one.rank], [place], "o", color=color)  # type: ignore[attr-defined]


def _calibration(results: Results, model: str) -> str:
    found = [s.other["calibration"] for s in results.scores if s.model == model and "calibration" in s.other]
    return f"{np.mean(found):.3f}" if found else "-"
