"""Text in lines that fit; words, and so commands, paths and names, stay whole."""

from __future__ import annotations

import textwrap


def wrapped(text: str, width: int | None, indent: str = "") -> list[str]:
    """The lines of one paragraph; the second and later ones are indented.

    Examples
    --------
    >>> from multimlp._terminal import wrapped
    >>> wrapped("error: no such file 'data.csv'", 20, indent="  ")
    ['error: no such file', "  'data.csv'"]
    """
    if width is None or len(text) <= width:
        return [text]
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [""]
