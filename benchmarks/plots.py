"""Two pictures: who needs how long for a step, and how our time grows with size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.drawing import pyplot, write_svg
from benchmarks.implementations import ROLES
from benchmarks.results import Curve, Results
from multimlp.bench import CASES

_STYLES: dict[str, tuple[str, str]] = {
    "products": ("#9a9a9a", "|"),
    "ours": ("#d62728", "D"),
    "best": ("#2ca02c", "o"),
    "loop": ("#1f77b4", "o"),
    "keras": ("#9467bd", "s"),
    "sklearn": ("#ff7f0e", "^"),
}
_COLORS = {
    "numpy": "#1f77b4",
    "torch": "#d62728",
    "jax": "#2ca02c",
    "tensorflow": "#ff7f0e",
    "cupy": "#9467bd",
}


def draw(results: Results, stem: Path) -> list[Path]:
    """Write ``<stem>-training`` and ``<stem>-growth`` as SVG and PNG, as far as there are data; the SVG paths."""
    pyplot()  # chooses how all of them are drawn
    written = []
    cases = [name for name in CASES if any(one.case == name and one.counts for one in results.measurements)]
    if cases:
        written.append(_save(_training(results, cases), stem, "training"))
    if any(len(curve.sizes) > 1 for curve in results.curves):
        written.append(_save(_growth(results.curves), stem, "growth"))
    return written


def _save(figure: Any, stem: Path, name: str) -> Path:
    path = write_svg(figure, stem.with_name(f"{stem.name}-{name}.svg"))
    figure.savefig(path.with_suffix(".png"), bbox_inches="tight", facecolor="white", dpi=110)
    return path


def _training(results: Results, cases: list[str]) -> Any:
    """A panel a case, a line a backend, a mark for each way to train; logarithmic, shorter is better."""
    import matplotlib.pyplot as plt

    backends = [name for name in results.backends() if any(results.find(c, name, "ours") for c in cases)]
    figure, axes = plt.subplots(
        len(cases),
        1,
        figsize=(8.5, (0.28 * len(backends) + 0.75) * len(cases) + 0.8),
        squeeze=False,
        layout="constrained",
    )
    for axis, case in zip(axes[:, 0], cases, strict=True):
        _panel(axis, results, case, backends)
    axes[-1, 0].set_xlabel("time of a step (logarithmic, further left is faster)")
    marks = [_mark(axes[0, 0], [], [], role) for role in _STYLES]
    figure.legend(
        marks, [ROLES[role] for role in _STYLES], loc="outside upper center", ncols=len(_STYLES), frameon=False,
        handletextpad=0.2, columnspacing=1.2,
    )  # fmt: skip
    return figure


def _panel(axis: Any, results: Results, case: str, backends: list[str]) -> None:
    for line, backend in enumerate(backends):
        found = {role: one for role in _STYLES if (one := results.find(case, backend, role)) is not None}
        if not found:
            continue
        medians = [one.median for one in found.values()]
        axis.plot([min(medians), max(medians)], [line, line], color="#dddddd", linewidth=2, zorder=1)
        for role, one in found.items():
            _mark(axis, [one.median], [line], role)
    axis.set_xscale("log")
    _time_ticks(axis.xaxis)
    axis.set_yticks(range(len(backends)), backends)
    axis.set_ylim(len(backends) - 0.5, -0.5)
    axis.set_title(f"{case}: {CASES[case].title}", loc="left", fontsize=10, fontweight="bold")
    axis.grid(axis="x", color="#eeeeee")
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)


def _mark(axis: Any, x: list[float], y: list[int], role: str) -> Any:
    color, shape = _STYLES[role]
    size = 70 if role in ("ours", "products") else 42
    return axis.scatter(
        x,
        y,
        color=color,
        marker=shape,
        s=size,
        zorder=4 if role == "ours" else 3,
        linewidths=2 if shape == "|" else 0.5,
    )


def _time_ticks(axis: Any) -> None:
    """Round times at 1, 2 and 5 where a decade is wide, at powers of ten where many are shown."""
    from matplotlib.ticker import LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    subdivisions = (1.0, 2.0, 5.0) if high < 100 * low else (1.0,)
    axis.set_major_locator(LogLocator(10, subs=subdivisions))
    axis.set_major_formatter(lambda value, _: _short(value))
    axis.set_minor_formatter(NullFormatter())


def _short(seconds: float) -> str:
    for scale, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= scale * 0.999:
            return f"{seconds / scale:g} {unit}"
    return f"{seconds * 1e9:g} ns"


def _growth(curves: list[Curve]) -> Any:
    """A panel for each size that is doubled, a line a backend; logarithmic."""
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(curve.axis for curve in curves))
    figure, axes = plt.subplots(
        1, len(names), figsize=(3.1 * len(names), 3.1), squeeze=False, layout="constrained"
    )
    for axis, name in zip(axes[0], names, strict=True):
        for curve in (one for one in curves if one.axis == name):
            fitted = "" if curve.exponent is None else f" ^{curve.exponent:.2f}"
            color = _COLORS.get(curve.backend)
            axis.plot(
                curve.sizes,
                curve.seconds,
                marker="o",
                markersize=3.5,
                color=color,
                label=curve.backend + fitted,
            )
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.xaxis.minorticks_off()
        _time_ticks(axis.yaxis)
        axis.tick_params(axis="x", rotation=45)
        axis.set_title(name, loc="left", fontsize=10, fontweight="bold")
        unit = next(curve.unit for curve in curves if curve.axis == name)
        axis.set_ylabel(f"time of {'an' if unit == 'epoch' else 'a'} {unit}")
        axis.grid(color="#eeeeee")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(fontsize=8, frameon=False)
    return figure
