"""The terminal itself: whether there is one, how wide it is, and colours."""

from __future__ import annotations

import os
import shutil
from typing import TextIO

_CODES = {"green": "32", "red": "1;31", "bold": "1", "dim": "2"}


class Coloured(str):
    """Text with a colour, which is shown on a terminal alone."""

    colour: str

    def __new__(cls, text: str, colour: str) -> Coloured:
        """``colour``: green, red, bold or dim."""
        made = super().__new__(cls, text)
        made.colour = colour
        return made


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody looks at it."""
    return stream is not None and stream.isatty()


def room(stream: TextIO | None) -> int | None:
    """How many characters fit in a line; None: any number, as in a file, unless the environment has COLUMNS."""
    if is_terminal(stream) or os.environ.get("COLUMNS", "").isdigit():
        return max(shutil.get_terminal_size().columns, 20)
    return None


def painted(text: str, colour: str | None, stream: TextIO | None) -> str:
    """``text`` in a colour, where a terminal shows it and nobody objects (https://no-color.org)."""
    plain = not is_terminal(stream) or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if colour is None or plain or not text else f"\x1b[{_CODES[colour]}m{text}\x1b[0m"
