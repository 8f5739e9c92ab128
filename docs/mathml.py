"""Formulas as MathML, which browsers set by themselves: nothing is fetched or run where the site is read.

A Sphinx extension, chosen by ``html_math_renderer = "mathml"``. A formula with a macro that latex2mathml does not know ends the
build: it would be shown as it was typed.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

_SPACES = {
    "thinmathspace": "0.167em", "mediummathspace": "0.222em", "thickmathspace": "0.278em", "negativethinmathspace": "-0.167em",
}  # fmt: skip
"""Named spaces, which browsers have given up."""
_SYMBOL = r"(<mi\b[^<]*</mi>|<mrow>(?:<mi\b[^<]*</mi>)+</mrow>)"
_PRIME = r"<mi>(&#x0203[23];)</mi>"
_PRIMED = r'<mrow>\1<mo lspace="0" rspace="0">\2</mo></mrow>'
_SPACE = '<mspace width="0.167em" />'
_FUNCTION = r"(?<!<msup>)(?<!<msub>)<mi>(?:sin|cos|tan|tanh|exp|log|ln|max|min)</mi>"
_MENDED: tuple[tuple[str, str], ...] = (
    # A prime hangs high by itself; as an exponent it would hang twice as high, and small.
    (rf"<msup>{_SYMBOL}{_PRIME}</msup>", _PRIMED),
    (
        rf"<msubsup>{_SYMBOL}(<m[in]\b[^<]*</m[in]>){_PRIME}</msubsup>",
        f"<msub>{_PRIMED.replace('2', '3')}\\2</msub>",
    ),
    # Bars are fences here, not relations: no room around them.
    (r'<mo stretchy="false">&#x0007C;</mo>', '<mo stretchy="false" lspace="0" rspace="0">&#x0007C;</mo>'),
    # max(x, 0) is a function, not an operator, unless something stands beneath it.
    (r"(?<!<msub>)(?<!<munder>)(?<!<munderover>)<mo>(max|min|sup|inf)</mo>", r"<mi>\1</mi>"),
    # a sin 3x: room around a function, but for its parenthesis.
    (rf"({_FUNCTION})(?=<m(?:i|n|row|frac|sub|sup|sqrt)\b)", rf"\1{_SPACE}"),
    (rf"(</m(?:i|n|frac|sub|sup)>|\)</mo>|&#x00029;</mo>)(?={_FUNCTION})", rf"\1{_SPACE}"),
)


def _mended(found: str) -> str:
    """What browsers need to have written otherwise than latex2mathml does."""
    found = re.sub(r'(?<=<mspace width=")\w+(?=")', lambda name: _SPACES.get(name[0], name[0]), found)
    for pattern, better in _MENDED:
        found = re.sub(pattern, better, found)
    return found


def mathml(formula: str, display: str) -> str:
    r"""A formula of LaTeX as a ``<math>`` element; ``display`` is ``"inline"`` or ``"block"``.

    Raises
    ------
    ValueError
        If something of the formula was not understood, or would not look as it should.

    Examples
    --------
    >>> mathml("x", "inline")
    '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mrow><mi>x</mi></mrow></math>'
    """
    found = convert(formula, display=display)
    if "\\" in found:
        raise ValueError(f"{formula!r} has a macro that latex2mathml does not know: {found}")
    if re.search(r"\\(?:b|B)ig+r\W[\^_]", formula):
        raise ValueError(
            f"{formula!r}: browsers draw a large parenthesis with an exponent small; write \\left( and \\right)"
        )
    return _mended(found)


def _inline(writer: Any, node: Any) -> None:
    following = node.next_node(descend=False, siblings=True)
    # Without a word joiner a comma behind a formula may begin the next line.
    joiner = "&#8288;" if isinstance(following, nodes.Text) and following.startswith(tuple(".,;:!?)")) else ""
    writer.body.append(f'<span class="math">{mathml(node.astext(), "inline")}</span>{joiner}')
    raise nodes.SkipNode


def _display(writer: Any, node: Any) -> None:
    writer.body.append(writer.starttag(node, "div", CLASS="math"))
    writer.body.append(mathml(node.astext(), "block"))
    writer.body.append("</div>")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
