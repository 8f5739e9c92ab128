"""The pictures on the page, and how a frame gets into them."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, Range1d

from multimlp.errors.shown import cut
from multimlp.playground import _colours as colours
from multimlp.playground._cells import Cell, Map
from multimlp.playground._pictures import CURVE, Picture
from multimlp.playground._session import Frame
from multimlp.playground._settings import Place, Plan

MOST_POINTS = 600
"""Examples that are drawn."""
SIDES = ("#14213d", "#c1440e")
"""The colours of the first backend and the second."""


class Figures:
    """All pictures of a page."""

    def __init__(self) -> None:
        self._plan: Plan | None = None
        self._x, self._y = Range1d(start=0, end=1), Range1d(start=0, end=1)
        self._epochs, self._height = Range1d(start=0, end=1), Range1d(start=0, end=1)
        self._gap = Range1d(start=1e-16, end=1)
        self._examples = ColumnDataSource({"x": [], "y": [], "colour": [], "mark": []}, name="examples")
        self.decisions = [
            Map(name, self._examples, self._x, self._y) for name in ("decision", "other_decision")
        ]
        self.difference = Map("difference", self._examples, self._x, self._y)
        self._losses, self.loss = self._loss()
        self._flows, self.flow = self._flow()
        self._regions, self.regions = self._region()
        self._curves, self.curves = self._curve()
        self._apart, self.apart = self._divergence()

    @property
    def roots(self) -> list[Any]:
        """The models that the page's template places."""
        cells = [
            *self.decisions,
            self.difference,
            self.loss,
            self.flow,
            self.regions,
            self.curves,
            self.apart,
        ]
        return [model for cell in cells for model in cell.roots]

    def show(self, plan: Plan, frame: Frame) -> None:
        """Draw a frame; its plan, too, if it is another one."""
        if plan is not self._plan:
            self._plan = plan
            self._show_examples(plan)
        for cell, picture, place in zip(self.decisions, frame.pictures, _places(plan), strict=False):
            cell.paint(plan, _decision_colours(plan, picture))
            cell.caption.text = f"<b>{place}</b>: {_score(plan, picture)}<br>{_key(plan)}"
        if frame.difference is not None:
            self.difference.paint(plan, colours.of_differences(frame.difference.decision))
            largest = float(frame.difference.decision.max())
            self.difference.caption.text = (
                f"the two differ by at most <b>{largest:.2g}</b> here, where it is darkest"
            )
        self._show_lines(plan, frame)
        self._show_regions(plan, frame)
        self._curves.data = {
            "x": [CURVE] * (2 * len(frame.curves)),
            "y": [array for curve in frame.curves for array in (curve.value, curve.derivative)],
            "colour": [colours.CLASSES[i % 10] for i in range(len(frame.curves)) for _ in range(2)],
            "dash": ["solid", "dashed"] * len(frame.curves),
            "name": [name for curve in frame.curves for name in (curve.name, f"{curve.name}, derivative")],
        }

    def _show_examples(self, plan: Plan) -> None:
        plane = plan.plane
        self._x.start, self._x.end = plane.low[0], plane.high[0]
        self._y.start, self._y.end = plane.low[1], plane.high[1]
        targets = plane.targets[:MOST_POINTS]
        if plan.dataset.classes is None:
            fill = colours.hexadecimal(colours.of_values(targets, *_range(plan)))
            marks = [colours.MARKS[0]] * len(targets)
        else:
            fill = [colours.CLASSES[t % len(colours.CLASSES)] for t in targets]
            marks = [colours.MARKS[t % len(colours.MARKS)] for t in targets]
        points = plane.points[:MOST_POINTS]
        self._examples.data = {"x": points[:, 0], "y": points[:, 1], "colour": fill, "mark": marks}
        for cell in (*self.decisions, self.difference, self.regions):
            cell.figure.xaxis.axis_label, cell.figure.yaxis.axis_label = plane.labels
        names = [str(place) for place in _places(plan)]
        for cell in (self.loss, self.flow):
            legend: Any = cell.figure.legend[0]
            for item, shown in zip(legend.items, _legend(cell, names), strict=True):
                item.update(label={"value": shown or " "}, visible=bool(shown))

    def _show_lines(self, plan: Plan, frame: Frame) -> None:
        for i, (losses, flows) in enumerate(zip(self._losses, self._flows, strict=True)):
            picture = frame.pictures[i] if i < len(frame.pictures) else None
            history = {} if picture is None else picture.history
            loss = history.get("loss", [])
            losses.data = {
                "epoch": np.arange(1, len(loss) + 1),
                "loss": loss,
                "val_loss": history.get("val_loss", []),
            }
            norms = () if picture is None else picture.flow.weight_norms
            flows.data = {"layer": np.arange(1, len(norms) + 1), "norm": _positive(norms)}
        shown = [
            picture.history[key]
            for picture in frame.pictures
            for key in ("loss", "val_loss")
            if key in picture.history
        ]
        self._epochs.end = max([10, *map(len, shown)])
        self._height.end = 1.05 * max((max(values) for values in shown), default=1.0)
        if frame.pictures:
            first = frame.pictures[0]
            self.loss.caption.text = _loss_said(first)
            self.flow.caption.text = f"norm of the loss's gradient in each layer: <b>{first.flow.verdict}</b>"
        epochs, differences = [e for e, _ in frame.differences], [d for _, d in frame.differences]
        self._apart.data = {"epoch": epochs, "difference": _positive(differences)}
        if differences:
            largest = (
                f"differ by at most <b>{differences[-1]:.2g}</b>"
                if differences[-1]
                else "are <b>equal</b>, bit by bit"
            )
            self.apart.caption.text = f"the parameters {largest}"
        positive = [value for value in differences if value > 0]
        self._gap.start, self._gap.end = min(positive, default=1e-16) / 2, 2 * max(positive, default=1e-15)

    def _show_regions(self, plan: Plan, frame: Frame) -> None:
        found = frame.regions
        polygons = [] if found is None else found.polygons
        shades: list[str] = []
        if found is not None and polygons:
            shades = colours.hexadecimal(
                colours.of_values(found.values, found.values.min(), found.values.max())
            )
            count = len(polygons)
            self.regions.caption.text = (
                f"<b>{count}</b> piece{'s' if count > 1 else ''}, each with one affine map; {_sign(colours.HIGH, '■')} where "
                f"{_first_output(plan)} is high, {_sign(colours.LOW, '■')} where it is low"
            )
        elif found is not None:
            self.regions.caption.text = html.escape(found.reason)
        self._regions.data = {
            "x": [p[:, 0] for p in polygons],
            "y": [p[:, 1] for p in polygons],
            "colour": shades,
        }

    def _loss(self) -> tuple[list[ColumnDataSource], Cell]:
        cell = Cell("loss", "epoch", "loss", x_range=self._epochs, y_range=self._height)
        sources = []
        for i, colour in enumerate(SIDES):
            source = ColumnDataSource({"epoch": [], "loss": [], "val_loss": []}, name=f"losses{i + 1}")
            for key, dash in (("loss", "solid"), ("val_loss", "dashed")):
                cell.figure.line(
                    x="epoch",
                    y=key,
                    source=source,
                    color=colour,
                    line_dash=dash,
                    line_width=2 - 0.6 * i,
                    legend_label=f"{key}{i}",
                )
            sources.append(source)
        cell.settle()
        return sources, cell

    def _flow(self) -> tuple[list[ColumnDataSource], Cell]:
        cell = Cell("flow", "layer, from the input", "norm of dL/dW", y_axis_type="log")
        sources = []
        for i, colour in enumerate(SIDES):
            source = ColumnDataSource({"layer": [], "norm": []}, name=f"flow{i + 1}")
            cell.figure.line(
                x="layer",
                y="norm",
                source=source,
                color=colour,
                line_width=2 - 0.6 * i,
                legend_label=f"flow{i}",
            )
            cell.figure.scatter(
                x="layer",
                y="norm",
                source=source,
                color=colour,
                size=8 - 3 * i,
                marker=("circle", "square")[i],
                legend_label=f"flow{i}",
            )
            sources.append(source)
        cell.figure.xaxis.ticker = list(range(1, 18))
        cell.settle()
        return sources, cell

    def _region(self) -> tuple[ColumnDataSource, Cell]:
        cell = Cell("regions", "", "", x_range=self._x, y_range=self._y)
        source = ColumnDataSource({"x": [], "y": [], "colour": []}, name="regions_drawn")
        cell.figure.patches(
            xs="x",
            ys="y",
            fill_color="colour",
            fill_alpha=0.6,
            line_color="#14213d",
            line_width=0.6,
            source=source,
        )
        cell.figure.grid.visible = False
        return source, cell

    def _curve(self) -> tuple[ColumnDataSource, Cell]:
        cell = Cell("curves", "x", "")
        source = ColumnDataSource(
            {"x": [], "y": [], "colour": [], "dash": [], "name": []}, name="curves_drawn"
        )
        cell.figure.multi_line(
            xs="x",
            ys="y",
            line_color="colour",
            line_dash="dash",
            line_width=2,
            source=source,
            legend_field="name",
        )
        cell.caption.text = "the activations (solid) and their derivatives (dashed)"
        cell.settle()
        cell.figure.legend.location = "top_left"
        return source, cell

    def _divergence(self) -> tuple[ColumnDataSource, Cell]:
        cell = Cell(
            "apart", "epoch", "largest difference", y_axis_type="log", x_range=self._epochs, y_range=self._gap
        )
        source = ColumnDataSource({"epoch": [], "difference": []}, name="differences")
        cell.figure.line(x="epoch", y="difference", source=source, color=SIDES[0], line_width=2)
        return source, cell


