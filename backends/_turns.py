"""Turns at something that the whole process has one of, such as the number of threads of a library.

Those who want it one way compute at the same time; who wants it another way waits until they are done, first come, first served.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Undo = Callable[[], object]


class Turns:
    """One thing and the order of those who use it.

    Examples
    --------
    >>> from multimlp.backends._turns import Turns
    >>> turns = Turns()
    >>> with turns.taking("one thread"):
    ...     pass
    """

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):  # in a child nobody else is left who could end a turn
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._mine = threading.local()
        self._way: object = None
        self._active = 0
        self._undo: Undo | None = None

    @contextmanager
    def taking(
        self, way: object, set_up: Callable[[], Undo] | None = None, alone: bool = False
    ) -> Iterator[None]:
        """A turn.

        Inside a turn of the same thread, whose way it keeps, nothing more happens.

        Parameters
        ----------
        way : object
            Equal for those who may go together.
        set_up : callable, optional
            Called for the first of them; what it returns is called after the last.
        alone : bool
            Whether those of this way too go one after the other.
        """
        if getattr(self._mine, "taken", False):
            yield
            return
        self._enter(way, set_up, alone)
        self._mine.taken = True
        try:
            yield
        finally:
            self._mine.taken = False
            self._leave()

    def _enter(self, way: object, set_up: Callable[[], Undo] | None, alone: bool) -> None:
        with self._changed:
            ticket = object()
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or (self._active and (alone or self._way != way)):
                    self._changed.wait()
                if not self._active:
                    self._way, self._undo = way, set_up() if set_up is not None else None
                self._active += 1
            finally:  # Ctrl-C while waiting too: the next in the row is not to wait for this one
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _leave(self) -> None:
        with self._changed:
            self._active = max(0, self._active - 1)  # none in a child that was forked inside a turn
            if not self._active:
                undo, self._undo = self._undo, None
                try:
                    if undo is not None:
                        undo()
                finally:
                    self._changed.notify_all()
