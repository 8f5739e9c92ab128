"""The launcher for one machine: as many processes of one command, watched until the last has ended.

A process that fails ends all, and so does one that makes no progress: some libraries wait for each other for ever. What rank 0 prints is
shown; of the others, what they wrote to standard error, once the run has failed.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from multimlp.distributed._failures import VARIABLE
from multimlp.distributed._failures import timeout as waiting_time
from multimlp.distributed._processes import Processes, ending

MARGIN = 5.0
"""Seconds beyond the time-out, in which the processes may say themselves who is missing: they know more."""
LINES = 20
"""Of the end of what a process wrote to standard error."""
STALLED = 1
BAD_USAGE = 2
"""The exit code of what another try would not change."""


def launch(
    command: Sequence[str],
    processes: int,
    *,
    restarts: int = 0,
    timeout: float | None = None,
    note: Callable[[str], None],
) -> int:
    """Run a command in several processes, and once more in new ones where they fail.

    Parameters
    ----------
    command : sequence of str
    processes : int
    restarts : int
        How many times it is started again. The command is the same: it has a checkpoint, or begins anew.
    timeout : float, optional
        Seconds without progress; default: `multimlp.distributed.timeout`.
    note : callable
        Told in a line what happens.

    Returns
    -------
    int
        0, or the exit code of the process that failed first, 128 more than the number of the signal that killed it.
    """
    limit = waiting_time(timeout)
    with _signals() as received:
        for tries_left in range(restarts, -1, -1):
            code, reason = _try(command, processes, limit, received)
            if code == 0:
                return 0
            if received:
                return 128 + received[0]
            if tries_left == 0 or code == BAD_USAGE:
                break
            note(f"{reason}; starting all again ({restarts - tries_left + 1} of {restarts})")
        note(f"{reason}; all processes were ended")
    return code


def _try(command: Sequence[str], size: int, limit: float, received: list[int]) -> tuple[int, str]:
    """The exit code of one try, and why it failed."""
    with tempfile.TemporaryDirectory(prefix="multimlp-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with contextlib.ExitStack() as files:

            def outputs(rank: int) -> dict[str, Any]:
                if rank == 0:
                    return {}
                errors = files.enter_context(open(folder / f"errors-{rank}", "wb"))
                return {"stdout": subprocess.DEVNULL, "stderr": errors}

            started = Processes(command, size, folder, limit, outputs=outputs)
        try:
            code, reason = _watch(started, limit, received)
        finally:
            started.end()
        if code != 0 and not received:
            _show_errors(folder, size)
        return code, reason


def _watch(started: Processes, limit: float, received: list[int]) -> tuple[int, str]:
    """Until all have ended, or one has failed, or makes no progress."""
    seen = [(0, 0)] * started.size
    changed = [time.monotonic()] * started.size
    passed_on = 0
    while True:
        codes = started.codes()
        if any(codes):
            started.wait()  # the others notice, and say so
            return _failure(started)
        if None not in codes:
            return 0, ""
        for number in received[passed_on:]:
            if passed_on > 0:
                return 128 + number, "interrupted twice"
            started.signal(number)
            passed_on += 1
        now = time.monotonic()
        for rank, counted in enumerate(started.progress()):
            if counted is not None and counted != seen[rank]:
                seen[rank], changed[rank] = counted, now
        working = [rank for rank, code in enumerate(codes) if code is None]
        late = [rank for rank in working if now - changed[rank] > limit + MARGIN]
        idle = [rank for rank in late if seen[rank][0] == seen[rank][1]]
        if idle or late == working:  # who waits for another is not to blame, unless all do
            return STALLED, _stalled(idle or late, limit)
        time.sleep(0.05)


def _failure(started: Processes) -> tuple[int, str]:
    """Whose end is the reason of the others': not one that misses another."""
    failed = [(rank, code) for rank, code in enumerate(started.codes()) if code]
    missing_others = started.missing_others()
    rank, code = min(failed, key=lambda one: (one[0] in missing_others, one[1] > 0, one[0]))
    silent = [rank for rank, code in enumerate(started.codes()) if code is None]
    shown = code if code > 0 else 128 - code
    if rank in missing_others and silent:
        return shown, f"{_named(silent)} did not answer the others"
    return shown, f"rank {rank} of {started.size} {ending(code)}"


def _stalled(ranks: Sequence[int], limit: float) -> str:
    they = "it was" if len(ranks) == 1 else "they were"
    return f"{_named(ranks)} made no progress for {limit + MARGIN:g} s; if {they} at work, raise {VARIABLE}"


def _named(ranks: Sequence[int]) -> str:
    return f"rank{'s' if len(ranks) > 1 else ''} {', '.join(map(str, ranks))}"


def _show_errors(folder: Path, size: int) -> None:
    for rank in range(1, size):
        text = (folder / f"errors-{rank}").read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines()[-LINES:]:
            print(f"[rank {rank}] {line}", file=sys.stderr)


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """Ctrl-C, and being asked to end, as a list that grows; in the main thread, which alone hears them."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, frame: received.append(number)) for number in numbers]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
