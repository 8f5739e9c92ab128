"""The process of one implementation: ``python -m benchmarks.worker FD INDEX CORES``, started by `benchmarks.process`.

It says what it has imported, then does jobs until the driver hangs up.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any


def main(descriptor: int, index: int, cores: str) -> None:
    """Pin the process to the cores before a library counts them, then serve."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    import numpy  # noqa: F401 - everybody needs it; what follows only we do

    began = time.perf_counter()
    from benchmarks.channel import Failure
    from benchmarks.implementations import IMPLEMENTATIONS
    from benchmarks.jobs import Job  # noqa: F401

    overhead = time.perf_counter() - began
    connection = Connection(descriptor)
    implementation = IMPLEMENTATIONS[index]
    try:
        function = implementation.load()
        connection.send(_hello(0.0 if implementation.role == "ours" else overhead))
    except Exception as error:
        connection.send(Failure(_explain(error)))
        return
    while True:
        try:
            order = connection.recv()
        except EOFError:
            return
        try:
            _serve(function, order.job, connection)
        except (EOFError, BrokenPipeError):
            return
        except Exception as error:
            connection.send(Failure(_explain(error)))


def _serve(function: Callable[..., Any], job: Any, connection: Connection) -> None:
    from benchmarks.channel import Clock, Released
    from benchmarks.jobs import Training

    if isinstance(job, Training):
        note = function(job, Clock(connection, job.check, job.warm_up, job.units))
    else:
        _call(function, job, connection)
        note = None
    connection.send(Released(note or ""))


_BLOCK_SECONDS = 2e-3


def _call(function: Callable[..., Any], job: Any, connection: Connection) -> None:
    """Calls in blocks that are long against the resolution of the clock."""
    from benchmarks.channel import Clock

    clock = Clock(connection, job.check, job.warm_up, job.units)
    compute, to_host = function(job)
    compute()
    began = time.perf_counter()
    compute()
    repeats = max(1, min(10_000, round(_BLOCK_SECONDS / (time.perf_counter() - began))))
    clock.in_blocks_of(repeats)
    go_on = clock(lambda: to_host(compute()))
    while go_on:
        for _ in range(repeats):
            compute()
        go_on = clock(lambda: None)


def _hello(overhead: float) -> Any:
    from benchmarks.channel import Hello

    names = ("multimlp", "numpy", "scipy", "sklearn", "torch", "jax", "tensorflow", "keras", "cupy")
    loaded = {name: sys.modules[name] for name in names if name in sys.modules}
    versions = {name: str(getattr(module, "__version__", "?")) for name, module in loaded.items()}
    return Hello(versions, overhead)


def _explain(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text} ({os.path.basename(where.filename)}:{where.lineno})"


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
