"""How the time of `mm.fit` grows with width, depth, batch and rows, each doubled until its time is used up."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.channel import Prepare, Ready, Release, Released, Round, Samples
from benchmarks.implementations import Implementation, taking_part
from benchmarks.jobs import Training
from benchmarks.memory import COPIES, FLOAT32
from benchmarks.process import Worker, WorkerError
from benchmarks.results import Curve
from benchmarks.runner import Run
from multimlp.bench import Case

_STEPS = 8
"""Of an epoch, but where the number of rows is what grows."""
_LARGEST = 2**31
"""Bytes of parameters or data beyond which nothing is doubled."""
_FITTED = 4
"""Points, the last ones, to which the exponent is fitted: the first are overhead."""


@dataclass(frozen=True)
class Axis:
    """A size that is doubled from ``start``, and the case at each size."""

    name: str
    unit: str
    start: int
    case: Callable[[int], Case]


def _case(sizes: tuple[int, ...], batch: int, rows: int | None = None) -> Case:
    return Case("growth", sizes, batch, batch * _STEPS if rows is None else rows)


AXES = (
    Axis("width", "step", 16, lambda size: _case((64, size, size, 10), 128)),
    Axis("depth", "step", 1, lambda size: _case((64, *(64,) * size, 10), 128)),
    Axis("batch", "step", 8, lambda size: _case((64, 128, 10), size)),
    Axis("rows", "epoch", 1024, lambda size: _case((64, 128, 10), 64, size)),
)


def measure(run: Run, axes: Sequence[Axis] = AXES) -> list[Curve]:
    """A curve for every axis and backend."""
    curves = []
    for axis in axes:
        for backend in run.options.backends:
            for one in taking_part(backend, "growth", axis.name):
                run.settle()
                curves.append(_curve(axis, one, run))
            run.advance(f"growth in {axis.name} {backend}")
    return curves


def _curve(axis: Axis, one: Implementation, run: Run) -> Curve:
    sizes: list[int] = []
    seconds: list[float] = []
    problem = ""
    worker = Worker(one, run.options.cores, run.options.device, run.options.tf32)
    try:
        worker.wait_until_ready()
        began, size, last = time.perf_counter(), axis.start, 0.0
        while fits(axis.case(size)) and _left(began, run) > 2 * last:
            started = time.perf_counter()
            seconds.append(_time(worker, axis, size, run))
            sizes.append(size)
            last, size = time.perf_counter() - started, 2 * size
    except WorkerError as error:
        problem = str(error)
    finally:
        worker.close()
    return Curve(axis.name, axis.unit, one.backend, sizes, seconds, exponent(sizes, seconds), problem)


def _left(began: float, run: Run) -> float:
    return run.options.growth_seconds - (time.perf_counter() - began)


def _time(worker: Worker, axis: Axis, size: int, run: Run) -> float:
    case = axis.case(size)
    worker.ask(Prepare(Training(case, run.options.device, checked=False)), Ready)
    samples = worker.ask(Round(run.options.round_seconds / 2), Samples)
    worker.ask(Release(), Released)
    return statistics.median(samples.seconds) * (case.steps if axis.unit == "epoch" else 1)


def fits(case: Case) -> bool:
    """Whether parameters and data stay within bounds, so that a small machine is not driven into its swap."""
    parameters = case.mlp.num_parameters * (case.members or 1)
    return FLOAT32 * max(COPIES * parameters, case.rows * case.sizes[0]) <= _LARGEST


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float | None:
    """The slope of log(seconds) over log(size), by least squares over the last points; None for fewer than two.

    Examples
    --------
    >>> round(exponent([1, 2, 4, 8], [3.0, 12.0, 48.0, 192.0]), 6)
    2.0
    """
    if len(sizes) < 2:
        return None
    return statistics.linear_regression(
        [math.log(size) for size in sizes[-_FITTED:]], [math.log(value) for value in seconds[-_FITTED:]]
    ).slope
