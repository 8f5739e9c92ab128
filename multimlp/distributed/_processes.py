"""Processes of one run on this machine: started with ranks, watched, and ended together, whatever happens."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from multimlp._processors import processors
from multimlp.distributed._environments import without_launchers
from multimlp.distributed._failures import VARIABLE
from multimlp.distributed._progress import misses_others_file

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "NPROC",
)
"""How many threads libraries take: OpenMP and torch, OpenBLAS, MKL, Accelerate, TensorFlow, XLA."""

SECONDS_TO_END = 5.0
"""From the end of one, or from being asked to end, until all others are killed."""


class Processes:
    """Those of one run, one after another in the order of ranks.

    Each has its standard input from here and reads it to its end, so that it ends with this process, and writes what it has exchanged to a
    file. They get an equal share of the processors, unless the environment says how many threads libraries take.

    Parameters
    ----------
    command : sequence of str
    size : int
    folder : Path
        Theirs alone: where they meet and what they write.
    timeout : float
        Seconds that they wait for each other.
    more : mapping of str to str
        Further variables.
    outputs : callable ``rank -> keywords of Popen``
        Where what they print goes.
    """

    def __init__(
        self,
        command: Sequence[str],
        size: int,
        folder: Path,
        timeout: float,
        more: Mapping[str, str] | None = None,
        outputs: Callable[[int], Mapping[str, Any]] = lambda rank: {},
    ) -> None:
        self.size, self._folder = size, folder
        share = str(max(1, processors() // size))
        environment = dict.fromkeys(THREADS, share) | without_launchers(os.environ) | dict(more or {})
        environment |= {
            "MULTIMLP_SIZE": str(size),
            "MULTIMLP_MEETING": str(folder),
            "MULTIMLP_SECRET": secrets.token_hex(16),
            VARIABLE: repr(timeout),
        }
        self.running: list[subprocess.Popen[bytes]] = []
        try:
            for rank in range(size):
                own = {"RANK": rank, "LOCAL_RANK": rank, "PROGRESS": self._progress_file(rank)}
                self.running.append(
                    subprocess.Popen(
                        list(command),
                        env=environment | {f"MULTIMLP_{name}": str(value) for name, value in own.items()},
                        stdin=subprocess.PIPE,
                        start_new_session=True,  # Ctrl-C reaches them once, from here
                        **outputs(rank),
                    )
                )
        except BaseException:
            self.end()
            raise

    def codes(self) -> list[int | None]:
        """The exit code of each; None for those that are at work."""
        return [process.poll() for process in self.running]

    def progress(self) -> list[tuple[int, int] | None]:
        """Exchanges begun and finished by each; None for one that has not begun to report."""
        return [self._counted(rank) for rank in range(self.size)]

    def missing_others(self) -> set[int]:
        """The ranks that found another gone or stuck."""
        return {rank for rank in range(self.size) if misses_others_file(self._progress_file(rank)).exists()}

    def signal(self, number: int) -> None:
        """To all that are at work."""
        for process in self.running:
            with contextlib.suppress(OSError):
                process.send_signal(number)

    def wait(self) -> bool:
        """Whether they have ended by themselves within `SECONDS_TO_END`."""
        until = time.monotonic() + SECONDS_TO_END
        for process in self.running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(until - time.monotonic(), 0.001))
        return None not in self.codes()

    def end(self) -> None:
        """Ask them to end, kill those that do not, and wait until none is there."""
        self.signal(signal.SIGTERM)
        self.wait()
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()

    def _progress_file(self, rank: int) -> Path:
        return self._folder / f"progress-{rank}"

    def _counted(self, rank: int) -> tuple[int, int] | None:
        try:
            begun, finished = self._progress_file(rank).read_text().split()
        except (OSError, ValueError):
            return None
        return int(begun), int(finished)


def python_command(code: str, *arguments: str) -> list[str]:
    """The command that runs a line of Python where this process finds its modules.

    ``python -c`` and ``python -m`` alone look into the current folder first, where a ``random.py`` of the user's would stand for the
    library's.

    Parameters
    ----------
    code : str
    *arguments : str
        Which it finds in ``sys.argv``.

    Examples
    --------
    >>> import subprocess
    >>> from multimlp.distributed import python_command
    >>> subprocess.run(python_command("print(sys.argv[1])", "here"), capture_output=True, text=True).stdout.strip()
    'here'
    """
    found = [os.path.abspath(entry) for entry in sys.path]
    return [sys.executable, "-c", f"import sys; sys.path[:] = {found!r}; {code}", *arguments]


def ending(code: int) -> str:
    """How a process ended, in words.

    Examples
    --------
    >>> from multimlp.distributed._processes import ending
    >>> ending(3), ending(-9)
    ('ended with exit code 3', 'was killed by SIGKILL')
    """
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
