"""What ``--help`` shows: prose in lines that fit, and examples that can still be copied."""

from __future__ import annotations

import argparse

from multimlp._terminal import wrapped


class HelpFormatter(argparse.HelpFormatter):
    """Paragraphs are filled. Indented lines stay as they are; a command that is too long goes on after a backslash.

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
    """

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        prose: list[str] = []
        for line in [*text.splitlines(), ""]:
            if line.strip() and not line.startswith(" "):
                prose.append(line)
                continue
            if prose:
                lines += wrapped(" ".join(prose), width)
            prose = []
            lines += _command(line, width)
        return "\n".join(indent + line for line in lines).rstrip()


def _command(line: str, width: int) -> list[str]:
    margin = line[: len(line) - len(line.lstrip())]
    pieces = wrapped(line, width)
    if len(pieces) > 1:
        pieces = wrapped(line.strip(), width - len(margin) - 2, indent="    ")
        pieces = [margin + piece for piece in pieces]
    return [f"{piece} \\" for piece in pieces[:-1]] + pieces[-1:]
