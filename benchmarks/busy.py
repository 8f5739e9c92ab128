"""Other processes at full load, as on a machine that is shared."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

SPINNERS = 2
LONGEST = 600
"""Seconds after which they end by themselves, should nobody be left to end them."""
_SPIN = "import sys, time\nend = time.monotonic() + float(sys.argv[1])\nprint(flush=True)\nwhile time.monotonic() < end: pass"


@contextlib.contextmanager
def busy_machine(count: int = SPINNERS) -> Iterator[None]:
    """Inside, ``count`` processes spin."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            one = stack.enter_context(
                subprocess.Popen([sys.executable, "-c", _SPIN, str(LONGEST)], stdout=subprocess.PIPE)
            )
            stack.callback(one.kill)
            assert one.stdout is not None
            one.stdout.readline()  # it is running
        yield
