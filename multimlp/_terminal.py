"""What is shown on the terminal: a progress bar on stderr, tables on stdout; with rich where it is installed.

Nothing here is needed for a result: without a terminal a progress bar is silent, and a table is plain text
that other programs can read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TextIO


class Advance(Protocol):
    """What `progress` yields."""

    def advance(self, n: int = 1, **figures: float) -> None:
        """Go on by ``n`` units and show the figures, such as ``loss=0.31``."""


class _Silent:
    def advance(self, n: int = 1, **figures: float) -> None:
        pass


class _Bar:
    def __init__(self, bar: Any, task: Any) -> None:
        self._bar, self._task = bar, task

    def advance(self, n: int = 1, **figures: float) -> None:
        shown = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self._bar.update(self._task, advance=n, figures=shown)


@contextmanager
def progress(total: int, description: str = "", enabled: bool = True) -> Iterator[Advance]:
    """A progress bar on stderr while the block runs; silent unless stderr is a terminal and rich there.

    Parameters
    ----------
    total : int
        Number of units.
    description : str
        What is going on, shown before the bar.
    enabled : bool
        False keeps it silent.

    Yields
    ------
    Advance
        Call its ``advance(n, **figures)`` after each unit.

    Examples
    --------
    >>> from multimlp._terminal import progress
    >>> with progress(3, "epochs") as bar:
    ...     for epoch in range(3):
    ...         bar.advance(1, loss=1.0 / (epoch + 1))
    """
    if not enabled or not _is_terminal(sys.stderr) or not _has_rich():
        yield _Silent()
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield _Bar(bar, bar.add_task(escape(description), total=total, figures=""))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None) -> None:
    """A table on stdout: drawn by rich on a terminal, plain columns of text elsewhere or without rich.

    Parameters
    ----------
    columns : sequence of str
        The headings.
    rows : sequence of sequences
        One cell a column; None is shown as ``-``, a float with four significant digits.

    Examples
    --------
    >>> from multimlp._terminal import print_table
    >>> print_table(["backend", "loss"], [["numpy", 0.12345], ["torch", None]])
    backend  loss
    numpy    0.1235
    torch    -
    """
    cells = [[_text(cell) for cell in row] for row in rows]
    if _is_terminal(sys.stdout) and _has_rich():
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        drawn = Table(*map(escape, columns), title=title and escape(title))
        for row in cells:
            drawn.add_row(*map(escape, row))
        Console().print(drawn)
    else:
        if title:
            print(title)
        for line in _plain([list(columns), *cells]):
            print(line)


def _plain(lines: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _has_rich() -> bool:
    try:
        import rich  # noqa: F401
    except ImportError:
        return False
    return True
