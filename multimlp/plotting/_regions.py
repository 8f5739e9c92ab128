"""Linear regions: the bends along a line, the polygons in a plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from multimlp.errors.checks import check_whole, refuse
from multimlp.plotting._style import COLOURS, axes_or_new, drawn_in_style
from multimlp.structure import LineRegions, PlaneRegions

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@drawn_in_style
def plot_regions(regions: LineRegions | PlaneRegions, ax: Axes | None = None, output: int = 0) -> Axes:
    """A piecewise linear network: along a line with its breakpoints, in a plane as polygons.

    Parameters
    ----------
    regions : LineRegions or PlaneRegions
        From `multimlp.structure.linear_regions`.
    ax : matplotlib axes, optional
    output : int
        Which output; a polygon is the lighter, the larger the output at its middle.

    Returns
    -------
    matplotlib axes

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp import plotting, structure
    >>> mlp = mm.MLP(1, 4, 1)
    >>> regions = structure.linear_regions(mlp, mlp.init(seed=0), [[-1.0], [1.0]])
    >>> picture, axes = plotting.figure()
    >>> plotting.plot_regions(regions, axes).get_xlabel()
    't'
    """
    if not isinstance(regions, (LineRegions, PlaneRegions)):
        raise refuse("regions", "what multimlp.linear_regions returned", regions)
    output = check_whole("output", output, low=0, high=int(regions.offsets.shape[1]) - 1)
    axes = axes_or_new(ax)
    if isinstance(regions, LineRegions):
        knots = np.concatenate([[0.0], regions.breakpoints, [1.0]])
        heights = regions(knots)[:, output]
        axes.plot(knots, heights, color=COLOURS[0], linestyle="-", label="network")
        axes.plot(knots[1:-1], heights[1:-1], "o", color=COLOURS[1], markersize=4, label="bends")
        axes.set_xlabel("t")
        axes.set_ylabel(f"output {output + 1}")
        if len(regions) > 1:
            axes.legend()
        return axes
    from matplotlib.collections import PolyCollection

    middles = np.stack([polygon.mean(axis=0) for polygon in regions.polygons])
    values = regions.offsets[:, output] + np.einsum("ns,ns->n", middles, regions.slopes[:, :, output])
    polygons = PolyCollection(
        regions.polygons, array=values, cmap="Greys_r", edgecolor=COLOURS[1], linewidth=0.8
    )
    axes.add_collection(polygons)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="s", ylabel="t", aspect="equal")
    axes.grid(False)
    axes.figure.colorbar(polygons, ax=axes, label=f"output {output + 1} at the middle of the region")
    return axes
