"""What the workers of a group make of a batch together, inside of a program (`multimlp.distributed.Workers`).

Where all workers run the same program, rows that do not divide take no arrays of other shapes: the window of each worker is as long as
the longest, and what it has of its neighbour's rows counts nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

import numpy as np

from multimlp.backend import Array, Function, array_namespace
from multimlp.distributed import Workers, add_pairs
from multimlp.training.engines.base import Problem
from multimlp.training.engines.objective import Arrays


def workers_of(problem: Problem) -> Workers:
    """Those of a problem that has some."""
    assert problem.group is not None
    assert problem.group.workers is not None
    return problem.group.workers


class Shares:
    """The sum of what the workers make of their rows of a batch, as part of a program.

    Parameters
    ----------
    problem : Problem
        With a group that has workers.
    share : callable ``((*given, start, rows, everyone, *data), counted=None) -> (flat,)``
        Of some rows of a batch, of which ``start`` is the first one's place in it; ``counted`` is which of them count.
    compiled : callable
        The same as a program of its own, without ``counted``.

    Attributes
    ----------
    sharded : bool
        Whether bits must not depend on the number of workers.
    """

    def __init__(self, problem: Problem, share: Callable[..., Arrays], compiled: Function) -> None:
        self._backend, self._share, self._compiled = problem.backend, share, compiled
        self._workers = workers_of(problem)
        shards = None if problem.group is None else problem.group.shards
        self.sharded, self._own = shards is not None, (shards or self._workers.size) // self._workers.size

    def __call__(self, given: Arrays, rows: Array, data: Sequence[Array]) -> Array:
        """Of the batch of all ``rows``; the same bits on each worker."""
        workers, own = self._workers, self._own
        pieces = workers.size * own
        cuts = np.asarray([i * int(rows.shape[0]) // pieces for i in range(pieces + 1)], dtype=np.int32)
        parts = (self._alike if workers.uniform else self._apart)(given, rows, data, cuts)
        return self._in_pairs(parts) if self.sharded else workers.sum(parts[0])

    def sealed(self, function: Function) -> Function:
        """With shards, a function whose bits are the same in the programs of any number of workers."""
        return self._workers.sealed(function) if self.sharded else function

    def _apart(self, given: Arrays, rows: Array, data: Sequence[Array], cuts: np.ndarray) -> list[Array]:
        """Each worker's program is its own and knows which rows are its."""
        first = int(self._workers.index(rows)) * self._own

        def one(start: int, stop: int) -> Array:
            place = self._backend.asarray(np.asarray(start), dtype="int32")
            return self._compiled((*given, place, rows[start:stop], rows, *data))[0]

        return [one(int(cuts[i]), int(cuts[i + 1])) for i in range(first, first + self._own)]

    def _alike(self, given: Arrays, rows: Array, data: Sequence[Array], cuts: np.ndarray) -> list[Array]:
        """One program, in which it is known from an array which worker runs it."""
        xp, sizes = array_namespace(rows), np.diff(cuts)
        table = self._backend.asarray(cuts, dtype="int32")
        window = xp.arange(int(sizes.max()), dtype=xp.int32)
        uneven = int(sizes.min()) < int(sizes.max())
        first = self._workers.index(rows) * self._own

        def share(arrays: Arrays) -> Arrays:
            *given, place, end = arrays
            inside = place + window
            counted = inside < end if uneven else None
            return self._share((*given, place, xp.take(rows, inside, axis=0), rows, *data), counted)

        def one(number: Array) -> Array:
            at = xp.reshape(first + number, (1,))
            place, end = (xp.reshape(xp.take(table, i, axis=0), ()) for i in (at, at + 1))
            return self.sealed(share)((*given, place, end))[0]

        if not self.sharded:
            return [one(xp.zeros_like(first))]
        numbers = xp.arange(self._own, dtype=xp.int32)
        _, (stacked,) = self._backend.scan(lambda _, items: ((), (one(items[0]),)), (), (numbers,), self._own)
        return [stacked[i, ...] for i in range(self._own)]

    def _in_pairs(self, parts: list[Array]) -> Array:
        """The tree over all shards, of which each worker adds its part before anything travels."""
        size = self._workers.size
        mine = self.sealed(lambda arrays: tuple(add_pairs(arrays, operator.add, all_of_them=False)))(
            tuple(parts)
        )
        xp, each = array_namespace(mine[0]), len(mine)
        rows = self._workers.gather(mine[0] if each == 1 else xp.concat(list(mine)))
        rows = xp.reshape(rows, (size * each, -1))
        return self.sealed(lambda arrays: tuple(add_pairs(arrays, operator.add)))(
            tuple(rows[i, ...] for i in range(size * each))
        )[0]
