"""Peak memory of `mm.fit` beside what a run must hold, each backend in a new process: ``python -m benchmarks.memory BACKEND``."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import multimlp as mm
from benchmarks.process import ROOT, environment
from benchmarks.results import Memory
from benchmarks.runner import Run
from multimlp.bench import Case

CASE = Case("memory", (1024, 2048, 2048, 10), 256, 16384)
_EPOCHS = 2
FLOAT32 = 4
COPIES = 4
"""Parameters, their gradient, and two moments of Adam."""


def needed(case: Case) -> int:
    """Bytes: parameters, gradient and moments, the activations of a batch and their gradients, and the data once.

    Examples
    --------
    >>> from multimlp.bench import Case
    >>> needed(Case("one layer", (2, 3), 4, 8))  # 9 parameters, 4 x (2 + 3) activations twice, 8 rows of 2
    368
    """
    activations = 2 * case.batch * sum(case.sizes)
    return FLOAT32 * (COPIES * case.mlp.num_parameters + activations + case.rows * case.sizes[0])


def measure(run: Run) -> list[Memory]:
    """One figure a backend; none on a device of its own, or where the system does not say."""
    found = []
    for backend in run.options.backends:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory", backend],
            cwd=ROOT,
            env=environment(len(run.options.cores), run.options.device),
            capture_output=True,
            text=True,
            check=False,
        )
        problem = done.stderr.strip().splitlines()[-1] if done.returncode else ""
        peak = None if done.returncode else json.loads(done.stdout.splitlines()[-1])
        found.append(Memory(backend, CASE.title, needed(CASE), peak, problem))
        run.advance(f"memory {backend}")
    return found


def peak_of_fit(backend: str) -> int | None:
    """Bytes by which the process grew at most while `fit` ran; None where the system does not say.

    The arrays given to `fit` are there before; a smaller run comes first, for what libraries keep for ever: LLVM, which steps as few
    as its would not bring, and the buffers that threads have for products, which narrow layers do not ask for.
    """
    small = replace(CASE, sizes=(512, 512, 512, 10), rows=CASE.batch)
    chosen = os.environ.get("MULTIMLP_NUMBA", "auto")
    os.environ["MULTIMLP_NUMBA"] = "always" if chosen == "auto" else chosen
    _fit(small, *small.data(), backend)
    os.environ["MULTIMLP_NUMBA"] = chosen
    X, y = CASE.data()
    gc.collect()
    before = _status("VmRSS")
    if before is None:
        return None
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak so far is forgotten
    _fit(CASE, X, y, backend)
    after = _status("VmHWM")
    assert after is not None
    return after - before


def _fit(case: Case, X: np.ndarray, y: np.ndarray, backend: str) -> None:
    mm.fit(
        case.mlp,
        X,
        y,
        epochs=_EPOCHS,
        batch_size=case.batch,
        validation=None,
        backend=backend,
        dtype="float32",
        progress=False,
    )


def _status(name: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)


if __name__ == "__main__":
    print(json.dumps(peak_of_fit(sys.argv[1])))
