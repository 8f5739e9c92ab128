"""What was measured, as plain values in a file; and what the model makes of it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import stored
from benchmarks.scale.model import Link, Step, fitted, messages
from multimlp.bench import CASES

VERSION = 2
ALONE = "alone"
"""In place of a carrier: one process."""
GROUP = "group of one"
"""In place of a carrier: one process that trains as one of a group does."""


@dataclass(frozen=True)
class Sum:
    """A sum over two processes: bytes, and the least seconds that it took."""

    carrier: str
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Measured:
    """A training step, the least seconds; and which share of them went by in sums over the processes, None where they cannot be seen."""

    backend: str
    carrier: str
    processes: int
    case: str
    batch: int
    seconds: float
    communicating: float | None = 0.0


@dataclass(frozen=True)
class Simulated:
    """A step of one process that acts as the first of many: measured, and by the model."""

    backend: str
    case: str
    link: str
    processes: int
    seconds: float
    model: float


@dataclass
class Results:
    """A whole run."""

    machine: dict[str, Any]
    options: dict[str, Any]
    sums: list[Sum] = field(default_factory=list)
    steps: list[Measured] = field(default_factory=list)
    simulated: list[Simulated] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    """By what was to be measured: why it was not."""
    loads: list[float] = field(default_factory=list)
    """Processors that others kept busy just before each part."""

    def backends(self) -> list[str]:
        return list(dict.fromkeys(one.backend for one in self.steps))

    def carriers(self) -> list[str]:
        found = [one.carrier for one in self.sums] + [one.carrier for one in self.steps]
        return [name for name in dict.fromkeys(found) if name not in (ALONE, GROUP)]

    def cases(self) -> list[str]:
        return [name for name in CASES if any(one.case == name for one in self.steps)]

    def step(self, backend: str, case: str, carrier: str = ALONE) -> Measured | None:
        """The step with the case's own batch."""
        for one in self.steps:
            if (one.backend, one.case, one.carrier, one.batch) == (backend, case, carrier, CASES[case].batch):
                return one
        return None

    def model(self, backend: str, case: str, carrier: str = ALONE) -> Step | None:
        """What a step is made of, from steps of one process at several batches; None where they are not there."""
        alone = [one for one in self.steps if (one.backend, one.carrier) == (backend, carrier)]
        smallest = [one for one in alone if one.case == "tiny"]
        own = [one for one in alone if one.case == case]
        if len(own) < 2 or len(smallest) < 2:
            return None
        first, last = (f(smallest, key=lambda one: one.batch) for f in (min, max))
        row = max(0.0, (last.seconds - first.seconds) / (last.batch - first.batch))
        fixed = max(0.0, first.seconds - row * first.batch)
        return fitted(parameters(case), [one.batch for one in own], [one.seconds for one in own], fixed)

    def links(self) -> list[Link]:
        """Those measured: the latency from the shortest sum, the bandwidth from the longest."""
        found = []
        for carrier in self.carriers():
            some = sorted((one for one in self.sums if one.carrier == carrier), key=lambda one: one.bytes)
            if len(some) > 1:
                latency = some[0].seconds / messages(2)
                moving = max(some[-1].seconds - some[0].seconds, 1e-12)
                found.append(Link(f"{carrier} on one machine, measured", latency, some[-1].bytes / moving))
        return found

    def write(self, path: Path) -> None:
        stored.write(path, self, VERSION)

    @classmethod
    def read(cls, path: Path) -> Results:
        """From a file; errors as those of `benchmarks.stored.read`."""

        def made(plain: dict[str, Any]) -> Results:
            kinds = {"sums": Sum, "steps": Measured, "simulated": Simulated}
            rows = {name: [kind(**one) for one in plain.pop(name)] for name, kind in kinds.items()}
            return cls(**plain, **rows)

        return stored.read(path, VERSION, "results of benchmarks scale", made)


def parameters(case: str) -> int:
    """How many numbers a network has."""
    sizes = CASES[case].sizes
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes))
