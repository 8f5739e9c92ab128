"""What is measured: one table of tasks, and the names under which they are chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.jobs import Call, Job, Training
from multimlp.bench import CASES
from multimlp.errors import InputError

INFERENCE_ROWS = (1, 256, 65536)
ELEMENTS = 10_000_000
ACTIVATIONS = ("relu", "sigmoid", "tanh", "gelu", "silu", "softplus")
TRANSFORMS = {"grad": 64, "hvp": 64, "per-example": 64, "jacobian": 1, "hessian": 1}
MEMBERS = 64
SMOOTH = ("gelu", "silu")


@dataclass(frozen=True)
class Task:
    """One row of the results on every backend.

    Attributes
    ----------
    name : str
    group : str
        The name under which ``--case`` chooses it with its like.
    kind : str
        What an implementation must be able to do.
    job : Training or Call
    title : str
    unit : str
        What a time is the time of.
    quick : bool
        Whether ``--quick`` includes it.
    """

    name: str
    group: str
    kind: str
    job: Job
    title: str
    unit: str
    quick: bool = False


def _all() -> tuple[Task, ...]:
    found = [
        Task(
            case.name,
            case.name,
            "training",
            Training(case),
            case.title,
            "step",
            case.name in ("tiny", "digits"),
        )
        for case in CASES.values()
    ]
    for case in CASES.values():
        for activation in SMOOTH:
            other = replace(case, name=f"{case.name}-{activation}", activation=activation)
            found.append(Task(other.name, "smooth", "smooth", Training(other), other.title, "step"))
    ensemble = replace(CASES["tiny"], name="ensemble", rows=512, members=MEMBERS)
    found.append(
        Task("ensemble", "ensemble", "ensemble", Training(ensemble), ensemble.title, "step of all members")
    )
    for rows in INFERENCE_ROWS:
        title = f"64-128-10, {rows} row{'s' if rows > 1 else ''}"
        job = Call("inference", "forward", rows)
        found.append(Task(f"inference-{rows}", "inference", "inference", job, title, "call", rows == 1))
    for name in ACTIVATIONS:
        job = Call("activation", name, ELEMENTS)
        found.append(
            Task(f"activation-{name}", "activations", "activation", job, f"{name}, 1e7 elements", "call")
        )
    for name, rows in TRANSFORMS.items():
        title = f"{name}, 64-128-10, {rows} row{'s' if rows > 1 else ''}"
        found.append(
            Task(f"transform-{name}", "transforms", "transform", Call("transform", name, rows), title, "call")
        )
    return tuple(found)


TASKS = _all()
OTHER_GROUPS = ("cold", "memory", "growth", "derivatives", "alone")
"""Measured in another way: see the modules of these names, and `benchmarks.transforms`."""
GROUPS = (*dict.fromkeys(task.group for task in TASKS), *OTHER_GROUPS)


def choose(names: list[str] | None, quick: bool) -> tuple[list[Task], tuple[str, ...]]:
    """The tasks, and those of `OTHER_GROUPS`, that were asked for by group or by name.

    Raises
    ------
    InputError
        For a name that is neither.
    """
    if names is None:
        chosen = [task for task in TASKS if task.quick or not quick]
        return chosen, (() if quick else OTHER_GROUPS)
    known = {*GROUPS, *(task.name for task in TASKS)}
    for name in names:
        if name not in known:
            raise InputError(f"case: there is no {name!r}; choose from {', '.join(GROUPS)}")
    return (
        [task for task in TASKS if task.group in names or task.name in names],
        tuple(group for group in OTHER_GROUPS if group in names),
    )
