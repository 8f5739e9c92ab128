"""Processes of tests: started, waited for with a time limit, and ended, whatever happens."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

LAUNCHERS = (
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "MASTER_",
    "PMI",
    "OMPI_",
    "SLURM_",
    "TF_CONFIG",
    "JAX_",
    "MULTIMLP_",
)


def environment(**more: str) -> dict[str, str]:
    """This process's, without what launchers set, one thread a library."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
    path = os.pathsep.join([str(TESTS.parent), str(TESTS), plain.get("PYTHONPATH", "")])
    return {**plain, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **more}


def mpi_file(name: str) -> str:
    """A file that the wheel of mpich brings, wherever it was installed."""
    if importlib.util.find_spec("mpi4py") is None:
        pytest.skip("needs mpi4py")
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("mpich") or ():
            if file.name == name:
                return str(Path(str(file.locate())).resolve())
    pytest.skip("needs mpich")


def mpi_environment(**more: str) -> dict[str, str]:
    """With the library named, as an environment that borrows the packages of another has it elsewhere."""
    return environment(MPI4PY_LIBMPI=mpi_file("libmpi.so.12"), **more)


@contextlib.contextmanager
def started(commands: Sequence[Sequence[str]], env: dict[str, str]) -> Iterator[list[subprocess.Popen[str]]]:
    """Those processes; whoever is still there at the end is killed."""
    running: list[subprocess.Popen[str]] = []
    try:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        running.extend(subprocess.Popen(list(command), env=env, text=True, **pipes) for command in commands)
        yield running
    finally:
        for process in running:
            process.kill()
        for process in running:
            process.communicate()


def outputs(
    commands: Sequence[Sequence[str]], env: dict[str, str], seconds: float = 60
) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of each, all within so many seconds."""
    end = time.monotonic() + seconds
    with started(commands, env) as running:
        found = []
        for process in running:
            out, err = process.communicate(timeout=max(end - time.monotonic(), 0.1))
            found.append((process.returncode, out, err))
        return found


def python(script: str, *arguments: object) -> list[str]:
    """The command that runs a file of this folder."""
    return [sys.executable, str(TESTS / script), *map(str, arguments)]
