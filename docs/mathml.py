"""Formulas as MathML, which browsers set by themselves: nothing is fetched or run where the site is read.

A Sphinx extension, chosen by ``html_math_renderer = "mathml"``. A formula with a macro that latex2mathml does not know ends the
build: it would be shown as it was typed.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert


def mathml(formula: str, display: str) -> str:
    r"""A formula of LaTeX as a ``<math>`` element; ``display`` is ``"inline"`` or ``"block"``.

    Raises
    ------
    ValueError
        If something of the formula was not understood.

    Examples
    --------
    >>> mathml("x", "inline")
    '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mrow><mi>x</mi></mrow></math>'
    """
    found = convert(formula, display=display)
    if "\\" in found:
        raise ValueError(f"{formula!r} has a macro that latex2mathml does not know: {found}")
    return found


def _inline(writer: Any, node: Any) -> None:
    writer.body.append(f'<span class="math">{mathml(node.astext(), "inline")}</span>')
    raise nodes.SkipNode


def _display(writer: Any, node: Any) -> None:
    writer.body.append(writer.starttag(node, "div", CLASS="math"))
    writer.body.append(mathml(node.astext(), "block"))
    writer.body.append("</div>")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
