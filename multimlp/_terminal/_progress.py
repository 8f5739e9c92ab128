"""A progress bar on stderr, with rich where it is installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from multimlp._terminal._screen import is_terminal, room


class Advance(Protocol):
    """What `progress` yields."""

    def advance(self, n: int = 1, **figures: float) -> None:
        """Go on by ``n`` units and show the figures, such as ``loss=0.31``."""


class _Silent:
    def advance(self, n: int = 1, **figures: float) -> None:
        pass


class _Bar:
    def __init__(self, bar: Any, task: Any, room: int) -> None:
        self._bar, self._task, self._room = bar, task, room

    def advance(self, n: int = 1, **figures: float) -> None:
        shown = ""
        for name, value in figures.items():  # as many as fit: one that is cut says nothing
            more = f"{shown}{'  ' * bool(shown)}{name} {value:.4g}"
            shown = more if len(more) <= self._room else shown
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
    if not enabled or not is_terminal(sys.stderr) or not _has_rich():
        yield _Silent()
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    width = room(sys.stderr) or 80
    breadth = 30 if width >= 100 else 10
    others = len(f"{description}   {total}/{total} 0:00:00 ") + breadth
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=breadth),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield _Bar(bar, bar.add_task(escape(description), total=total, figures=""), width - others)


def _has_rich() -> bool:
    try:
        import rich  # noqa: F401
    except ImportError:
        return False
    return True
