"""Runs the comparisons: every case on every backend, device and dtype, against the oracle."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from multimlp.backend import Backend, load_backend
from multimlp.errors import InputError
from multimlp.errors.close import did_you_mean
from multimlp.parity import (
    axis,
    blocks,
    elementwise,
    losses,
    models,
    optimizers,
    random_cases,
    special_points,
    textbook_rows,
    tolerances,
    training,
    transforms,
)
from multimlp.parity.cases import Case
from multimlp.parity.formats import FORMATS, Format
from multimlp.parity.measure import Reference, Worst, worst
from multimlp.parity.plan import Job, Plan, mode_of
from multimlp.parity.rows import Report, Row

CHUNK = 40
"""How many results one compiled program computes: compiling costs more than computing."""

_FAMILIES: tuple[Callable[[Format, bool], Iterator[Case]], ...] = (
    elementwise.cases,
    axis.cases,
    losses.cases,
    optimizers.cases,
    models.cases,
    blocks.cases,
    transforms.cases,
    random_cases.cases,
)


def run(plan: Plan, progress: Callable[[str], None] = lambda stage: None) -> Report:
    """Compare everything that the plan asks for.

    Parameters
    ----------
    plan : Plan
    progress : callable
        Told what is being done, in words.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If no function or dtype fits.
    """
    with np.errstate(all="ignore"):
        return _run(plan, progress)


def _run(plan: Plan, progress: Callable[[str], None]) -> Report:
    started = time.perf_counter()
    report = Report()
    oracle, known = load_backend("mpmath"), set[str]()
    for dtype in plan.dtypes:
        form = FORMATS[dtype]
        cases = [case for family in _FAMILIES for case in family(form, plan.quick)]
        known.update(case.function for case in cases)
        chosen = [case for case in cases if plan.wants(case.function)]
        if not chosen:
            continue
        references = References(oracle, chosen)
        for name in plan.backends:
            backend = load_backend(name)
            if dtype in backend.capabilities.dtypes:
                for device in _devices(backend, plan.device):
                    progress(f"{dtype} on {name} ({device})")
                    _compare(report, plan, backend, device, form, chosen, references)
        _keep(report, form, chosen, references)
    report.rows.extend(training.rows(plan))
    report.rows.extend(textbook_rows.rows(plan.wants))
    if not report.rows:
        asked = f"fits {', '.join(map(repr, plan.functions))}" if plan.functions else "is in the plan"
        hint = did_you_mean(plan.functions[0], known) if plan.functions else ""
        raise InputError(
            f"function: nothing that is compared {asked}; expected names such as 'gelu', or patterns such as 'gelu*'{hint}"
        )
    if not plan.functions:
        report.special = special_points.table(plan.backends)
    report.versions = {name: load_backend(name).version for name in plan.backends}
    report.settings = {
        "dtypes": list(plan.dtypes),
        "quick": plan.quick,
        "compilers": {
            name: found
            for name in plan.backends
            if (found := list(load_backend(name).capabilities.compilers))
        },
        "seconds": round(time.perf_counter() - started, 1),
    }
    return report


def _devices(backend: Backend, device: str | None) -> tuple[str, ...]:
    found = backend.devices() if device is None else (backend.resolve_device(device),)
    return tuple(d for d in found if d is not None)


class References:
    """The oracle's answers, each worked out once."""

    def __init__(self, oracle: Backend, cases: Sequence[Case]) -> None:
        self._oracle = oracle
        self._found: dict[tuple[int, str], Reference] = {}
        self._scales: dict[tuple[int, str], Any] = {}
        self._inputs: dict[int, tuple[Any, ...]] = {}

    def __call__(self, case: Case, name: str) -> Reference:
        key = (id(case), name)
        if key not in self._found:
            known = case.references[name]
            self._found[key] = (
                Reference.exact(known)
                if isinstance(known, np.ndarray)
                else Reference.of(known(self._oracle, self._arrays(case)))
            )
        return self._found[key]

    def scale(self, case: Case, name: str) -> Any:
        """What errors are measured against, beside the reference itself."""
        if name not in case.scale:
            return 1.0
        key = (id(case), name)
        if key not in self._scales:
            computed = case.scale[name](self._oracle, self._arrays(case))
            sizes = np.asarray(self._oracle.to_numpy(computed), dtype=np.float64)
            self._scales[key] = np.where(np.isfinite(sizes), sizes, 1.0)
        return self._scales[key]

    def relative(self, case: Case, name: str) -> np.ndarray | None:
        """What relative errors are measured against, if they are measured."""
        if name not in case.relative:
            return None
        return case.relative[name](lambda other: self(case, other).high)

    def _arrays(self, case: Case) -> tuple[Any, ...]:
        if id(case) not in self._inputs:
            self._inputs[id(case)] = tuple(self._oracle.asarray(a) for a in case.inputs)
        return self._inputs[id(case)]


