"""Which processes this one belongs to, once it has joined them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar

from multimlp.distributed._communicator import Communicator
from multimlp.errors import InputError

_joined: ContextVar[Communicator | None] = ContextVar("multimlp_communicator", default=None)
_of_process: Communicator | None = None


@contextlib.contextmanager
def joined(communicator: Communicator) -> Iterator[None]:
    """Inside, this thread or task is one of the communicator's.

    Examples
    --------
    >>> from multimlp.distributed import Alone, current, joined
    >>> with joined(Alone()):
    ...     current().size
    1
    """
    token = _joined.set(communicator)
    try:
        yield
    finally:
        _joined.reset(token)


def join(communicator: Communicator | None) -> None:
    """This process is one of the communicator's from now on; None: it is alone again."""
    global _of_process
    _of_process = communicator


def current() -> Communicator | None:
    """The communicator that this process has joined, or None."""
    found = _joined.get()
    return _of_process if found is None else found


def inside() -> Communicator | None:
    """The communicator of the `joined` block that this thread or task is in, or None."""
    return _joined.get()


_running = threading.RLock()


@contextlib.contextmanager
def one_run(communicator: Communicator) -> Iterator[None]:
    """Inside, no other thread of this process exchanges numbers with the others: which of two runs they belong to is known by their order
    alone, and that of threads is another in each process.

    Raises
    ------
    InputError
        If one does.

    Examples
    --------
    >>> from multimlp.distributed import Alone, one_run
    >>> with one_run(Alone()):
    ...     pass
    """
    if communicator.size == 1:
        yield
        return
    if not _running.acquire(blocking=False):
        raise InputError(
            "devices: another thread of this process trains with the other processes, and the numbers of two runs would be mixed up; make "
            "one such run after the other (without devices= threads may train at once)"
        )
    try:
        yield
    finally:
        _running.release()


def rank() -> int:
    """Which of the processes of a run this is, from 0; 0 for one that has joined no others.

    Examples
    --------
    >>> import multimlp as mm
    >>> mm.distributed.rank(), mm.distributed.size(), mm.distributed.is_main()
    (0, 1, True)
    """
    found = current()
    return 0 if found is None else found.rank


def size() -> int:
    """How many processes there are in a run that this one has joined; else 1."""
    found = current()
    return 1 if found is None else found.size


def is_main() -> bool:
    """Whether this is the process that writes files and shows progress: the one of rank 0."""
    return rank() == 0
