"""The error of one function over x on each backend, as an SVG picture."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from multimlp.parity.formats import FORMATS

COLOURS = {
    "numpy": "#3e63dd",
    "torch": "#e5484d",
    "jax": "#8e4ec6",
    "tensorflow": "#f76b15",
    "mxnet": "#00a2c7",
    "cupy": "#30a46c",
    "strict": "#8b8d98",
}
"""Of the built-in backends."""

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 320, 120, 26, 104, 8


def picture(
    title: str, dtype: str, x: np.ndarray, truth: np.ndarray, results: Mapping[str, np.ndarray]
) -> str:
    """A figure with one line a backend.

    Parameters
    ----------
    title, dtype : str
    x, truth : array, shape (n,)
    results : mapping of backend to array, shape (n,)

    Returns
    -------
    str
        A ``<figure>`` with an ``<svg>``.
    """
    form = FORMATS[dtype]
    scale = form.eps * np.maximum(1.0, np.abs(truth))
    errors = {name: np.nan_to_num(np.abs(values - truth) / scale) for name, values in results.items()}
    top = max(1.0, *(float(e.max()) for e in errors.values())) if errors else 1.0
    across = _LEFT + (x - x[0]) / (x[-1] - x[0]) * (_WIDTH - _LEFT - 4)
    lines = []
    for name, error in errors.items():
        down = _BOTTOM - np.minimum(error / top, 1.0) * (_BOTTOM - _TOP)
        points = " ".join(f"{a:.0f},{b:.1f}" for a, b in zip(across, down, strict=True))
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-opacity=".75"/>'
        )
    label = f"error of {title} in {dtype}, at most {top:.2g} eps"
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(label)}">'
        f'<line class="axis" x1="{_LEFT}" y1="{_BOTTOM}" x2="{_WIDTH - 4}" y2="{_BOTTOM}"/>'
        f'<line class="axis" x1="{_LEFT}" y1="{_TOP}" x2="{_LEFT}" y2="{_BOTTOM}"/>'
        f'<text x="{_LEFT - 4}" y="{_TOP + 6}" text-anchor="end">{top:.2g}</text>'
        f'<text x="{_LEFT - 4}" y="{_BOTTOM}" text-anchor="end">0</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 4}">{x[0]:g}</text>'
        f'<text x="{_WIDTH - 4}" y="{_HEIGHT - 4}" text-anchor="end">{x[-1]:g}</text>'
        + "".join(lines)
        + "</svg></figure>"
    )
