"""What the driver and a worker process say to each other, and the clock that stands between them.

A worker says `Hello`, then answers each `Prepare` with `Ready`, each `Round` with `Samples`, `Release` with
`Released`; a `Failure` may stand for any answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any


@dataclass(frozen=True)
class Hello:
    """The libraries are imported."""

    versions: dict[str, str]
    overhead: float
    """Seconds for imports that the implementation itself does not need."""


@dataclass(frozen=True)
class Prepare:
    """Set up a job, check its result, and wait for rounds."""

    job: Any


@dataclass(frozen=True)
class Ready:
    """Set up; ``first`` seconds until the end of the first epoch or call, ``verdict`` empty if the result is right."""

    first: float
    verdict: str
    figure: float | None
    """What was compared: the loss, or the largest error."""


@dataclass(frozen=True)
class Round:
    """Run for about so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Samples:
    """Seconds per unit, one for each epoch or block of calls of the round."""

    seconds: list[float]


@dataclass(frozen=True)
class Release:
    """End the job."""


@dataclass(frozen=True)
class Released:
    """The job is over; ``note`` is what the implementation says about itself."""

    note: str


@dataclass(frozen=True)
class Failure:
    """The job could not be done."""

    message: str


class Clock:
    """Called by an implementation at the end of each epoch; True means: one more.

    During a round it only reads the clock. Between rounds it waits here for the driver, so that an endless
    training run can be measured in turns with others.

    Parameters
    ----------
    connection : Connection
    check : callable
        ``check(read)``: a sentence that says what is wrong with the result, or "", and the figure compared;
        called once, after ``warm_up`` epochs.
    warm_up : int
    units : int
        Steps or calls in an epoch.
    """

    def __init__(
        self,
        connection: Connection,
        check: Callable[[Any], tuple[str, float | None]],
        warm_up: int,
        units: int,
    ) -> None:
        self._connection, self._check = connection, check
        self._left, self._units = warm_up, units
        self._began = self._last = time.perf_counter()
        self._first: float | None = None
        self._samples: list[float] = []
        self._until = 0.0

    def in_blocks_of(self, units: int) -> None:
        """From now on so many units lie between two calls."""
        self._units = units

    def __call__(self, read: Callable[[], Any]) -> bool:
        now = time.perf_counter()
        if self._left:
            return self._warm(now, read)
        self._samples.append((now - self._last) / self._units)
        if now < self._until:
            self._last = time.perf_counter()
            return True
        self._connection.send(Samples(self._samples))
        return self._wait()

    def _warm(self, now: float, read: Callable[[], Any]) -> bool:
        if self._first is None:
            self._first = now - self._began
        self._left -= 1
        if self._left:
            return True
        verdict, figure = self._check(read)
        self._connection.send(Ready(self._first, verdict, figure))
        return self._wait()

    def _wait(self) -> bool:
        order = self._connection.recv()
        if not isinstance(order, Round):
            return False
        self._samples = []
        self._last = time.perf_counter()
        self._until = self._last + order.seconds
        return True
