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
    "paddle": "#ad7f58",
    "strict": "#8b8d98",
}
"""Of the built-in backends."""
DASHES = {
    "numpy": "",
    "torch": "7 3",
    "jax": "2 2",
    "tensorflow": "9 2 2 2",
    "mxnet": "4 2",
    "cupy": "12 3",
    "paddle": "6 2 1 2",
    "strict": "1 3",
}
"""What tells the lines apart without colour."""

# At the width of a phone a unit is a pixel, so that the text's 14 units can be read.
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM, _TOP = 310, 150, 34, 302, 126, 10


def key(name: str) -> str:
    """The line of a backend, for the legend."""
    line = f'<line x1="0" y1="5" x2="36" y2="5" {_stroke(name)}/>'
    return f'<svg viewBox="0 0 36 10" aria-hidden="true">{line}</svg>'


def _stroke(name: str) -> str:
    return f'stroke="{COLOURS[name]}" stroke-width="1.5" stroke-dasharray="{DASHES[name]}"'


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
    worst = max((float(e.max()) for e in errors.values()), default=0.0)
    top = max(1.0, worst)
    across = _LEFT + (x - x[0]) / (x[-1] - x[0]) * (_RIGHT - _LEFT)
    lines = []
    for name, error in errors.items():
        down = _BOTTOM - np.minimum(error / top, 1.0) * (_BOTTOM - _TOP)
        points = " ".join(f"{a:.0f},{b:.1f}" for a, b in zip(across, down, strict=True))
        lines.append(f'<polyline points="{points}" fill="none" {_stroke(name)} stroke-opacity=".8"/>')
    label = f"error of {title} in {dtype}, at most {worst:.2g} eps"
    axes = f"M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}"
    middle = (_LEFT + _RIGHT) / 2
    return (
        f'<figure><figcaption><b>{escape(title)}</b> <span class="soft">at most {worst:.2g} eps'
        "</span></figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
        f'<path class="axis" fill="none" d="{axes}"/>'
        f'<text x="{_LEFT - 4}" y="{_TOP + 8}" text-anchor="end">{top:.2g}</text>'
        f'<text x="{_LEFT - 4}" y="{_BOTTOM}" text-anchor="end">0</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 6}">{x[0]:g}</text>'
        f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{(x[0] + x[-1]) / 2:g}</text>'
        f'<text x="{_RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">{x[-1]:g}</text>'
        + "".join(lines)
        + "</svg></figure>"
    )
