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
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from multimlp import _processors
from multimlp.backends._turns import Turns
from multimlp.errors import InputError
from multimlp.errors.checks import as_given


def threads_available() -> int:
    """The number of processors that this process may use, a container's quota included; fewer if ``OMP_NUM_THREADS`` says so, as
    launchers do that start several processes on a machine."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(_processors.processors(), max(1, int(wanted)) if wanted.isdecimal() else sys.maxsize)


SWITCH = "MULTIMLP_THREADS"
"""``library``, the default: large steps in place are left to the threads of BLAS or torch; ``own``: they are cut into slices for threads of
ours, which are slower on a quiet machine (every call of a slice asks for the interpreter's lock) and much faster on a busy one, where
the library's spin for each other."""


def own_threads_wanted() -> bool:
    """What the environment says.

    Raises
    ------
    InputError
        If it says neither.
    """
    choice = os.environ.get(SWITCH) or "library"
    if choice not in ("library", "own"):
        raise InputError(f"{SWITCH}: expected library or own, got {as_given(choice)}")
    return choice == "own"


def threads_for(operations: float, all_from: float) -> int | None:
    """How many threads for a largest product of so many operations (2 m n k): one if they are fewer than
    ``all_from``; else None, to leave it to the library, or as many as a container's quota allows, which no library asks for."""
    if operations < all_from:
        return 1
    return None if _processors.quota() is None else threads_available()


def _libraries() -> tuple[Any, ...]:
    """The BLAS libraries of this process that products of ours are made by. SciPy brings one of its own, which is loaded with the first
    kernels that want it, perhaps after somebody has asked for the others."""
    return _found("scipy.linalg._fblas" in sys.modules)


@functools.cache
def _found(with_scipy: bool) -> tuple[Any, ...]:
    """Looked up once: the search takes longer than training a small network for an epoch."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return ()
    return tuple(ThreadpoolController().select(user_api="blas").lib_controllers)


def blas_kernels() -> list[str]:
    """For which processors the BLAS libraries of this process take their kernels, of those that say so."""
    return [library.architecture for library in _libraries() if getattr(library, "architecture", None)]


def can_limit_blas() -> bool:
    """Whether `blas_threads` has a hold on NumPy's BLAS."""
    return bool(_libraries())


BLAS = Turns()
"""The number of threads is one for the process: who wants all of them must not get the one that another thread has asked for, nor the
other way round, or results would depend on who runs beside whom."""


@contextlib.contextmanager
def blas_threads(count: int | None) -> Iterator[None]:
    """Limit the threads of NumPy's BLAS, if threadpoolctl is installed, or with None make sure that nobody has; undone at the end, also
    after an exception, by the last of the threads that want the same."""
    libraries = () if count is None else _libraries()
    # With OpenMP each thread that computes has a number of its own, else there is one for the process.
    own = [library for library in libraries if getattr(library, "threading_layer", "") == "openmp"]
    shared = [library for library in libraries if library not in own]
    with BLAS.taking(count if libraries else None, lambda: _limited(shared, count)):
        undo = _limited(own, count)
        try:
            yield
        finally:
            undo()


def _limited(libraries: Sequence[Any], count: int | None) -> Callable[[], None]:
    before = [library.get_num_threads() for library in libraries]

    def set_to(counts: Sequence[int | None]) -> None:
        for library, number in zip(libraries, counts, strict=True):
            if hasattr(library, "clear_controlling_thread"):
                # It would listen to the thread that was first to set a number, and to no other one.
                library.clear_controlling_thread(force=True)
                library.set_num_threads(number)
                library.clear_controlling_thread(force=True)
            else:
                library.set_num_threads(number)

    set_to([number if count is None else min(number, count) for number in before])
    return lambda: set_to(before)
