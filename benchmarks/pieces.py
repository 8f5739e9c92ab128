"""A run cut into pieces of a few minutes, one library and one way of measuring each, and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from benchmarks import alone, cold, growth, memory, transforms
from benchmarks.ledger import Piece
from benchmarks.results import Alone, Curve, Measurement, Memory, Results
from benchmarks.runner import KINDS, Advance, Options, Run, run_tasks
from benchmarks.tasks import OTHER_GROUPS, Task
from multimlp.errors import InputError

Measure = Callable[[Run], dict[str, Any] | None]
"""Adds its measurements to a run, and gives what it has found of other kinds."""
_ROWS = {"measurements": Measurement, "curves": Curve, "memory": Memory, "alone": Alone}


@dataclass(frozen=True)
class Plan:
    """What is to be measured: tasks, groups of `OTHER_GROUPS`, and how."""

    tasks: Sequence[Task]
    others: Sequence[str]
    options: Options
    advance: Advance

    def pieces(self) -> Iterator[Piece]:
        """In the order of the tables."""
        for kinds in KINDS:
            chosen = [task for task in self.tasks if task.kind in kinds]
            if chosen:
                yield from self._each_backend(kinds[0], partial(run_tasks, chosen))
        for group in OTHER_GROUPS:
            if group in self.others:
                yield from self._each_backend(group, _MEASURES[group])

    def _each_backend(self, name: str, measure: Measure) -> Iterator[Piece]:
        for backend in self.options.backends:

            def run(backend: str = backend) -> dict[str, Any]:
                one = Run(replace(self.options, backends=(backend,)), self.advance)
                rows = {**(measure(one) or {}), "measurements": one.measurements}
                plain = {kind: [asdict(row) for row in found] for kind, found in rows.items()}
                return {**plain, "loads": one.loads, "versions": one.versions}

            yield Piece(f"{name} {backend}", run)

    def steps(self, done: Callable[[str], bool] = lambda name: False) -> int:
        """How often ``advance`` is called by the pieces that are not done."""
        rounds, cold_rounds = self.options.rounds, self.options.cold_rounds
        each = {"cold": cold_rounds, "growth": len(growth.AXES)}
        each |= {kinds[0]: rounds * sum(task.kind in kinds for task in self.tasks) for kinds in KINDS}
        names = (piece.name for piece in self.pieces())
        return sum(each.get(name.split()[0], 1) for name in names if not done(name))


_MEASURES: dict[str, Measure] = {
    "cold": cold.measure,
    "memory": lambda run: {"memory": memory.measure(run)},
    "derivatives": transforms.measure_all,
    "growth": lambda run: {"curves": growth.measure(run)},
    "alone": lambda run: {"alone": alone.measure(run)},
}


def together(
    found: Iterable[Mapping[str, Any]],
    describe: Callable[[dict[str, str]], dict[str, Any]],
    options: dict[str, Any],
) -> Results:
    """What the pieces have found as one run.

    Raises
    ------
    InputError
        If they were measured with different versions of a library.
    """
    versions: dict[str, str] = {}
    rows: dict[str, list[Any]] = {kind: [] for kind in _ROWS}
    loads: list[float] = []
    for piece in found:
        for library, version in piece["versions"].items():
            if versions.setdefault(library, version) != version:
                raise InputError(
                    f"the pieces were measured with {library} {versions[library]} and {version}: measure again with --fresh"
                )
        for kind, make in _ROWS.items():
            rows[kind] += [make(**row) for row in piece.get(kind, [])]
        loads += piece["loads"]
    return Results(describe(versions), options, loads=loads, **rows)
