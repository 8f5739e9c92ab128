"""Measures the tasks of one library after another; its implementations take turns, round by round."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from benchmarks import machine
from benchmarks.busy import busy_machine
from benchmarks.channel import Prepare, Ready, Release, Released, Round, Samples
from benchmarks.implementations import Implementation, taking_part
from benchmarks.jobs import Job, Training
from benchmarks.process import Worker, WorkerError
from benchmarks.results import Measurement
from benchmarks.tasks import Task

BUSY_ROLES = ("ours", "loop", "keras", "sklearn")
BUSY_ROUNDS = 2
BUSY_SECONDS = 1.0
"""Of a round on a busy machine: many times the scheduler's slice."""


@dataclass(frozen=True)
class Options:
    """How to measure."""

    backends: tuple[str, ...]
    cores: tuple[int, ...]
    device: str | None
    rounds: int
    round_seconds: float
    """Of a round; an epoch that takes longer is a round of its own."""
    growth_seconds: float
    cold_rounds: int
    tf32: bool = False
    """Whether products of float32 on a GPU may be rounded to 10 bits."""


Advance = Callable[[str], None]
"""Told what has just been done."""


@dataclass
class Run:
    """What is gathered while measuring."""

    options: Options
    advance: Advance
    measurements: list[Measurement] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    def settle(self) -> None:
        """Called when all workers wait, so that whatever stays busy is somebody else."""
        busy = machine.settle()
        if busy == busy:
            self.loads.append(round(busy, 3))


class Pool:
    """The workers of one group: started when first needed, and again after one has died."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._workers: dict[Implementation, Worker] = {}

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self._workers.values():
            worker.close()

    def start(self, implementations: Iterable[Implementation]) -> dict[Implementation, str]:
        """Start what is not running, all at once; what failed, with reasons."""
        options = self._run.options
        new = [one for one in implementations if one not in self._workers]
        for one in new:
            self._workers[one] = Worker(one, options.cores, options.device, options.tf32)
        failed: dict[Implementation, str] = {}
        for one in new:
            try:
                self._workers[one].wait_until_ready()
                self._run.versions.update(self._workers[one].versions)
            except WorkerError as error:
                failed[one] = str(error)
                self.drop(one)
        return failed

    def drop(self, one: Implementation) -> None:
        """End a worker that has failed."""
        self._workers.pop(one).close()

    def __getitem__(self, one: Implementation) -> Worker:
        return self._workers[one]


KINDS = (("training", "smooth", "ensemble"), ("inference", "activation", "transform"))
"""Of tasks that share implementations, which keep their processes."""


def run_tasks(tasks: Sequence[Task], run: Run) -> None:
    """Measure tasks on every backend."""
    for kinds in KINDS:
        chosen = [task for task in tasks if task.kind in kinds]
        for backend in run.options.backends:
            with Pool(run) as pool:
                pairs = [
                    (task, taking_part(backend, task.kind, getattr(task.job, "name", ""))) for task in chosen
                ]
                failed = pool.start(dict.fromkeys(one for _, some in pairs for one in some))
                for task, some in pairs:
                    _Contest(task, some, pool, run, dict(failed)).measure()


class _Contest:
    """One task on one backend."""

    def __init__(
        self,
        task: Task,
        entrants: list[Implementation],
        pool: Pool,
        run: Run,
        problems: dict[Implementation, str],
    ) -> None:
        self._task, self._pool, self._run = task, pool, run
        self._entrants, self._problems = entrants, problems
        self._ready: dict[Implementation, Ready] = {}
        self._rounds: dict[Implementation, list[float]] = {one: [] for one in entrants}
        self._busy: dict[Implementation, list[float]] = {one: [] for one in entrants}
        self._notes: dict[Implementation, str] = {}

    def measure(self) -> None:
        self._problems.update(self._pool.start(one for one in self._entrants if one not in self._problems))
        self._prepare()
        for number in range(self._run.options.rounds):
            for one in self._turns(number):
                self._run.settle()
                self._time(one, self._run.options.round_seconds, self._rounds[one])
            self._run.advance(f"{self._task.name} {self._entrants[0].backend}")
        if self._task.kind == "training":
            with busy_machine():
                for number in range(BUSY_ROUNDS):
                    for one in self._turns(number):
                        if one.role in BUSY_ROLES:
                            self._time(one, BUSY_SECONDS, self._busy[one])
        self._release()
        for one in self._entrants:
            ready = self._ready.get(one)
            self._run.measurements.append(
                Measurement(
                    case=self._task.name,
                    title=self._task.title,
                    unit=self._task.unit,
                    backend=one.backend,
                    role=one.role,
                    rounds=self._rounds[one],
                    busy=self._busy[one],
                    first=None if ready is None else ready.first,
                    figure=None if ready is None else ready.figure,
                    problem=self._problems.get(one, ""),
                    note=self._notes.get(one, ""),
                )
            )

    def _prepare(self) -> None:
        """One after another, ours first: it says what loss the others must reach."""
        expected: float | None = None
        for one in self._entrants:
            if one in self._problems:
                continue
            order = Prepare(job_for(one, self._task.job, self._run.options.device, expected))
            try:
                ready = self._pool[one].ask(order, Ready)
            except WorkerError as error:
                self._give_up(one, error)
                continue
            self._ready[one] = ready
            if ready.verdict:
                self._problems[one] = ready.verdict
            if one.role == "ours" and not ready.verdict:
                expected = ready.figure

    def _turns(self, number: int) -> list[Implementation]:
        """Whoever still takes part, in each round another one first."""
        able = [one for one in self._ready if one not in self._problems]
        shift = number % max(len(able), 1)
        return [*able[shift:], *able[:shift]]

    def _time(self, one: Implementation, seconds: float, found: list[float]) -> None:
        try:
            samples = self._pool[one].ask(Round(seconds), Samples)
        except WorkerError as error:
            self._give_up(one, error)
        else:
            found.append(statistics.median(samples.seconds))

    def _release(self) -> None:
        for one in self._ready:
            try:
                self._notes[one] = self._pool[one].ask(Release(), Released).note
            except (WorkerError, KeyError) as error:
                if one not in self._problems:
                    self._give_up(one, error)

    def _give_up(self, one: Implementation, error: Exception) -> None:
        self._problems[one] = str(error)
        self._pool.drop(one)


def job_for(one: Implementation, job: Job, device: str | None, expected: float | None) -> Job:
    """A task's job for one implementation: the limits compute something else than the others."""
    if isinstance(job, Training):
        if one.role == "products":
            return replace(job, device=device, checked=False)
        if one.role == "ours-relu":
            return replace(job, device=device, case=replace(job.case, activation="relu"))
        return replace(job, device=device, expected=expected)
    return replace(job, device=device, name="copy" if one.role == "copy" else job.name)
