"""What a run found, as plain data: written to and read from JSON, and the statistics over rounds."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import stored

VERSION = 1


@dataclass(frozen=True)
class Measurement:
    """One implementation in one case.

    Attributes
    ----------
    case : str
    title : str
    unit : str
        What ``rounds`` are the seconds of.
    backend, role : str
        See `benchmarks.implementations.ROLES`.
    rounds : list of float
        The median of each round, in seconds; round i of all roles of a backend ran one after another.
    busy : list of float
        The same while other processes keep the machine busy (`benchmarks.busy`).
    first : float or None
        Seconds to the end of the first epoch or call, with set-up and compilation.
    figure : float or None
        The loss reached, or the largest error of the values.
    problem : str
        Why the times do not count; empty if the result was right.
    note : str
    """

    case: str
    title: str
    unit: str
    backend: str
    role: str
    rounds: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    first: float | None = None
    figure: float | None = None
    problem: str = ""
    note: str = ""

    @property
    def counts(self) -> bool:
        return bool(self.rounds) and not self.problem

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def slowdown(self) -> float | None:
        """How many times as long it takes on a busy machine; None where that was not measured."""
        return statistics.median(self.busy) / self.median if self.counts and self.busy else None

    @property
    def spread(self) -> float:
        """Half the range of the rounds without the slowest of five or more, relative to the median."""
        kept = sorted(self.rounds)[: -1 if len(self.rounds) >= 5 else None]
        return (kept[-1] - kept[0]) / 2 / self.median


@dataclass(frozen=True)
class Curve:
    """How the time grows when one size is doubled; ``exponent`` is fitted to the last points."""

    axis: str
    unit: str
    backend: str
    sizes: list[int]
    seconds: list[float]
    exponent: float | None
    problem: str = ""


@dataclass(frozen=True)
class Memory:
    """Bytes that `fit` must hold, and by which its process grew at most (None where the system does not say)."""

    backend: str
    title: str
    needed: int
    peak: int | None
    problem: str = ""


@dataclass(frozen=True)
class Alone:
    """An activation or loss by itself: the seconds of a call of ours and of the library's own, which took turns.

    ``way`` is ``"value"``, ``"gradient"`` (of a value that is there) or ``"both"``.
    """

    function: str
    backend: str
    dtype: str
    elements: int
    way: str
    ours: float
    peer: float
    problem: str = ""


@dataclass
class Results:
    """A whole run."""

    machine: dict[str, Any]
    options: dict[str, Any]
    measurements: list[Measurement] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    """Processors that others kept busy just before each round."""
    alone: list[Alone] = field(default_factory=list)

    def find(self, case: str, backend: str, role: str) -> Measurement | None:
        """A measurement that counts, or None."""
        for one in self.measurements:
            if (one.case, one.backend, one.role) == (case, backend, role):
                return one if one.counts else None
        return None

    def tried(self, case: str, backend: str, role: str) -> bool:
        """Whether there is a measurement, be it one that failed."""
        return any((one.case, one.backend, one.role) == (case, backend, role) for one in self.measurements)

    def backends(self) -> list[str]:
        found = [one.backend for one in self.measurements] + [one.backend for one in self.curves]
        return list(dict.fromkeys(found))

    def write(self, path: Path) -> None:
        stored.write(path, self, VERSION)

    @classmethod
    def read(cls, path: Path) -> Results:
        """From a file; errors as those of `benchmarks.stored.read`."""

        def made(plain: dict[str, Any]) -> Results:
            kinds = {"measurements": Measurement, "curves": Curve, "memory": Memory, "alone": Alone}
            rows = {name: [kind(**one) for one in plain.pop(name, [])] for name, kind in kinds.items()}
            return cls(**plain, **rows)

        return stored.read(path, VERSION, "results of benchmarks", made)


@dataclass(frozen=True)
class Ratio:
    """The time of a peer over ours, round by round: the median, and the range."""

    value: float
    low: float
    high: float


def ratio(peer: Measurement, ours: Measurement) -> Ratio:
    """How many times as long the peer takes; of rounds that ran one after another."""
    values = sorted(p / o for p, o in zip(peer.rounds, ours.rounds, strict=False))
    return Ratio(statistics.median(values), values[0], values[-1])
