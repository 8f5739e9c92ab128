"""The processes of a measurement, started as their carrier wants it, and ended whatever happens."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.process import ROOT, WorkerError, environment
from benchmarks.scale.worker import Order

SIZE = 2
PATIENCE = 300.0
"""Seconds for everything that is asked of the processes at once."""


def ask(order: Order, patience: float = PATIENCE) -> dict[str, Any]:
    """What the processes of an order have found.

    Raises
    ------
    WorkerError
    """
    with tempfile.TemporaryDirectory(prefix="multimlp-scale-") as name:
        path = Path(name) / "order.json"
        path.write_text(json.dumps(asdict(order)))
        command = [sys.executable, "-m", "benchmarks.scale.worker", str(path)]
        errors = Path(name) / "errors"
        with errors.open("wb") as printed, contextlib.ExitStack() as stack:
            running = []
            for more, prefix in _starts(order.carrier, Path(name)):
                started = subprocess.Popen(
                    [*prefix, *command], cwd=ROOT, env=_environment(more), stdin=subprocess.DEVNULL, stdout=printed,
                    stderr=printed, start_new_session=True,
                )  # fmt: skip
                stack.callback(_end, started)
                running.append(started)
            _wait(running, patience)
        found = path.with_suffix(".found")
        if not found.exists():
            raise WorkerError(_last_words(errors))
        answer: dict[str, Any] = json.loads(found.read_text())
        return answer


def carriers() -> tuple[str, ...]:
    """Those that are installed."""
    found = ["sockets"]
    if importlib.util.find_spec("torch") is not None:
        found.insert(0, "gloo")
    if importlib.util.find_spec("mpi4py") is not None and _mpi_file("mpiexec", "mpiexec") is not None:
        found.insert(0, "mpi")
    return tuple(found)


def _starts(carrier: str | None, folder: Path) -> list[tuple[Mapping[str, str], list[str]]]:
    """For each process to start: further variables, and what precedes the command."""
    if carrier is None:
        return [({}, [])]
    if carrier == "mpi":
        library = _mpi_file("libmpi.so.12")
        more = {} if library is None else {"MPI4PY_LIBMPI": library}
        return [(more, [str(_mpi_file("mpiexec", "mpiexec")), "-n", str(SIZE)])]
    if carrier == "gloo":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        common = {
            "WORLD_SIZE": str(SIZE),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
            "GLOO_SOCKET_IFNAME": "lo",
        }
        return [(common | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, []) for rank in range(SIZE)]
    common = {
        "MULTIMLP_SIZE": str(SIZE),
        "MULTIMLP_MEETING": str(folder),
        "MULTIMLP_SECRET": secrets.token_hex(16),
    }
    return [
        (common | {"MULTIMLP_RANK": str(rank), "MULTIMLP_LOCAL_RANK": str(rank)}, []) for rank in range(SIZE)
    ]


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """One thread a process, which is pinned to one processor."""
    return (
        environment(1, "cpu")
        | {"NPROC": "1", "TF_NUM_INTEROP_THREADS": "1", "MULTIMLP_NUMBA": "never"}
        | dict(more)
    )


def _mpi_file(name: str, program: str | None = None) -> str | None:
    """A file that the wheel of mpich brings, wherever that was installed; else a program of that name."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("mpich") or ():
            if file.name == name:
                return str(Path(str(file.locate())).resolve())
    return None if program is None else shutil.which(program)


def _wait(running: list[subprocess.Popen[bytes]], patience: float) -> None:
    """Until all have ended, or one has failed."""
    until = time.monotonic() + patience
    while any(process.poll() is None for process in running):
        if time.monotonic() > until:
            raise WorkerError(f"no answer within {patience:.0f} s")
        if any(process.poll() for process in running):
            return
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    """With all that it has started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
    process.wait()


def _last_words(errors: Path) -> str:
    lines = errors.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "the processes ended without a word"
