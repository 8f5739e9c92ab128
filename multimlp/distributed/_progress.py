"""What a process tells the one that started it: how many exchanges with the others it has begun and finished.

Counting is all that training does; a thread writes the numbers to a file now and then, and ends the process if its parent is gone.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

SECONDS = 0.2
"""Between two reports."""

begun = 0
finished = 0
_path: str | None = None


def beat() -> None:
    """There is progress: to be called where much is done without an exchange, such as a compiled epoch."""
    global begun, finished
    begun += 1
    finished += 1


class _Exchange:
    """``with exchange:`` what all processes do together; while it lasts, this one may be waiting for others."""

    __slots__ = ()

    def __enter__(self) -> None:
        global begun
        begun += 1

    def __exit__(self, *error: object) -> None:
        global finished
        finished += 1


exchange = _Exchange()


def misses_others() -> None:
    """Another process is gone or stuck, which is why this one fails: said at once, since it may not live until the next report."""
    if _path is not None:
        with contextlib.suppress(OSError):
            misses_others_file(_path).touch()


def misses_others_file(path: str | Path) -> Path:
    """Beside the file of the report; it is there if `misses_others` was called."""
    return Path(f"{path}-misses-others")


def report(path: str, parent: int) -> None:
    """Write to ``path`` from now on; the end of ``parent``, what reads at the other end of this descriptor, is the end of this process."""
    global _path
    _path = path
    threading.Thread(target=_write, args=(path,), daemon=True).start()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _write(path: str) -> None:
    while True:
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{begun} {finished}\n")
        except OSError:
            return  # the folder is gone, as the run is over
        time.sleep(SECONDS)


def _end_with(parent: int) -> None:
    try:
        while os.read(parent, 1):
            pass
    except OSError:
        return
    os._exit(1)