def _compare(
    report: Report,
    plan: Plan,
    backend: Backend,
    device: str,
    form: Format,
    cases: Sequence[Case],
    references: References,
) -> None:
    jobs = [Job(case, aspect) for case in cases for aspect in case.aspects if aspect.applies(backend)]
    inputs = {id(case): place(backend, case, form, device) for case in cases}
    with backend.scope(form.name):
        for job in jobs:
            if not plan.runs_eagerly(job, form, backend):
                continue
            result = attempt(backend, job, inputs)
            report.rows.append(row(job, backend, device, form, "eager", result, references))
            keep(report, job, form, backend, result)
        for compiler in plan.compilers_of(backend, form):
            chosen = [job for job in jobs if plan.compiles(job, compiler)]
            for job, result in compiled(backend, compiler, chosen, inputs):
                report.rows.append(row(job, backend, device, form, mode_of(compiler), result, references))
                keep(report, job, form, backend, result)


def keep(report: Report, job: Job, form: Format, backend: Backend, result: np.ndarray | Exception) -> None:
    """Keep the first result on a grid for the page's pictures and for comparison with other reports; NaN where nothing is demanded."""
    if job.case.grid and isinstance(result, np.ndarray):
        key = f"{job.case.function}|{job.aspect.name}|{form.name}|{backend.name}"
        kept, demanded = result[: job.case.grid], job.aspect.demanded
        report.results.setdefault(
            key, kept if demanded is None else np.where(demanded[: job.case.grid], kept, np.nan)
        )


def place(backend: Backend, case: Case, form: Format, device: str) -> tuple[Any, ...]:
    """The inputs of a case as arrays of a backend."""
    return tuple(
        backend.asarray(a, dtype=form.name if a.dtype.kind == "f" else a.dtype.name, device=device)
        for a in case.inputs
    )


def attempt(backend: Backend, job: Job, inputs: dict[int, tuple[Any, ...]]) -> np.ndarray | Exception:
    """The result on the host, or what was raised: an error is a failed row, not the end of the run."""
    try:
        return backend.to_numpy(job.aspect.compute(backend, inputs[id(job.case)]))
    except Exception as error:
        return error


def compiled(
    backend: Backend, compiler: str, jobs: Sequence[Job], inputs: dict[int, tuple[Any, ...]]
) -> Iterator[tuple[Job, np.ndarray | Exception]]:
    """Results of programs of many jobs each; a program that fails is compiled again job by job."""
    for start in range(0, len(jobs), CHUNK):
        chunk = jobs[start : start + CHUNK]
        try:
            yield from zip(chunk, _program(backend, compiler, chunk, inputs), strict=True)
        except Exception:
            for job in chunk:
                try:
                    yield job, _program(backend, compiler, [job], inputs)[0]
                except Exception as error:
                    yield job, error


def _program(
    backend: Backend, compiler: str, jobs: Sequence[Job], inputs: dict[int, tuple[Any, ...]]
) -> list[np.ndarray]:
    cases = list({id(job.case): job.case for job in jobs}.values())
    given = tuple(array for case in cases for array in inputs[id(case)])

    def program(arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        supply = iter(arrays)
        own = {id(case): tuple(next(supply) for _ in case.inputs) for case in cases}
        return tuple(job.aspect.compute(backend, own[id(job.case)]) for job in jobs)

    return [backend.to_numpy(result) for result in backend.compile(program, compiler)(given)]


def row(
    job: Job,
    backend: Backend,
    device: str,
    form: Format,
    mode: str,
    result: np.ndarray | Exception,
    references: References,
) -> Row:
    """The row for a result."""
    case, aspect = job.case, job.aspect
    of = (case.tolerance or case.function, case.family, aspect.kind, form.name, backend)
    limit = tolerances.limit(*of)
    kind = "autodiff" if aspect.name.endswith("autodiff") else aspect.kind
    relative_limit = tolerances.relative_limit(of[0], case.family, kind, backend)

    def made(found: Worst, passed: bool, note: str = "") -> Row:
        at = float(case.places[found.index]) if case.places is not None else float(found.index)
        return Row(
            case.function, case.family, aspect.name, backend.name, device, form.name, mode,
            found.k, limit, found.ulp, at, passed, note, found.relative, relative_limit,
        )  # fmt: skip

    nothing = Worst(np.inf, np.inf, np.inf, 0, 0, True)
    if isinstance(result, Exception):
        return made(nothing, False, f"{type(result).__name__}: {result}".partition("\n")[0][:200])
    reference = references(case, aspect.reference)
    if result.shape != reference.shape:
        return made(nothing, False, f"shape {result.shape}, expected {reference.shape}")
    scale = references.scale(case, aspect.reference)
    measured = form if result.dtype.kind == "f" else FORMATS["float64"]  # integers: exactly
    relative = references.relative(case, aspect.reference)
    found = worst(result, reference, measured, aspect.demanded, scale, limit, relative, case.also)
    if found.finite_mismatch:
        return made(found, False, f"{result.flat[found.index]}, expected {reference.high.flat[found.index]}")
    if found.relative > relative_limit:
        place = case.places[found.relative_index] if case.places is not None else found.relative_index
        return made(
            found, False, f"relative: {found.relative:.3g} eps at {place:.6g}, tolerated {relative_limit:g}"
        )
    return made(found, found.k <= limit)


def _keep(report: Report, form: Format, cases: Sequence[Case], references: References) -> None:
    """The grids and the oracle's values on them, for pictures and for comparison with other reports."""
    for case in cases:
        if case.grid:
            report.grids[f"{case.function}|{form.name}"] = case.inputs[0][: case.grid]
            for name in ("value", "derivative"):
                high = references(case, name).high[: case.grid]
                report.results[f"{case.function}|{name}|{form.name}|mpmath"] = high
