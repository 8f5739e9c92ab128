"""MPI, by mpi4py: the way of ``mpiexec`` and of most clusters. Importing ``mpi4py.MPI`` starts MPI, so it is imported when asked for."""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import sys
import time
from typing import Any

import numpy as np

from multimlp.distributed._failures import failed, stuck
from multimlp.distributed._progress import exchange
from multimlp.distributed._vectors import flat, summable
from multimlp.errors import DistributedError, missing_dependency
from multimlp.errors.shown import one_line

_SPIN = 0.001
"""Seconds of asking without a pause; a sum of few numbers takes microseconds."""
_SECONDS_TO_BE_HEARD = 0.3
"""Until the end of all: what a process has just said is on its way through mpiexec, which forgets it then."""


class MPI:
    """All processes that ``mpiexec`` started.

    Parameters
    ----------
    timeout : float
        Seconds after which an operation that others have not joined is given up.
    """

    name = "mpi"

    def __init__(self, timeout: float) -> None:
        self._mpi = _imported()
        self._all = self._mpi.COMM_WORLD.Dup()  # messages of the user's own are not mixed up with these
        self.rank, self.size = int(self._all.rank), int(self._all.size)
        self._timeout = timeout
        self._broken: str | None = None
        atexit.register(self._end)
        _note_uncaught()

    def sum(self, vector: np.ndarray) -> np.ndarray:
        total = summable(vector)
        self._finish("sum", self._all.Iallreduce(self._mpi.IN_PLACE, total))
        return total.astype(vector.dtype, copy=False)

    def gather(self, vector: np.ndarray) -> np.ndarray:
        vector = flat(vector)
        rows = np.empty((self.size, vector.size), vector.dtype)
        data, places = vector.view(np.uint8), rows.reshape(-1).view(np.uint8)
        self._finish("gather", self._all.Iallgather(data, places))
        return rows

    def broadcast(self, data: bytes | None) -> bytes:
        if self.rank == 0 and data is None:
            raise TypeError("rank 0 gives the bytes")
        length = np.asarray([0 if data is None else len(data)])
        self._finish("broadcast", self._all.Ibcast(length))
        held = np.empty(int(length[0]), np.uint8) if data is None else np.frombuffer(data, np.uint8).copy()
        self._finish("broadcast", self._all.Ibcast(held))
        return held.tobytes()

    def close(self) -> None:
        """MPI itself ends with the process."""

    def abandon(self) -> None:
        """Nothing more is to come; at its end this process ends the others."""
        self._broken = self._broken or f"rank {self.rank} has given up"

    def _finish(self, name: str, request: Any) -> None:
        if self._broken is not None:
            raise DistributedError(self._broken)
        try:
            with exchange:
                self._wait(name, request)
        except self._mpi.Exception as error:
            self._broken = str(failed(name, error))
            raise DistributedError(self._broken) from None
        except BaseException as error:
            self._broken = f"rank {self.rank} stopped: {error}"
            raise

    def _wait(self, name: str, request: Any) -> None:
        if request.Test():
            return
        begun = time.monotonic()
        while not request.Test():
            waited = time.monotonic() - begun
            if waited > self._timeout:
                raise stuck("another process", name, self._timeout)
            if waited > _SPIN:
                time.sleep(min(0.05 * waited, 0.001))

    def _end(self) -> None:
        """MPI ends when all come to its end; after an error some never do, so that the rest is ended."""
        if self._broken is not None or _uncaught:
            sys.stdout.flush()
            sys.stderr.flush()
            time.sleep(_SECONDS_TO_BE_HEARD)
            self._mpi.COMM_WORLD.Abort(1)


def _imported() -> Any:
    if importlib.util.find_spec("mpi4py") is None:
        raise missing_dependency("mpi4py", "training under mpiexec", "mpi")
    try:
        return importlib.import_module("mpi4py.MPI")
    except Exception as error:
        raise DistributedError(
            f"mpi4py is installed, but does not find its MPI library: {one_line(error)}; pip install 'multimlp[mpi]' brings one, and "
            "MPI4PY_LIBMPI names another"
        ) from error


_uncaught: list[BaseException] = []


def _note_uncaught() -> None:
    """Remember that the program ends by an error."""
    show = sys.excepthook

    def noted(kind: Any, error: BaseException, trace: Any) -> None:
        _uncaught.append(error)
        show(kind, error, trace)

    sys.excepthook = noted
