"""A busy machine: processes that do nothing but compute, beside what is measured."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_SPIN = """
import sys, time
end = time.monotonic() + float(sys.argv[1])
print(flush=True)
while time.monotonic() < end:
    for _ in range(100_000):
        pass
"""


@contextmanager
def busy(processes: int = 2, seconds: float = 60.0) -> Iterator[None]:
    """So many processes at full load while the block runs; they end with it, and by themselves after so many seconds.

    The block begins when all of them compute. Nothing but these processes is ever ended.

    Parameters
    ----------
    processes : int
        0 for a quiet machine, so that both are one loop.
    seconds : float
        The longest they may run, also if this process is killed.

    Examples
    --------
    >>> with busy(2, seconds=5):
    ...     pass
    """
    with ExitStack() as stack:
        spinning = [stack.enter_context(_spinning(seconds)) for _ in range(processes)]
        for process in spinning:
            assert process.stdout is not None
            process.stdout.readline()
        yield


@contextmanager
def _spinning(seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", _SPIN, str(seconds)], stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.terminate()
