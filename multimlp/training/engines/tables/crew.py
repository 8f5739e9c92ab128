"""Threads that share the work of a table."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import numpy as np

from multimlp.backend import Table


class Crew:
    """A table and the setting in which it is run.

    Parameters
    ----------
    table : Table
    setting : callable
        Makes the context.
    """

    def __init__(self, table: Table, setting: Callable[[], AbstractContextManager[None]]) -> None:
        self._table, self._setting = table, setting
        self.several = table.threads > 1

    def run(self, late: Mapping[str, np.ndarray], steps: int) -> None:
        """So many steps, by this thread and helpers."""
        with self._setting():
            first, *others = self._table.bound(late, steps)
            helpers = []
            for call in others:
                helper = threading.Thread(target=call, name="multimlp-table")
                try:
                    helper.start()
                except RuntimeError:  # no more threads are to be had, and none is needed
                    break
                helpers.append(helper)
            first()
            for helper in helpers:
                helper.join()
