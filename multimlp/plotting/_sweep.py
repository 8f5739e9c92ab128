"""The scores of a sweep against its settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from multimlp.errors import InputError
from multimlp.errors.checks import check_items, check_names, refuse
from multimlp.errors.close import did_you_mean
from multimlp.plotting._style import COLOURS, check_axes, drawn_in_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOGARITHMIC_FROM = 20.0
"""Ratio of the largest value to the smallest from which a setting's axis is logarithmic."""


@drawn_in_style
def plot_sweep(
    result: Any, settings: Sequence[str] | None = None, axes: Sequence[Axes] | None = None
) -> list[Axes]:
    """The score of each candidate against each setting, one panel a setting; lines join the best for each value.

    Candidates without a finite score, which have diverged or were not trained, are crosses at the upper edge.

    Parameters
    ----------
    result : SweepResult
    settings : sequence of str, optional
        Which; default: all that have more than one value.
    axes : sequence of matplotlib axes, optional
        One for each; default: those of a new figure.

    Returns
    -------
    list of matplotlib axes

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> X, y = np.eye(4), np.asarray([0, 1, 1, 0])
    >>> grid = {"seed": [0, 1], "learning_rate": [0.001, 0.1]}
    >>> result = mm.sweep(mm.MLP(4, 3, 2), grid, X, y, epochs=2, validation=None, progress=False)
    >>> [(panel.get_xlabel(), panel.get_xscale()) for panel in mm.plotting.plot_sweep(result)]
    [('seed', 'linear'), ('learning_rate', 'log')]
    """
    table, candidates = getattr(result, "table", None), getattr(result, "candidates", None)
    if table is None or candidates is None:
        raise refuse("result", "what multimlp.sweep returns", result)
    known: dict[str, np.ndarray] = candidates.columns
    chosen = [name for name, column in known.items() if len(np.unique(column)) > 1] or list(known)
    if settings is not None:
        chosen = check_names("settings", settings)
        if not chosen:
            raise refuse("settings", f"one or more of {', '.join(known)}", settings)
    for name in chosen:
        if name not in known:
            listed = ", ".join(known)
            raise InputError(
                f"settings: {name!r} is not in the grid, only {listed}{did_you_mean(name, known)}"
            )
    panels = _panels(len(chosen)) if axes is None else check_items("axes", axes, "of axes")
    if len(panels) != len(chosen):
        raise InputError(f"axes: expected {len(chosen)}, one per setting, got {len(panels)}")
    panels = [check_axes(f"axes[{i}]", panel) for i, panel in enumerate(panels)]
    scores = table.column(result.score)
    for panel, name in zip(panels, chosen, strict=True):
        _draw(panel, name, known[name], scores, result.higher_is_better)
        panel.set_ylabel(result.score)
    return panels


def _panels(count: int) -> list[Axes]:
    """Of pyplot, which notebooks and ``pyplot.show`` know."""
    from matplotlib import pyplot

    size = (3.6 * count, 3.0)
    return list(
        pyplot.subplots(1, count, figsize=size, layout="constrained", sharey=True, squeeze=False)[1][0]
    )


def _draw(panel: Axes, name: str, values: np.ndarray, scores: np.ndarray, higher: bool) -> None:
    finite = np.isfinite(scores) & np.isfinite(values)
    panel.scatter(values[finite], scores[finite], s=12, color=COLOURS[0], alpha=0.4, edgecolors="none")
    lost = values[~finite & np.isfinite(values)]
    if lost.size:
        edge = panel.get_xaxis_transform()
        panel.plot(lost, np.full(lost.shape, 0.97), "x", transform=edge, color=COLOURS[0], label="no score")
        panel.legend(loc="center right")
    once = np.unique(values[finite])
    best = [(np.max if higher else np.min)(scores[finite & (values == value)]) for value in once]
    panel.plot(once, best, color=COLOURS[1], marker=".")
    places = np.unique(values[np.isfinite(values)])
    positive = places[places > 0]
    if name != "seed" and len(positive) and positive[-1] / positive[0] >= _LOGARITHMIC_FROM:
        if len(positive) == len(places):
            panel.set_xscale("log")
        else:
            panel.set_xscale("symlog", linthresh=float(positive[0]))
    panel.set_xlabel(name)
