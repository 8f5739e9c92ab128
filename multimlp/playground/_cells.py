"""A picture on the page, and one with colours all over the plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, Range1d
from bokeh.models.widgets import Div
from bokeh.plotting import figure

from multimlp.playground import _colours as colours
from multimlp.playground._settings import Plan

HEIGHT = 270


class Cell:
    """A picture with a line above it that says what it shows."""

    def __init__(self, name: str, x: str, y: str, **options: Any) -> None:
        # no tools: on a phone they would take the finger that wants to scroll
        self.figure = figure(
            name=name, height=HEIGHT, min_width=200, sizing_mode="stretch_width", tools="", toolbar_location=None,
            x_axis_label=x, y_axis_label=y, background_fill_color=None, border_fill_color=None, **options,
        )  # fmt: skip
        self.figure.toolbar.logo = None
        self.figure.outline_line_color = None
        self.figure.axis.axis_label_text_font_style = "normal"
        self.figure.axis.minor_tick_line_color = None
        self.figure.grid.grid_line_alpha = 0.5
        self.caption = Div(name=f"{name}_caption", sizing_mode="stretch_width", margin=0, text="")

    @property
    def roots(self) -> tuple[Any, Any]:
        return self.caption, self.figure

    def settle(self) -> None:
        """Make the legend small; once there is one."""
        legend: Any = self.figure.legend
        legend.background_fill_alpha = 0.7
        legend.border_line_color = None
        legend.label_text_font_size = "11px"
        legend.spacing, legend.padding, legend.margin = 0, 4, 4


class Map(Cell):
    """Colours all over the plane, under the examples."""

    def __init__(self, name: str, examples: ColumnDataSource, x_range: Range1d, y_range: Range1d) -> None:
        super().__init__(name, "", "", x_range=x_range, y_range=y_range)
        self.image = ColumnDataSource(
            {"image": [], "x": [], "y": [], "dw": [], "dh": []}, name=f"{name}_image"
        )
        self.figure.image_rgba(image="image", x="x", y="y", dw="dw", dh="dh", source=self.image)
        self.figure.scatter(
            x="x",
            y="y",
            marker="mark",
            fill_color="colour",
            line_color="white",
            line_width=0.7,
            size=6,
            source=examples,
        )
        self.figure.grid.visible = False

    def paint(self, plan: Plan, pixels: np.ndarray) -> None:
        plane = plan.plane
        width, height = plane.high - plane.low
        self.image.data = {
            "image": [colours.packed(pixels)], "x": [plane.low[0]], "y": [plane.low[1]], "dw": [width], "dh": [height],
        }  # fmt: skip
