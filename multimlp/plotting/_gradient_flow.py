"""Gradient norms against the layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from multimlp.errors.checks import refuse
from multimlp.plotting._style import COLOURS, LINES, MARKERS, axes_or_new, drawn_in_style
from multimlp.structure import GradientFlow

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@drawn_in_style
def plot_gradient_flow(flows: GradientFlow | Mapping[str, GradientFlow], ax: Axes | None = None) -> Axes:
    """The norm of the loss's gradient in each layer, on a logarithmic scale: flat is healthy.

    A logarithmic scale has no place for 0: the legend says which layers have none, or a NaN.

    Parameters
    ----------
    flows : GradientFlow, or mapping of label to GradientFlow
        From `multimlp.structure.gradient_flow`.
    ax : matplotlib axes, optional

    Returns
    -------
    matplotlib axes

    Examples
    --------
    >>> from multimlp import plotting
    >>> from multimlp.structure import GradientFlow
    >>> flow = GradientFlow(1.0, (0.1, 0.2), (0.0, 0.0), (1.0, 1.0))
    >>> picture, axes = plotting.figure()
    >>> plotting.plot_gradient_flow({"mine": flow}, axes).get_yscale()
    'log'
    """
    from matplotlib.ticker import MaxNLocator

    given = {"": flows} if isinstance(flows, GradientFlow) else flows
    if not isinstance(given, Mapping) or not all(isinstance(flow, GradientFlow) for flow in given.values()):
        raise refuse("flows", "a GradientFlow, or a mapping of labels to these", flows)
    axes = axes_or_new(ax)
    for i, (label, flow) in enumerate(given.items()):
        layers = range(1, len(flow.weight_norms) + 1)
        axes.plot(
            layers,
            [norm if norm > 0 else math.nan for norm in flow.weight_norms],
            color=COLOURS[i % len(COLOURS)],
            linestyle=LINES[i % len(LINES)],
            marker=MARKERS[i % len(MARKERS)],
            markersize=4,
            label=label + _missing(flow.weight_norms, bool(label)),
        )
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("layer, from the input")
    axes.set_ylabel("norm of dL/dW")
    if axes.get_legend_handles_labels()[1]:
        axes.legend()
    return axes


def _missing(norms: Sequence[float], labelled: bool) -> str:
    """Which layers are not on the picture, for a legend."""
    kinds: dict[str, list[str]] = {"0": [], "not finite": []}
    for layer, norm in enumerate(norms, 1):
        if not math.isfinite(norm) or norm <= 0:
            kinds["0" if norm == 0 else "not finite"].append(str(layer))
    said = "; ".join(
        f"{kind} in layer{'s' * (len(layers) > 1)} {', '.join(layers)}"
        for kind, layers in kinds.items()
        if layers
    )
    return f"{': ' if labelled else ''}{said}" if said else ""
