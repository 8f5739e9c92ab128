"""Tables and sentences on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from multimlp._terminal._layout import GAP, Part, cell_lines, parts
from multimlp._terminal._screen import Coloured, is_terminal, painted, room
from multimlp._terminal._wrapping import wrapped


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object] | None], title: str | None = None
) -> None:
    """A table on stdout, in lines that fit the terminal; elsewhere a line a row, without colours.

    Parameters
    ----------
    columns : sequence of str
        The headings.
    rows : sequence of sequences
        One cell a column; None is shown as ``-``, a float with four significant digits. None in place of a row leaves a line empty.

    Notes
    -----
    Nothing is ever cut. What does not fit stands in a second table below, beside the columns that tell the rows apart.

    Examples
    --------
    >>> from multimlp._terminal import print_table
    >>> print_table(["backend", "loss"], [["numpy", 0.12345], ["torch", None]])
    backend  loss
    numpy    0.1235
    torch    -
    """
    cells = [None if row is None else [_text(cell) for cell in row] for row in rows]
    if title:
        print_text(title)
    for number, part in enumerate(
        parts(columns, [row for row in cells if row is not None], room(sys.stdout))
    ):
        if number:
            print()
        for line in _drawn(columns, cells, part):
            print(line)


def print_text(text: str, colour: str | None = None) -> None:
    """A paragraph on stdout, in lines that fit the terminal."""
    for line in wrapped(text, room(sys.stdout)):
        print(painted(line, colour, sys.stdout))


def _drawn(columns: Sequence[str], cells: Sequence[Sequence[str] | None], part: Part) -> Iterator[str]:
    for line in cell_lines(columns, part, at_bottom=True):
        yield painted(_joined(line, part), "bold", sys.stdout)
    if is_terminal(sys.stdout):
        yield painted("─" * part.total, "dim", sys.stdout)
    for row in cells:
        if row is None:
            yield ""
            continue
        colours = [getattr(row[i], "colour", None) for i in part.columns]
        for line in cell_lines(row, part):
            yield _joined(line, part, colours)


def _joined(line: Sequence[str], part: Part, colours: Sequence[str | None] | None = None) -> str:
    last = max((n for n, text in enumerate(line) if text), default=0)
    shown = []
    for n, (text, width) in enumerate(zip(line[: last + 1], part.widths, strict=False)):
        padding = "" if n == last else " " * (width - len(text))
        shown.append(painted(text, None if colours is None else colours[n], sys.stdout) + padding)
    return (" " * GAP).join(shown)


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, Coloured):
        return cell
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
