"""The cost model as a picture: how many times as fast training is on so many processes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.drawing import pyplot, write_svg
from benchmarks.scale.model import LINKS, Step
from benchmarks.scale.results import Results
from multimlp.bench import CASES

_PROCESSES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_COLORS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b")


def draw(results: Results, path: Path) -> Path | None:
    """Write an SVG; None where there is nothing to draw."""
    plt = pyplot()
    backend = next(iter(results.backends()), "")
    steps = {case: step for case in results.cases() if (step := results.model(backend, case)) is not None}
    if not steps:
        return None
    figure, axes = plt.subplots(
        1, len(steps), figsize=(3.1 * len(steps), 3.4), squeeze=False, sharey=True, layout="constrained"
    )
    for axis, (case, step) in zip(axes[0], steps.items(), strict=True):
        _panel(axis, step)
        axis.set_title(CASES[case].title, loc="left", fontsize=9, fontweight="bold")
        axis.set_xlabel("processes")
    axes[0, 0].set_ylabel("times as fast as one process")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    write_svg(figure, path)
    plt.close(figure)
    return path


def _panel(axis: object, step: Step) -> None:
    """Lines for each link, dashed with the update shared out; dotted for networks that do not know of each other."""
    draw = axis.plot  # type: ignore[attr-defined]
    draw(_PROCESSES, _PROCESSES, color="#999999", linestyle=":", label="members of a sweep")
    for color, link in zip(_COLORS, LINKS, strict=False):
        for sharded, style in ((False, "-"), (True, "--")):
            points = [
                (p, s) for p in _PROCESSES if (s := step.speed_up(p, link, sharded=sharded)) is not None
            ]
            label = f"{link.name}{', update shared out' if sharded else ''}"
            draw(*zip(*points, strict=True), color=color, linestyle=style, label=label)
    axis.set_xscale("log", base=2)  # type: ignore[attr-defined]
    axis.set_yscale("log", base=2)  # type: ignore[attr-defined]
    for side in (axis.xaxis, axis.yaxis):  # type: ignore[attr-defined]
        side.set_major_formatter(lambda value, _: f"{value:g}")
        side.set_minor_locator(_none())
    axis.set_ylim(0.25, 600)  # type: ignore[attr-defined]
    axis.grid(color="#eeeeee")  # type: ignore[attr-defined]


def _none() -> object:
    from matplotlib.ticker import NullLocator

    return NullLocator()