def _legend(cell: Cell, names: list[str]) -> list[str]:
    """What the entries of a legend say; empty where there is no second backend."""
    both = [*names, ""][:2]
    if cell.figure.name == "flow":
        return both if len(names) > 1 else ["", ""]
    kinds = ("train", "test")
    if len(names) == 1:
        return [*kinds, "", ""]
    return [f"{kind}, {name}" for name in both for kind in kinds]


def _places(plan: Plan) -> list[Place]:
    return [place for place in (plan.settings.place, plan.settings.other) if place is not None]


def _range(plan: Plan) -> tuple[float, float]:
    return float(plan.plane.targets.min()), float(plan.plane.targets.max())


def _decision_colours(plan: Plan, picture: Picture) -> np.ndarray:
    if plan.dataset.classes is None:
        return colours.of_values(picture.decision[..., 0], *_range(plan))
    return colours.of_classes(picture.decision)


def _score(plan: Plan, picture: Picture) -> str:
    accuracy = picture.history.get("val_accuracy")
    if accuracy:
        return f"{accuracy[-1]:.1%} of the test examples are right"
    return html.escape(plan.dataset.description) if picture.epoch else "before training"


def _key(plan: Plan) -> str:
    """Which colour and which mark is what."""
    classes = plan.dataset.classes
    if classes is None:
        low, high = (f"{value:.4g}" for value in _range(plan))
        return f"{_sign(colours.LOW, '●')} {low} to {_sign(colours.HIGH, '●')} {high}"
    known = len(colours.CLASSES)
    named = [
        f"{_sign(colour, sign)} {html.escape(cut(str(name), 16))}"
        for colour, sign, name in zip(colours.CLASSES, colours.SIGNS, classes, strict=False)
    ]
    more = len(classes) - known
    return " ".join(named) + (f" and {more} more, with the same colours and marks again" if more > 0 else "")


def _first_output(plan: Plan) -> str:
    classes = plan.dataset.classes
    return "the output" if classes is None else f"the score of class {html.escape(cut(str(classes[0]), 16))}"


def _sign(colour: str, sign: str) -> str:
    return f'<span style="color: {colour}">{sign}</span>'


def _loss_said(picture: Picture) -> str:
    if not picture.epoch:
        return f"before training: <b>{picture.flow.loss:.4g}</b>"
    test = picture.history.get("val_loss")
    return f"<b>{picture.history['loss'][-1]:.4g}</b>" + (
        f", on test examples <b>{test[-1]:.4g}</b>" if test else ""
    )


def _positive(values: Any) -> np.ndarray:
    """Zeros become gaps, since a logarithmic axis has no place for them."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(array > 0, array, np.nan)
