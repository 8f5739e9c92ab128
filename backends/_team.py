"""Threads of our own for the pieces of a training step.

A step is a row of phases, and a phase a few tasks that do not touch each other's results. Whoever is free takes the next task, the
thread that asks like its helpers; who finishes the last task of a phase opens the next one. Nobody spins: who finds nothing to do sleeps.
So where other processes keep a helper from its core, the others do its tasks, and all that is lost is the helper's share; libraries
whose threads are each given their part and spin until the others have done theirs take ten to fifty times as long there.

Which tasks there are is the problem's affair; threads only decide who does them, never what is computed.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from operator import call as make

from multimlp.backend import Phase, Task
from multimlp.backends._threads import threads_available

_POLL_SECONDS = 5e-4
"""Between two looks at helpers that have to come to an end after an error."""


def run_alone(phases: Iterable[Phase]) -> None:
    """All tasks in order, by the thread that calls."""
    for phase in phases:
        for task in phase:
            deque(map(make, task), maxlen=0)


class Team:
    """Helpers for one thread at a time; others that want them meanwhile do their tasks alone.

    Parameters
    ----------
    prepare : callable
        What a helper does before its first task, such as settings that each thread has of its own.
    """

    def __init__(self, prepare: Callable[[], object]) -> None:
        self._prepare = prepare
        self._begin()
        if hasattr(os, "register_at_fork"):  # helpers do not live on in a child
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._turn = threading.Lock()
        self._helpers: list[_Helper] = []

    def run(self, phases: Sequence[Phase]) -> None:
        """All tasks, phase by phase; the first error of a task is raised when all have come to rest. No phase may be empty."""
        most = max(map(len, phases), default=1)
        count = min(threads_available(), most) - 1 if most > 1 else 0
        if count < 1 or not self._turn.acquire(blocking=False):
            run_alone(phases)
            return
        try:
            while len(self._helpers) < count:
                self._helpers.append(_Helper(self._prepare))
            _Run(phases, self._helpers[:count]).lead()
        finally:
            self._turn.release()


class _Bell:
    """Wakes one thread that sleeps, or that is about to: then it does not fall asleep."""

    def __init__(self) -> None:
        self._silent = threading.Lock()
        self._silent.acquire()
        self.wait = self._silent.acquire

    def ring(self) -> None:
        if self._silent.locked():
            with suppress(RuntimeError):  # somebody else rang it in between
                self._silent.release()


class _Helper:
    """A thread that waits for runs to take part in."""

    def __init__(self, prepare: Callable[[], object]) -> None:
        self.bell = _Bell()
        self.busy = False
        """Whether it may be at work on a task; only it changes that."""
        self._runs: deque[tuple[_Run, Context]] = deque()
        ready = threading.Event()
        threading.Thread(
            target=self._live, args=(prepare, ready), name="multimlp-helper", daemon=True
        ).start()
        ready.wait()

    def join(self, run: _Run) -> None:
        """Take part, in a context like the caller's."""
        self._runs.append((run, copy_context()))
        self.bell.ring()

    def _live(self, prepare: Callable[[], object], ready: threading.Event) -> None:
        try:
            prepare()
        finally:
            ready.set()
        while True:
            try:
                run, context = self._runs.popleft()
            except IndexError:
                self.bell.wait()
                continue
            context.run(run.help, self)
            del run, context  # and the arrays of its tasks


class _Opened:
    """A phase under way. Operations of deques and lists are atomic."""

    def __init__(self, phase: Phase) -> None:
        self.tasks = deque(phase)
        self.others = [None] * (len(phase) - 1)
        """One for each task but the last to be finished."""


class _Run:
    """Some phases on their way through some threads."""

    def __init__(self, phases: Iterable[Phase], helpers: list[_Helper]) -> None:
        self._phases: Iterator[Phase] = iter(phases)
        self._helpers = helpers
        self._bell = _Bell()
        self._bells = [self._bell, *(helper.bell for helper in helpers)]
        self._turning = threading.Lock()
        self._error: BaseException | None = None
        self._now: _Opened | None = None

    def lead(self) -> None:
        """Take part until all is done."""
        try:
            self._open(self._bell)
            for helper in self._helpers:
                helper.join(self)
            # From the other end than the helpers: in each step a thread is likely to meet the numbers that are in its cache.
            self._work(self._bell, deque.popleft)
        except BaseException as error:  # also Ctrl-C at any place
            self._fail(error)
        if self._error is not None:
            while any(helper.busy for helper in self._helpers):
                time.sleep(_POLL_SECONDS)
            raise self._error

    def help(self, helper: _Helper) -> None:
        """Take part as a helper."""
        helper.busy = True
        try:
            self._work(helper.bell, deque.pop)
        except BaseException as error:
            self._fail(error)
        finally:
            helper.busy = False

    def _work(self, bell: _Bell, take: Callable[[deque[Task]], Task]) -> None:
        while (opened := self._now) is not None:
            try:
                task = take(opened.tasks)
            except IndexError:
                bell.wait()
                continue
            deque(map(make, task), maxlen=0)
            try:
                opened.others.pop()
            except IndexError:
                self._open(bell)

    def _open(self, mine: _Bell) -> None:
        """The next phase, by the thread with this bell."""
        with self._turning:
            phase = None if self._error is not None else next(self._phases, None)
            self._now = None if phase is None else _Opened(phase)
        if phase is None or len(phase) > 1:  # one task is for the one who opens
            for bell in self._bells:
                if bell is not mine:
                    bell.ring()

    def _fail(self, error: BaseException) -> None:
        """Nobody starts anything any more, and nobody waits."""
        with self._turning:
            if self._error is None:
                self._error = error
            opened, self._now = self._now, None
        if opened is not None:
            opened.tasks.clear()
        for bell in self._bells:
            bell.ring()
