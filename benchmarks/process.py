"""The driver's side of a worker process: start it, ask it, end it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.channel import Failure, Hello
from benchmarks.implementations import IMPLEMENTATIONS, Implementation

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 300.0
"""Seconds after which an answer is no longer waited for."""

Answer = TypeVar("Answer")

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)


class WorkerError(Exception):
    """The process failed, died or did not answer; the message says so in a line."""


def cores_available() -> list[int]:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


TF32_OFF = {"NVIDIA_TF32_OVERRIDE": "0", "JAX_DEFAULT_MATMUL_PRECISION": "highest"}
TF32_ON = {
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1",
    "CUPY_TF32": "1",
    "JAX_DEFAULT_MATMUL_PRECISION": "tensorfloat32",
}


def environment(threads: int, device: str | None, tf32: bool = False) -> dict[str, str]:
    """The variables of a worker: threads, device, the precision of float32 products on a GPU, no chatter; none of multimlp's, so that
    what is measured is what its name says."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("MULTIMLP_")}
    given.update(TF_CPP_MIN_LOG_LEVEL="3", PYTHONPATH=str(ROOT), PYTHONWARNINGS="ignore")
    given.update({name: str(threads) for name in THREAD_VARIABLES})
    if device in (None, "cpu"):
        given.update(CUDA_VISIBLE_DEVICES="", JAX_PLATFORMS="cpu")
    else:
        given.update(
            TF32_ON if tf32 else TF32_OFF,
            XLA_PYTHON_CLIENT_PREALLOCATE="false",
            TF_FORCE_GPU_ALLOW_GROWTH="true",
        )
    return given


class Worker:
    """One implementation in a process of its own.

    Parameters
    ----------
    implementation : Implementation
    cores : sequence of int
        The processors that it is pinned to.
    device : str or None
    tf32 : bool
        Whether products of float32 on a GPU may be rounded to 10 bits.

    Attributes
    ----------
    versions : dict of str to str
        Of the libraries that the process has imported; after `wait_until_ready`.
    """

    def __init__(
        self,
        implementation: Implementation,
        cores: Sequence[int],
        device: str | None = None,
        tf32: bool = False,
    ) -> None:
        self.implementation = implementation
        self.versions: dict[str, str] = {}
        self.started = time.perf_counter()
        mine, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        with theirs:
            arguments = [
                str(theirs.fileno()),
                str(IMPLEMENTATIONS.index(implementation)),
                ",".join(map(str, cores)),
            ]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.worker", *arguments],
                cwd=ROOT,
                env=environment(len(cores), device, tf32) | implementation.environment,
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=[theirs.fileno()],
            )
        self._connection = Connection(mine.detach())

    def wait_until_ready(self) -> float:
        """Wait for the imports; seconds since the process was started, less those for what only we need."""
        hello = self._answer(Hello)
        self.versions = hello.versions
        return time.perf_counter() - self.started - hello.overhead

    def ask(self, order: Any, answer: type[Answer]) -> Answer:
        """Send an order and wait for the answer.

        Raises
        ------
        WorkerError
        """
        try:
            self._connection.send(order)
        except OSError:
            raise WorkerError(self._last_words()) from None
        return self._answer(answer)

    def _answer(self, answer: type[Answer]) -> Answer:
        try:
            if not self._connection.poll(PATIENCE):
                raise WorkerError(f"no answer within {PATIENCE:.0f} s")
            received = self._connection.recv()
        except (EOFError, OSError):
            raise WorkerError(self._last_words()) from None
        if isinstance(received, Failure):
            raise WorkerError(received.message)
        if not isinstance(received, answer):
            raise WorkerError(f"answered {received!r} where {answer.__name__} was expected")
        return received

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"the process ended with code {code}: {lines[-1] if lines else 'no message'}"

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()
