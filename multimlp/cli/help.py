"""What ``--help`` shows: prose in lines that fit, lists that stay lists, and examples that can still be copied."""

from __future__ import annotations

import argparse
import re

from multimlp._terminal import wrapped

_LISTED = re.compile(r"\s*\S.*?\s{2,}")
"""Where the text of a line of a list begins: behind a name and some space."""


class HelpFormatter(argparse.HelpFormatter):
    """Paragraphs are filled. Below ``example:`` a command that is too long goes on after a backslash; other indented lines are a list, of
    which each goes on below its text.

    Examples
    --------
    >>> from multimlp.cli.help import HelpFormatter
    >>> text = "Too long for\\nthis terminal.\\n\\nexample:\\n  multimlp train digits --backend torch"
    >>> print(HelpFormatter("multimlp")._fill_text(text, 32, ""))
    Too long for this terminal.
    <BLANKLINE>
    example:
      multimlp train digits \\
          --backend torch
    >>> print(HelpFormatter("multimlp")._fill_text("formats:\\n  keras  whole models, of any version", 28, ""))
    formats:
      keras  whole models, of
             any version
    """

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        prose: list[str] = []
        of_commands = False
        for line in [*text.splitlines(), ""]:
            if line.strip() and not line.startswith(" "):
                prose.append(line)
                continue
            if prose:
                lines += wrapped(" ".join(prose), width)
                of_commands = prose[-1] == "example:"
            prose = []
            lines += (_command if of_commands else _item)(line, width)
        return "\n".join(indent + line for line in lines).rstrip()


def _command(line: str, width: int) -> list[str]:
    margin = line[: len(line) - len(line.lstrip())]
    pieces = wrapped(line, width)
    if len(pieces) > 1:
        pieces = wrapped(line.strip(), width - len(margin) - 2, indent="    ")
        pieces = [margin + piece for piece in pieces]
    return [f"{piece} \\" for piece in pieces[:-1]] + pieces[-1:]


def _item(line: str, width: int) -> list[str]:
    found = _LISTED.match(line)
    return wrapped(line, width, indent=" " * (found.end() if found else 2))
