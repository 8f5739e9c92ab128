"""What training asks of the processes that it shares its work with."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Communicator(Protocol):
    """The processes of a run, seen from one of them.

    Every process calls the same methods in the same order. A peer that is gone, or that does not answer in time, is a
    `multimlp.errors.DistributedError`.

    A communicator that can sum arrays of its own library where they are may say so by further methods, which that library's adapter looks
    for in `Backend.summed` and `Backend.gathered`: of torch ``sum_tensor(tensor)``, in place, and ``gather_tensor(tensor)``, which
    returns a tensor of shape (size, n).
    """

    name: str
    """What carries the bytes, for reports: ``"mpi"``, ``"gloo"``, ``"nccl"``, ``"xla"``, ``"tensorflow"``."""
    rank: int
    """Which process this is, 0 .. size - 1."""
    size: int

    def sum(self, vector: np.ndarray) -> np.ndarray:
        """The sum of a flat array over the processes, with the same bits on each; ``vector`` may be written to."""

    def gather(self, vector: np.ndarray) -> np.ndarray:
        """The flat arrays of all processes, shape (size, n), in the order of their ranks, on each."""

    def broadcast(self, data: bytes | None) -> bytes:
        """The bytes that rank 0 gives; the others give None."""

    def close(self) -> None:
        """Take leave; nothing is called afterwards."""


class Alone:
    """The communicator of one process.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.distributed import Alone
    >>> Alone().sum(np.ones(2)), Alone().gather(np.ones(2)).shape
    (array([1., 1.]), (1, 2))
    """

    name = "none"
    rank = 0
    size = 1

    def sum(self, vector: np.ndarray) -> np.ndarray:
        return vector

    def gather(self, vector: np.ndarray) -> np.ndarray:
        return vector[None]

    def broadcast(self, data: bytes | None) -> bytes:
        if data is None:
            raise TypeError("rank 0 gives the bytes")
        return data

    def close(self) -> None:
        pass
