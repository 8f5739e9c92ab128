"""The diagram of a network: units as circles, weights as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from multimlp.backend import owner
from multimlp.errors import DataError, InputError
from multimlp.errors.checks import check_whole
from multimlp.mlp import MLP, Params, check_params
from multimlp.plotting._style import LINES, axes_or_new, drawn_in_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DISTANCE = 2.4
_RADIUS = 0.32


@drawn_in_style
def plot_network(mlp: MLP, params: Params | None = None, ax: Axes | None = None, max_units: int = 12) -> Axes:
    """Layers of units and their connections, as the source text draws them.

    Parameters
    ----------
    mlp : MLP
    params : tuple of Dense, optional
        Then a connection's colour and width show its weight: the wider the larger, red and dashed if
        negative.
    ax : matplotlib axes, optional
    max_units : int
        Of a layer with more, the first and the last are drawn, and dots between.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    InputError
        If ``params`` are not those of ``mlp``.
    DataError
        If a weight is NaN or infinite.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp import plotting
    >>> picture, axes = plotting.figure()
    >>> len(plotting.plot_network(mm.MLP(4, 5, 3), ax=axes).patches)
    12
    """
    if params is not None:
        check_params(mlp, params, single=True)
    elif not isinstance(mlp, MLP):
        raise InputError(f"mlp: expected a multimlp.MLP, got {type(mlp).__name__}")
    max_units = check_whole("max_units", max_units, low=2)
    axes = axes_or_new(ax)
    widths = (mlp.in_features, *mlp.hidden, mlp.out_features)
    shown = [_shown(width, max_units) for width in widths]
    heights = [_heights(len(units), len(units) < width) for units, width in zip(shown, widths, strict=True)]
    for i, layer in enumerate(mlp.layers):
        weight = None if params is None else owner(params[i].weight).to_numpy(params[i].weight)
        if weight is not None and not np.isfinite(weight).all():
            raise DataError(f"params[{i}].weight: has NaN or infinities, which no width of a line can show")
        sources = [unit for unit in shown[i] if unit < layer.fan_in]
        _connections(axes, i, heights[i][: len(sources)], heights[i + 1], weight, sources, shown[i + 1])
    floor = min(column.min() for column in heights) - 0.6
    for i, width in enumerate(widths):
        _units(axes, mlp, i, shown[i], heights[i], floor, elided=len(shown[i]) < width)
    if params is not None:
        _key(axes)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.margins(0.04)
    return axes


def _shown(width: int, limit: int) -> list[int]:
    if width <= limit:
        return list(range(width))
    return [*range(limit - limit // 2), *range(width - limit // 2, width)]


def _heights(count: int, elided: bool) -> np.ndarray:
    """From top to bottom, centred; a gap in the middle where units are left out."""
    places = np.arange(count, dtype=float)
    if elided:
        places[count - count // 2 :] += 1.0
    heights: np.ndarray = places.mean() - places
    return heights


def _connections(
    axes: Axes,
    layer: int,
    left: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray | None,
    sources: list[int],
    targets: list[int],
) -> None:
    largest = 1.0 if weight is None else max(float(np.abs(weight).max()), 1e-30)
    for i, source in enumerate(sources):
        for j, target in enumerate(targets):
            share = 0.0 if weight is None else float(weight[source, target]) / largest
            axes.plot(
                [layer * _DISTANCE, (layer + 1) * _DISTANCE],
                [left[i], right[j]],
                color="0.55" if weight is None else _colour(share),
                linestyle="--" if share < 0 else "-",
                linewidth=0.8 if weight is None else 0.4 + 2.4 * abs(share),
                zorder=1,
            )


def _colour(share: float) -> tuple[float, float, float]:
    """Blue for positive, red for negative, paler the smaller."""
    full = np.asarray((0.08, 0.25, 0.55) if share >= 0 else (0.75, 0.15, 0.05))
    red, green, blue = 1 - (0.25 + 0.75 * abs(share)) * (1 - full)
    return float(red), float(green), float(blue)


def _key(axes: Axes) -> None:
    from matplotlib.lines import Line2D

    signs = (("positive weight", 1.0, LINES[0]), ("negative weight", -1.0, LINES[1]))
    lines = [Line2D([], [], color=_colour(share), linestyle=look, label=name) for name, share, look in signs]
    axes.legend(handles=lines, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def _units(
    axes: Axes, mlp: MLP, layer: int, units: list[int], heights: np.ndarray, floor: float, elided: bool
) -> None:
    from matplotlib.patches import Circle

    last = len(mlp.hidden) + 1
    symbol = "x" if layer == 0 else "o" if layer == last else "h"
    title = "input" if layer == 0 else mlp.layers[layer - 1].label
    rule = None if layer == 0 else mlp.layers[layer - 1].activation
    x = layer * _DISTANCE
    for unit, height in zip(units, heights, strict=True):
        face = "0.88" if 0 < layer < last else "white"
        axes.add_patch(Circle((x, height), _RADIUS, facecolor=face, edgecolor="black", zorder=2))
        axes.text(x, height, f"${symbol}_{{{unit + 1}}}$", ha="center", va="center", fontsize=8, zorder=3)
    if elided:
        axes.text(x, 0, "⋮", ha="center", va="center", fontsize=14)
    caption = title if rule is None else f"{title}\n{rule.name}"
    axes.text(x, floor, caption, ha="center", va="top", fontsize=9)
