"""What is measured on a GPU, cut into pieces of a few minutes: one backend and one task each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks import growth
from benchmarks.gpu import probes
from benchmarks.jobs import Call
from benchmarks.ledger import Piece
from benchmarks.runner import Options, Run, run_tasks
from benchmarks.tasks import TASKS, Task
from multimlp.bench import CASES, Case

MEMBERS = growth.Axis("members", "step", 1, lambda size: Case("growth", (8, 16, 2), 32, 256, members=size))
TF32_CASES, QUICK_TF32_CASES = ("d2l", "deep", "wide"), ("digits",)
QUICK_CASES = ("tiny", "digits")
QUICK_ELEMENTS = 10_000


@dataclass(frozen=True)
class Plan:
    """How to measure.

    Attributes
    ----------
    backends : tuple of str
    device : str
    cores : tuple of int
    quick : bool
    """

    backends: tuple[str, ...]
    device: str
    cores: tuple[int, ...]
    quick: bool

    def options(self, backend: str, tf32: bool) -> Options:
        """The runner's."""
        return Options(
            backends=(backend,),
            cores=self.cores,
            device=self.device,
            rounds=1 if self.quick else 5,
            round_seconds=0.05 if self.quick else 0.3,
            growth_seconds=0.5 if self.quick else 60.0,
            cold_rounds=0,
            tf32=tf32,
        )


def pieces(plan: Plan) -> Iterator[Piece]:
    """All of them, the anchors first."""
    for table in (_probes, _training, _activations, _growth):
        for backend in plan.backends:
            yield from table(plan, backend)


def _probes(plan: Plan, backend: str) -> Iterator[Piece]:
    for tf32 in (False, True):
        yield Piece(
            f"probes{_suffix(tf32)} {backend}",
            lambda tf32=tf32: probes.measure(backend, plan.device, len(plan.cores), plan.quick, tf32),
        )


def _training(plan: Plan, backend: str) -> Iterator[Piece]:
    cases = QUICK_CASES if plan.quick else (*CASES, "ensemble")
    for tf32, names in ((False, cases), (True, QUICK_TF32_CASES if plan.quick else TF32_CASES)):
        for name in names:
            task = next(task for task in TASKS if task.name == name)
            yield Piece(f"training{_suffix(tf32)} {name} {backend}", _tasks(plan, backend, [task], tf32))


def _growth(plan: Plan, backend: str) -> Iterator[Piece]:
    for axis in (*growth.AXES, MEMBERS):

        def run(axis: growth.Axis = axis) -> dict[str, Any]:
            curves = growth.measure(_run(plan, backend), (axis,))
            problems = [curve.problem for curve in curves if curve.problem]
            return {"curves": [asdict(curve) for curve in curves], "problem": problems[0] if problems else ""}

        yield Piece(f"growth in {axis.name} {backend}", run)


def _activations(plan: Plan, backend: str) -> Iterator[Piece]:
    for task in TASKS:
        if task.group == "activations":
            job = task.job
            assert isinstance(job, Call)
            chosen = task
            if plan.quick:
                title = f"{job.name}, {QUICK_ELEMENTS} elements"
                chosen = replace(task, job=replace(job, rows=QUICK_ELEMENTS), title=title)
            yield Piece(f"{task.name} {backend}", _tasks(plan, backend, [chosen]))


def _tasks(
    plan: Plan, backend: str, tasks: Sequence[Task], tf32: bool = False
) -> Callable[[], dict[str, Any]]:
    def run() -> dict[str, Any]:
        found = _run(plan, backend, tf32)
        run_tasks(tasks, found)
        problem = next((one.problem for one in found.measurements if one.role == "ours" and one.problem), "")
        plain = [asdict(one) for one in found.measurements]
        return {"measurements": plain, "versions": found.versions, "loads": found.loads, "problem": problem}

    return run


def _run(plan: Plan, backend: str, tf32: bool = False) -> Run:
    return Run(plan.options(backend, tf32), lambda text: None)


def _suffix(tf32: bool) -> str:
    return "-tf32" if tf32 else ""
