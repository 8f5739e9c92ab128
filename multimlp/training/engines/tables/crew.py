"""Threads that run a table each, at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import numpy as np

from multimlp.backend import Call, Table

T = TypeVar("T")


def dealt(items: Sequence[T], hands: int) -> list[Sequence[T]]:
    """Neighbours together, about equally many for each of at most so many hands."""
    count = min(hands, len(items))
    return [items[len(items) * i // count : len(items) * (i + 1) // count] for i in range(count)]


class Crew:
    """Tables for threads; the first is the caller's.

    Parameters
    ----------
    jobs : sequence of (Table, range)
        What each thread runs, for which members.
    setting : callable
        Makes the context in which they run.
    """

    def __init__(
        self, jobs: Sequence[tuple[Table, range]], setting: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._jobs, self._setting = jobs, setting

    def run(self, late: Mapping[str, np.ndarray], steps: int) -> None:
        """So many steps by all."""
        with self._setting():
            self._run(late, steps)

    def _run(self, late: Mapping[str, np.ndarray], steps: int) -> None:
        first, *others = [table.bound(late, steps, members) for table, members in self._jobs]
        gate, begun = threading.Event(), []
        called_off = True

        def work(call: Call) -> None:
            gate.wait()
            if not called_off:
                call()

        try:
            for call in others:
                begun.append(threading.Thread(target=work, args=(call,), name="multimlp-table"))
                begun[-1].start()
            called_off = False  # nobody begins before all are there: they wait for each other in between
        finally:
            gate.set()
        first()
        for thread in begun:
            thread.join()
