"""How many threads the products of a training step get, and giving the rest back afterwards.

More threads pay off only from some size of product on; below it they wait for each other longer than they
work. Measured on two cores: products of 2 x 128^3 operations gain a factor of 1.4 from the second core in
torch, whose threads spin less, and nothing in OpenBLAS, where they take up to 2.4 times as long as soon as
anything else wants a core; those of 2 x 256 x 784 x 256 gain a factor of 1.8 in both. The number depends on
the problem alone, never on a measurement at run time, because BLAS libraries may round differently with
another number of threads.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from typing import Any


def threads_available() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(operations: float, all_from: float) -> int | None:
    """How many threads for a largest product of so many operations (2 m n k): one if they are fewer than
    ``all_from``; None: leave it to the library."""
    return 1 if operations < all_from else None


@functools.cache
def _controller() -> Any | None:
    """The BLAS libraries of this process, looked up once: the search takes longer than training a small
    network for an epoch."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController().select(user_api="blas")


@contextlib.contextmanager
def blas_threads(count: int | None) -> Iterator[None]:
    """Limit the threads of NumPy's BLAS, if threadpoolctl is installed; undone at the end, also after an
    exception."""
    controller = None if count is None else _controller()
    if controller is None:
        yield
        return
    with controller.limit(limits=count):
        yield
