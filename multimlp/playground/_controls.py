"""What can be chosen on the page."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

from bokeh.core.property.descriptors import UnsetValueError
from bokeh.models.widgets import FileInput, NumericInput, Select, Slider, TextInput

from multimlp import activations, optimizers
from multimlp.backend import FLOAT_DTYPES
from multimlp.errors import InputError
from multimlp.playground._problems import MADE, NAMES, OWN_FILE, Upload
from multimlp.playground._settings import Place, Settings, backends

NOBODY = "none"
"""The choice of no second backend."""


class Controls:
    """The widgets of a page, and the settings that they say.

    Parameters
    ----------
    settings : Settings
        What they say at first.
    changed : callable
        Called without arguments when one of them is changed.
    later : callable
        Calls a function once the browser's message has been read to its end.
    """

    def __init__(
        self, settings: Settings, changed: Callable[[], None], later: Callable[[Callable[[], None]], Any]
    ) -> None:
        one, two = settings.place, settings.other
        installed = backends()
        self._home = one
        self._fields: dict[str, Any] = {
            "data": _select("Data", NAMES, settings.data),
            "samples": NumericInput(title="Points", mode="int", value=settings.samples),
            "noise": Slider(title="Noise", start=0, end=0.5, step=0.01, value=settings.noise),
            "target": TextInput(title="Column to predict", value="", placeholder="target, label, class or y"),
            "hidden": TextInput(title="Hidden layers", value=settings.hidden, placeholder="8, 8:tanh"),
            "activation": _select("Activation", activations.names(), settings.activation),
            "optimizer": _select("Optimiser", optimizers.names(), settings.optimizer),
            "learning_rate": NumericInput(
                title="Learning rate",
                mode="float",
                value=settings.learning_rate,
                placeholder="the optimiser's",
            ),
            "batch_size": NumericInput(title="Batch size", mode="int", value=settings.batch_size),
            "l2": NumericInput(title="L2 penalty", mode="float", value=settings.l2),
            "seed": NumericInput(title="Seed", mode="int", value=settings.seed),
            "epochs": NumericInput(title="Epochs at most", mode="int", value=settings.epochs),
            "backend": _select("Backend", installed, one.backend),
            "dtype": _select("Dtype", FLOAT_DTYPES, one.dtype),
            "other": _select("Compare with", [NOBODY, *installed], NOBODY if two is None else two.backend),
            "other_dtype": _select("Its dtype", FLOAT_DTYPES, one.dtype if two is None else two.dtype),
        }
        self._file = FileInput(title="File (.csv)", accept=".csv,.tsv")
        self.pace = Slider(title="Epochs per picture", start=1, end=50, step=1, value=5, name="pace")
        for name, widget in self._fields.items():
            widget.name = name
            event = "value_throttled" if isinstance(widget, Slider) else "value"
            widget.on_change(event, lambda attribute, old, new: changed())
        self._file.name = "file"
        # the name of a file comes after its content, in the same message
        self._file.on_change("value", lambda attribute, old, new: later(changed))
        for widget in self.roots:
            widget.sizing_mode = "stretch_width"
            if hasattr(widget, "min_width"):
                widget.min_width = 0

    @property
    def roots(self) -> list[Any]:
        """The models that the page's template places."""
        return [*self._fields.values(), self._file, self.pace]

    @property
    def kind(self) -> str:
        """Which widgets belong to the data chosen: ``"made"``, ``"own"`` or ``"bundled"``."""
        chosen = self._value("data")
        return "own" if chosen == OWN_FILE else "made" if chosen in MADE else "bundled"

    def settings(self) -> Settings:
        """What is chosen now.

        Raises
        ------
        InputError
            For a number that was left out.
        """
        names = (
            "data",
            "samples",
            "noise",
            "hidden",
            "activation",
            "optimizer",
            "batch_size",
            "l2",
            "seed",
            "epochs",
        )
        chosen = {name: self._value(name) for name in names}
        for name, value in chosen.items():
            if value is None:
                raise InputError(f"{self._fields[name].title.lower()}: expected a number")
        other = self._value("other")
        return Settings(
            **chosen,
            learning_rate=self._value("learning_rate"),
            upload=self._upload(),
            place=self._place(self._value("backend"), "dtype"),
            other=None if other == NOBODY else self._place(other, "other_dtype"),
        )

    def _place(self, backend: str, dtype: str) -> Place:
        """A device belongs to the backend that the page began with; others need not have it."""
        device = self._home.device if backend == self._home.backend else None
        return Place(backend, self._value(dtype), device)

    def _value(self, name: str) -> Any:
        return self._fields[name].value

    def _upload(self) -> Upload | None:
        try:
            name, content = str(self._file.filename), str(self._file.value)
        except UnsetValueError:
            return None
        return Upload(name, base64.b64decode(content), self._value("target").strip())


def _select(title: str, options: Iterable[str], value: str) -> Select:
    offered: list[Any] = list(options)  # which for Bokeh's types may hold pairs, too
    return Select(title=title, options=offered, value=value)
