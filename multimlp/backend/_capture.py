"""Training steps recorded once and replayed as one call, for devices on which launching a kernel takes longer than running it.

A recording holds the addresses of arrays and the values of Python's numbers as they were, so whatever changes from step to step must lie
in arrays that are written to before the replay.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Sequence
from operator import call as make
from typing import Any, TypeAlias

Call: TypeAlias = Callable[[], Any]
"""One piece of a step, everything bound."""


class Recorder:
    """How a library records; an adapter's subclass fills in `record`, and `warm_up` where it needs more than to run.

    Attributes
    ----------
    name : str
        For the warning where recording fails.
    usable : bool
        False from the first failure on: what could not be recorded once is not tried again.
    """

    name = "a library"
    usable = True

    def warm_up(self, run: Call) -> None:
        """Run once as it is, so that the library has its handles, workspaces and memory."""
        run()

    def record(self, run: Call) -> Call:
        """Record what ``run`` does, without the effects of doing it; the call that replays it."""
        raise NotImplementedError


class Captured:
    """A run that warms up when it is first called, is recorded at the second call, and is replayed from then on.

    Each call has the effect of the run, once. If recording fails, it goes on without, and says so.
    """

    def __init__(self, run: Call, recorder: Recorder) -> None:
        self._run, self._recorder = run, recorder
        self._warm = False
        self._replay: Call | None = None

    def __call__(self) -> None:
        if self._replay is not None:
            self._replay()
        elif not self._recorder.usable:
            self._run()
        elif not self._warm:
            self._warm = True
            self._recorder.warm_up(self._run)
        else:
            self._replay = self._recorded()
            self._replay()

    def _recorded(self) -> Call:
        try:
            return self._recorder.record(self._run)
        except Exception as error:  # whatever the driver or the library calls it
            self._recorder.usable = False
            warnings.warn(
                f"{self._recorder.name} could not record a block of training steps ({type(error).__name__}: {error}); the steps are "
                "launched one by one, which is slower and computes the same",
                RuntimeWarning,
                stacklevel=2,
            )
            return self._run


def in_turn(calls: Sequence[Call]) -> Call:
    """The call that makes all of these."""

    def run() -> None:
        deque(map(make, calls), maxlen=0)

    return run
