"""What `python -m benchmarks scale` measures, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import machine
from benchmarks.process import WorkerError, cores_available
from benchmarks.scale.model import LINKS, Link
from benchmarks.scale.processes import SIZE, ask, carriers
from benchmarks.scale.results import ALONE, GROUP, Measured, Results, Simulated, Sum
from benchmarks.scale.worker import Order
from multimlp.bench import CASES

BYTES = (8, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000)
PRETENDED = (8, 64)
SHARES = (1, 2, 4, 8)
"""Of a batch: what a step costs without communication, on so many processes."""


@dataclass(frozen=True)
class Plan:
    """What to measure, on what, and how long for each figure."""

    backends: Sequence[str]
    cases: Sequence[str]
    carriers: Sequence[str]
    seconds: float
    bytes: Sequence[int] = BYTES

    @property
    def parts(self) -> int:
        """How many there are, for the progress bar."""
        return len(self.backends) * (2 + len(self.carriers)) + len(self.carriers)


def plan(backends: Sequence[str], cases: Sequence[str], quick: bool) -> Plan:
    """With the carriers that are there."""
    return Plan(backends, cases, carriers(), 0.1 if quick else 0.5, BYTES[:5] if quick else BYTES)


def measure(plan: Plan, advance: Callable[[str], None]) -> Results:
    """Everything; what fails is noted with its reason, and Ctrl-C leaves out the rest."""
    cores = cores_available()
    options = {"seconds": plan.seconds, "pretended": PRETENDED}
    results = Results({}, options)
    versions: dict[str, str] = {}
    for name, order, note in _parts(plan, results):
        try:
            results.loads.append(machine.settle())
            found = ask(order)
        except WorkerError as error:
            results.problems[name] = str(error)
        except KeyboardInterrupt:
            results.problems[f"{name}, and what follows"] = "interrupted"
            break
        else:
            versions |= found["versions"]
            note(found)
        advance(name)
    results.machine = machine.describe(1, cores, "cpu", versions)
    return results


Found = dict[str, Any]
Note = Callable[[Found], None]
Part = tuple[str, Order, Note]


def _parts(plan: Plan, results: Results) -> Iterator[Part]:
    """Each with what to do with the answer."""
    for carrier in plan.carriers:
        order = Order("numpy", carrier, seconds=plan.seconds, sums=plan.bytes)

        def sums(found: Found, carrier: str = carrier) -> None:
            pairs = zip(plan.bytes, found["sums"], strict=True)
            results.sums += [Sum(carrier, size, seconds) for size, seconds in pairs]

        yield f"sums by {carrier}", order, sums
    for backend in plan.backends:
        batches = [(case, CASES[case].batch // share) for case in plan.cases for share in SHARES]
        yield (
            f"steps of {backend}",
            Order(backend, cases=batches, seconds=plan.seconds),
            _steps(results, backend, ALONE, batches),
        )
        whole = [(case, CASES[case].batch) for case in plan.cases]
        for carrier in plan.carriers:
            order = Order(backend, carrier, True, plan.seconds, cases=whole)
            yield f"steps of {backend} by {carrier}", order, _steps(results, backend, carrier, whole)
        delayed = [
            (case, link, processes)
            for case in plan.cases
            for link in LINKS[:2]
            for processes in PRETENDED
            if processes <= CASES[case].batch
        ]
        order = Order(
            backend, seconds=plan.seconds, delayed=[(case, link.name, p) for case, link, p in delayed]
        )
        yield f"steps of {backend} on a delayed communicator", order, _simulated(results, backend, delayed)


def _steps(results: Results, backend: str, carrier: str, batches: Sequence[tuple[str, int]]) -> Note:
    def note(found: Found) -> None:
        processes = 1 if carrier == ALONE else SIZE
        for (case, batch), (seconds, communicating) in zip(batches, found["steps"], strict=True):
            results.steps.append(Measured(backend, carrier, processes, case, batch, seconds, communicating))
        for (case, batch), seconds in zip(batches, found.get("grouped", ()), strict=carrier == ALONE):
            results.steps.append(Measured(backend, GROUP, processes, case, batch, seconds))

    return note


def _simulated(results: Results, backend: str, delayed: Sequence[tuple[str, Link, int]]) -> Note:
    def note(found: Found) -> None:
        for (case, link, processes), seconds in zip(delayed, found["delayed"], strict=True):
            step = results.model(backend, case, GROUP)
            if step is not None:
                model = step.seconds(processes, link)
                results.simulated.append(Simulated(backend, case, link.name, processes, seconds, model))

    return note
