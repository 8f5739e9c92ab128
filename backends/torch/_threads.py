"""torch's number of threads: a thread has its own, the matrix library has one for the process, and a new thread starts from the last
that any thread has set."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import torch

from multimlp.backends._turns import Turns

_TURNS = Turns()
_seen = threading.local()


@contextlib.contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Limit torch to so many threads, or with None make sure that nobody has; undone at the end, also after an exception.

    Limits of two threads go one after the other, since giving one back would lift the other in part. Little is lost: steps so small are
    bound by Python.
    """
    if count is None:
        with _TURNS.taking(None):
            _join()
            yield
        return
    with _TURNS.taking(count, lambda: _limited(count), alone=True):
        yield


def _limited(count: int) -> Callable[[], None]:
    _join()
    before = torch.get_num_threads()
    if before > count:
        torch.set_num_threads(count)
    return lambda: torch.set_num_threads(before) if before > count else None


def _join() -> None:
    """A thread whose first computation fell into another one's limit starts with that limit, for good; ask a new thread what it is now."""
    if getattr(_seen, "it", False):
        return
    _seen.it = True
    if threading.current_thread() is not threading.main_thread():
        found: list[int] = []
        asked = threading.Thread(
            target=lambda: found.append(torch.get_num_threads()), name="multimlp-threads"
        )
        asked.start()
        asked.join()
        if torch.get_num_threads() < found[0]:
            torch.set_num_threads(found[0])
