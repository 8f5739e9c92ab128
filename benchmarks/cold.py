"""Cold start: from a new process to the end of the imports, of the first step, of the first epoch."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from benchmarks.channel import Prepare, Ready
from benchmarks.implementations import Implementation, taking_part
from benchmarks.jobs import Training
from benchmarks.process import ROOT, Worker, WorkerError, environment
from benchmarks.results import Measurement
from benchmarks.runner import Run
from multimlp.backend import BUILTIN
from multimlp.bench import CASES, Case

_CASE = CASES["digits"]
_JOBS = {
    "cold-step": (replace(_CASE, rows=_CASE.batch), "first step of digits, from a new process"),
    "cold-epoch": (_CASE, "first epoch of digits, from a new process"),
}
_IMPORTS = {
    "ours": "import multimlp as mm; mm.get_backend({backend!r})",
    "native": "import {module}",
}


def measure(run: Run) -> None:
    """Every implementation of training, in turns, each time in a new process."""
    found: dict[tuple[str, str, str], Measurement] = {}
    for _ in range(run.options.cold_rounds):
        for backend in run.options.backends:
            run.settle()
            for blank, measure_once in _attempts(backend, run):
                key = blank.case, blank.backend, blank.role
                so_far = found.get(key, blank)
                try:
                    found[key] = replace(so_far, rounds=[*so_far.rounds, measure_once()])
                except WorkerError as error:
                    found[key] = replace(so_far, problem=str(error))
            run.advance(f"cold start {backend}")
    run.measurements += found.values()


def _attempts(backend: str, run: Run) -> Iterator[tuple[Measurement, Callable[[], float]]]:
    """What is to be measured, and how."""
    for role, code in _IMPORTS.items():
        script = code.format(backend=backend, module=BUILTIN[backend].module)
        blank = Measurement("cold-import", "import, from a new process", "process", backend, role)
        yield blank, partial(_run_script, script, run)
    for name, (case, title) in _JOBS.items():
        for one in taking_part(backend, "cold", name):
            yield (
                Measurement(name, title, "process", backend, one.role),
                partial(_first_epoch, one, case, run),
            )


def _first_epoch(one: Implementation, case: Case, run: Run) -> float:
    worker = Worker(one, run.options.cores, run.options.device)
    try:
        imported = worker.wait_until_ready()
        job = Training(case, run.options.device, warm_up=1, checked=False)
        return imported + worker.ask(Prepare(job), Ready).first
    finally:
        worker.close()


def _run_script(script: str, run: Run) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment(len(run.options.cores), run.options.device),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WorkerError(done.stderr.strip().splitlines()[-1])
    return time.perf_counter() - began
