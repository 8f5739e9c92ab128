"""What is said when another process is gone or stuck, and how long one waits before it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar

from multimlp.distributed._progress import misses_others
from multimlp.errors import DistributedError
from multimlp.errors.checks import check_number, refuse
from multimlp.errors.shown import one_line

TIMEOUT = 600.0
"""Seconds; long enough for a program that one rank compiles, or a file that rank 0 writes, while the others wait."""

VARIABLE = "MULTIMLP_TIMEOUT"

_resume: ContextVar[str | None] = ContextVar("multimlp_resume", default=None)


def timeout(given: float | None = None) -> float:
    """The seconds that a process waits for another: the argument, else ``MULTIMLP_TIMEOUT``, else `TIMEOUT`.

    Examples
    --------
    >>> from multimlp.distributed import timeout
    >>> timeout(), timeout(5)
    (600.0, 5.0)
    """
    if given is not None:
        return check_number("timeout", given, low=0, low_open=True)
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return TIMEOUT
    try:
        value = float(text)
    except ValueError:
        raise refuse(f"environment variable {VARIABLE}", "a number of seconds", text) from None
    return check_number(f"environment variable {VARIABLE}", value, low=0, low_open=True)


@contextlib.contextmanager
def resuming_from(checkpoint: object) -> Iterator[None]:
    """Inside, a `DistributedError` names this file to go on from; None for a run that keeps none."""
    token = _resume.set(None if checkpoint is None else os.fspath(checkpoint))  # type: ignore[call-overload]
    try:
        yield
    finally:
        _resume.reset(token)


def gone(peer: str, during: str, why: str = "") -> DistributedError:
    """The error for a peer that has ended or been killed."""
    return _lost(f"{peer} is gone{why and f' ({why})'}", during)


def stuck(peer: str, during: str, seconds: float) -> DistributedError:
    """The error for a peer that has not answered in time."""
    waited = f"{peer} has not answered for {seconds:g} s"
    return _lost(waited, during, f"; if it is at work, raise {VARIABLE}")


def failed(during: str, error: BaseException) -> DistributedError:
    """The error for what a library's own collective raised."""
    return _lost(f"another process is gone or stuck: {type(error).__name__}: {one_line(error)}", during)


def told(text: str) -> DistributedError:
    """The error that another process has found and passed on."""
    misses_others()
    return DistributedError(text)


def _lost(what: str, during: str, advice: str = "") -> DistributedError:
    checkpoint = _resume.get()
    again = "start all processes again"
    if checkpoint is None:
        again += " (with checkpoint=... a run can be resumed, on any number of processes)"
    else:
        again += f" with checkpoint={checkpoint!r}, on any number of processes, and it goes on"
    return told(f"{what}, during {during}; {again}{advice}")
