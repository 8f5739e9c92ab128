"""Pictures, for the lessons and for your own work: functions that take and return matplotlib axes.

All are readable in greyscale: what colour tells, a line style, a marker or a hatch tells too. `style` is the
look that they share; `figure` makes a figure in it without a window, `save` writes it as PNG and SVG.
"""

from multimlp.plotting._activation import activation_curve, plot_activation, plot_agreement
from multimlp.plotting._decision import plot_decision_boundary
from multimlp.plotting._gradient_flow import plot_gradient_flow
from multimlp.plotting._history import plot_history
from multimlp.plotting._network import plot_network
from multimlp.plotting._regions import plot_regions
from multimlp.plotting._style import figure, save, style
from multimlp.plotting._sweep import plot_sweep

__all__ = [
    "activation_curve",
    "figure",
    "plot_activation",
    "plot_agreement",
    "plot_decision_boundary",
    "plot_gradient_flow",
    "plot_history",
    "plot_network",
    "plot_regions",
    "plot_sweep",
    "save",
    "style",
]
