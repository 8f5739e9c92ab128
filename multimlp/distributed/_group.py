"""Who takes which rows: the processes of one run, and the pieces of its batches."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from multimlp.distributed._communicator import Alone, Communicator
from multimlp.distributed._workers import Workers
from multimlp.errors import InputError
from multimlp.errors.checks import check_whole

T = TypeVar("T")
_ALONE = Alone()


class Window(NamedTuple):
    """Rows ``start`` to ``stop`` of a batch of ``rows``."""

    start: int
    stop: int
    rows: int

    @property
    def size(self) -> int:
        """How many they are; there may be none."""
        return self.stop - self.start

    @property
    def taken(self) -> slice:
        """They as an index."""
        return slice(self.start, self.stop)


class Clock:
    """Seconds that steps spent on communicating, added up: ``with clock: ...``"""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *exception: object) -> None:
        self.seconds += time.perf_counter() - self._began


@dataclass(frozen=True)
class Group:
    """The processes of a run and what each takes of a batch.

    Of a batch of b rows, the last and smaller one of an epoch included, process r of P takes rows floor(r b / P) to
    floor((r + 1) b / P): nothing is padded, dropped or repeated, and a process may have none. With ``shards=K`` the batch is cut into K
    pieces in the same way, whatever P is, and each process has K / P neighbours of them, whose gradients are added in a fixed order.

    Parameters
    ----------
    communicator : Communicator
    shards : int, optional
        A multiple of the number of processes.
    workers : Workers, optional
        Who runs one compiled program together, in place of processes that sum between programs: each takes the rows of a process, and
        the shards are dealt to them.
    clock : Clock, optional
        Of the time that the steps spend on communicating.

    Raises
    ------
    InputError
        If the processes do not divide the shards.

    Examples
    --------
    >>> from multimlp.distributed import Alone, Group
    >>> Group(Alone()).windows(5)
    (Window(start=0, stop=5, rows=5),)
    >>> [tuple(window) for window in Group(Alone(), shards=2).windows(5)]
    [(0, 2, 5), (2, 5, 5)]
    """

    communicator: Communicator
    shards: int | None = None
    workers: Workers | None = None
    clock: Clock = field(default_factory=Clock, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.shards is None:
            return
        object.__setattr__(self, "shards", check_whole("shards", self.shards, low=1))
        those, many = ("processes", self.size) if self.workers is None else ("workers", self.workers.size)
        if self.shards % many:
            raise InputError(
                f"shards: {self.shards} pieces of a batch cannot be dealt to {many} {those}, which must divide them; "
                f"use a multiple, such as shards={-(-self.shards // many) * many}, or another number of {those}"
            )

    @property
    def rank(self) -> int:
        return self.communicator.rank

    @property
    def size(self) -> int:
        return self.communicator.size

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files, logs and shows progress."""
        return self.communicator.rank == 0

    @property
    def of_programs(self) -> Group | None:
        """What compiled programs depend on; None where they know of no others."""
        return None if self.workers is None else Group(_ALONE, self.shards, self.workers)

    def windows(self, rows: int) -> tuple[Window, ...]:
        """The pieces of a batch of so many rows that this process takes: one, or ``shards / size`` of them."""
        pieces = self.size if self.shards is None else self.shards
        own = pieces // self.size
        cuts = [i * rows // pieces for i in range(self.rank * own, (self.rank + 1) * own + 1)]
        return tuple(Window(start, stop, rows) for start, stop in itertools.pairwise(cuts))


def add_pairs(items: Sequence[T], add: Callable[[T, T], T], all_of_them: bool = True) -> list[T]:
    """Neighbours added two and two, again and again: a fixed binary tree, in which one that has no neighbour is carried on.

    Parameters
    ----------
    items : sequence
        At least one.
    add : callable
    all_of_them : bool
        Until one is left; else only as long as their number is even. What a process can do with its own shards is that part of the tree
        over the shards of all, because it begins at a multiple of their number.

    Examples
    --------
    >>> from multimlp.distributed import add_pairs
    >>> add_pairs("abcde", lambda a, b: f"({a}{b})")
    ['(((ab)(cd))e)']
    >>> add_pairs("abcdef", lambda a, b: f"({a}{b})", all_of_them=False)
    ['(ab)', '(cd)', '(ef)']
    """
    items = list(items)
    while len(items) > 1 and (all_of_them or len(items) % 2 == 0):
        pairs = [add(items[i], items[i + 1]) for i in range(0, len(items) - 1, 2)]
        items = pairs + items[len(items) - len(items) % 2 :]
    return items
