"""What a lesson returns, and what surrounds every lesson."""

from __future__ import annotations

import functools
import html
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from multimlp import plotting
from multimlp.backend import Array, Backend, get_backend, select, use_backend
from multimlp.errors.shown import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass
class LessonResult:
    """What running a lesson gave.

    Attributes
    ----------
    numbers : dict of str to float
        What was measured.
    figures : dict of str to matplotlib.figure.Figure
    text : str
        What the numbers say.
    backend, dtype : str
        Where it ran.
    seconds : float
    """

    numbers: dict[str, float]
    figures: dict[str, Figure]
    text: str
    backend: str = ""
    dtype: str = ""
    seconds: float = field(default=0.0, compare=False)

    def __repr__(self) -> str:
        where = ", ".join(filter(None, (self.backend, self.dtype)))
        return (
            f"<LessonResult{' of ' * bool(where)}{where}: {shown(self.numbers)}, {len(self.figures)} figures>"
        )

    def save(self, folder: str | Path, name: str, kinds: Sequence[str] = ("png", "svg")) -> list[Path]:
        """Write each figure as ``name-figure.png`` and ``.svg``, or one of them; returns the paths."""
        return [
            path
            for figure_name, picture in self.figures.items()
            for path in plotting.save(picture, folder, f"{name}-{figure_name}", kinds)
        ]

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        rows = "".join(
            f"<tr><td>{html.escape(key)}</td><td>{value:.6g}</td></tr>" for key, value in self.numbers.items()
        )
        pictures = "".join(_inline_svg(picture) for picture in self.figures.values())
        text = f'<pre style="white-space: pre-wrap">{html.escape(self.text)}</pre>'
        return f"{text}<table>{rows}</table>{pictures}"


def _inline_svg(picture: Figure) -> str:
    text = io.StringIO()
    with plotting.style():
        picture.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def array(x: Any) -> Array:
    """Values as an array where the lesson runs: of its backend, dtype and device."""
    here = select()
    return here.backend.asarray(np.asarray(x), dtype=here.dtype, device=here.device)


def lesson(function: Callable[..., LessonResult]) -> Callable[..., LessonResult]:
    """Make ``run(backend: Backend, **options)`` callable with a backend's name, and let it work there.

    Inside, ``mm.fit``, ``mlp.init`` and the like use that backend, in float64 unless another dtype is asked
    for, so that a lesson's numbers are the same on every backend; pictures have the common style.
    """

    @functools.wraps(function)
    def run(
        backend: str | Backend | None = None,
        *,
        device: str | None = None,
        dtype: str | None = None,
        **options: Any,
    ) -> LessonResult:
        started = time.perf_counter()
        adapter = get_backend(backend)
        kind = select(adapter, device, dtype, default_dtype="float64").dtype
        with use_backend(adapter.name, device, kind), adapter.scope(kind), plotting.style():
            result = function(adapter, **options)
        result.backend, result.dtype = adapter.name, kind
        result.seconds = time.perf_counter() - started
        return result

    return run
