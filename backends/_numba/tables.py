"""Records as tables that compiled code runs: rows of addresses and numbers, 64 bits each, and by how much they grow."""

from __future__ import annotations

import ctypes
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from multimlp.backend import Call, Late, Record, UntranslatableError
from multimlp.backends._numba import compiling, kernels, store
from multimlp.backends._threads import can_limit_blas, threads_available

WIDTH = 16
"""Of a table: a kernel's address and its arguments."""
_PATIENCE = 100_000
"""How often a thread that waits looks before it lets others have the core: half a millisecond, longer than most phases. Who lets others
have it gets it back after milliseconds (measured beside two processes at full load, 784-256-10: 2.1 ms a step with 2000, 1.6 with this)."""
_LINE = 8
"""Whole numbers in a line of the cache: what threads share lies apart."""


def workers() -> int:
    """How many threads may compute at the same time: one where BLAS would have threads of its own in each."""
    return threads_available() if can_limit_blas() else 1


class _Rows:
    """A table, and the arrays whose addresses are in it, since addresses keep nothing alive."""

    def __init__(self, records: Sequence[Record], by_member: Sequence[np.ndarray] = ()) -> None:
        shape = (len(records), WIDTH)
        self.rows, self.by_step, self.by_member = (np.zeros(shape, dtype=np.int64) for _ in range(3))
        self._late: list[tuple[int, int, Late]] = []
        self._kept = [records, list(by_member)]
        for i, (kernel, arguments) in enumerate(records):
            if len(arguments) >= WIDTH:
                raise UntranslatableError(
                    f"one of its formulas works on {len(arguments)} arrays and numbers, more than {WIDTH - 1}"
                )
            self.rows[i, 0] = kernel
            for j, argument in enumerate(arguments, 1):
                if isinstance(argument, Late):
                    self._late.append((i, j, argument))
                else:
                    self.rows[i, j] = _bits(argument)
                if isinstance(argument, np.ndarray):
                    owners = (a for a in by_member if np.may_share_memory(a, argument))
                    self.by_member[i, j] = next((a.strides[0] for a in owners), 0)

    def set(self, late: Mapping[str, np.ndarray]) -> None:
        """Give the late arrays; they must live as long as the table is run."""
        for i, j, (name, by_step, by_member, first) in self._late:
            array = late[name]
            self.rows[i, j] = array.ctypes.data + first * array.itemsize
            self.by_step[i, j] = by_step * array.itemsize
            self.by_member[i, j] = by_member * array.itemsize


class InTurn:
    """Members one after the other; each thread has arrays of its own to work with, and takes the next member when it is done with one."""

    def __init__(
        self, records: Sequence[Sequence[Record]], by_member: Sequence[np.ndarray], members: int
    ) -> None:
        self._tables, self._members = [_Rows(own, by_member) for own in records], members
        self.threads = len(records)
        self._kernel = _compiled(kernels.in_turn)

    def bound(self, late: Mapping[str, np.ndarray], steps: int) -> list[Call]:
        given = {**late, "members": np.arange(self._members)}
        taken = np.zeros(_LINE, dtype=np.int64)
        calls = []
        for table in self._tables:
            table.set(given)
            parts = (table.rows, table.by_step, table.by_member, np.zeros(WIDTH, dtype=np.int64), taken)
            numbers = (*table.rows.shape, steps, self._members)
            calls.append(_call(self._kernel, parts, numbers, (given, table)))
        return calls


class InPhases:
    """Tasks of a step, phase by phase. Whichever thread is free takes the next task, so that none waits for one that gets no core."""

    def __init__(self, phases: Sequence[Sequence[Sequence[Record]]]) -> None:
        tasks = [task for phase in phases for task in phase]
        self._table = _Rows([record for task in tasks for record in task])
        self._ends = np.asarray([0, *itertools.accumulate(map(len, tasks))], dtype=np.int64)
        before = itertools.accumulate(map(len, phases), initial=0)
        self._opens = np.asarray(
            [n for n, phase in zip(before, phases, strict=False) for _ in phase], dtype=np.int64
        )
        self.threads = min(workers(), max(map(len, phases)))
        self._kernel = _compiled(kernels.in_phases)

    def bound(self, late: Mapping[str, np.ndarray], steps: int) -> list[Call]:
        given = {**late, "members": np.zeros(1, dtype=np.int64)}
        self._table.set(given)
        state = np.zeros((2, _LINE), dtype=np.int64)
        numbers = (WIDTH, steps, len(self._opens), _PATIENCE, _give_way())
        calls = []
        for _ in range(self.threads):
            own = np.zeros(WIDTH, dtype=np.int64)
            parts = (self._table.rows, self._table.by_step, own, self._ends, self._opens, state[0], state[1])
            calls.append(_call(self._kernel, parts, numbers, (given, self._table)))
        return calls


def _compiled(kernel: Callable[..., None]) -> Callable[[int], None]:
    # It computes nothing, so that any dtype will do.
    return store.function(store.address(kernel.__name__, lambda: compiling.of_kernel(kernel, "float64")))


def _call(
    kernel: Callable[[int], None], arrays: Sequence[np.ndarray], numbers: Sequence[int], used: Any
) -> Call:
    """The call of a kernel; ``used`` lives as long as it, also where Ctrl-C ends a training while a helper is still at work."""
    given = np.asarray([0, *(array.ctypes.data for array in arrays), *numbers], dtype=np.int64)
    kept = (given, arrays, used)
    return lambda: kernel(kept[0].ctypes.data)


def _bits(argument: np.ndarray | int | float) -> int:
    if isinstance(argument, np.ndarray):
        return argument.ctypes.data
    return int(np.float64(argument).view(np.int64)) if isinstance(argument, float) else int(argument)


@cache
def _give_way() -> int:
    """The address of the system's function that lets other threads have the core."""
    windows = sys.platform == "win32"
    system = ctypes.CDLL("kernel32" if windows else None)
    return int(
        ctypes.cast(system.SwitchToThread if windows else system.sched_yield, ctypes.c_void_p).value or 0
    )
