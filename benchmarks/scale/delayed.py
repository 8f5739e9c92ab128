"""A communicator that takes as long as a link would: the cost model, where `mm.fit` can be trained on it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from benchmarks.scale.model import Link, messages, sum_seconds
from multimlp.distributed import Communicator

_SLEEPS = 5e-3
"""Seconds from which on a pause is slept through, which ends late, by much on a busy machine; shorter ones are spent looking on."""


@dataclass
class Delay:
    """What has been communicated, and how long it would have taken by the model."""

    sums: int = 0
    others: int = 0
    largest: int = 0
    """Bytes of the largest sum."""
    seconds: float = 0.0


class Delayed:
    """Another communicator, with a delay added to all that it does.

    Parameters
    ----------
    inner : Communicator
    link : Link
    size : int, optional
        Pretend to be the first of so many processes; the others have nothing to add. ``inner`` is alone then.
    wait : bool
        Whether the time passes; else it is only added up.

    Attributes
    ----------
    delay : Delay
    """

    name = "delayed"

    def __init__(self, inner: Communicator, link: Link, size: int | None = None, wait: bool = True) -> None:
        if size is not None and inner.size != 1:
            raise ValueError("a communicator that pretends to be one of many wraps that of a process alone")
        self._inner, self._link, self._wait = inner, link, wait
        self.rank, self.size = inner.rank, inner.size if size is None else size
        self.delay = Delay()

    def sum(self, vector: np.ndarray) -> np.ndarray:
        self.delay.sums += 1
        self.delay.largest = max(self.delay.largest, vector.nbytes)
        self._pass(sum_seconds(vector.nbytes, self.size, self._link))
        return self._inner.sum(vector)

    def gather(self, vector: np.ndarray) -> np.ndarray:
        self.delay.others += 1
        self._pass(self._half((self.size - 1) * vector.nbytes))
        rows = self._inner.gather(vector)
        return rows if len(rows) == self.size else np.repeat(rows, self.size, axis=0)

    def broadcast(self, data: bytes | None) -> bytes:
        self.delay.others += 1
        found = self._inner.broadcast(data)
        self._pass(self._half(len(found)))
        return found

    def close(self) -> None:
        self._inner.close()

    def _half(self, size: int) -> float:
        """One way, where a sum is there and back."""
        return messages(self.size) / 2 * self._link.latency + size / self._link.bandwidth

    def _pass(self, seconds: float) -> None:
        self.delay.seconds += seconds
        if not self._wait:
            return
        until = time.perf_counter() + seconds
        if seconds > _SLEEPS:
            time.sleep(seconds - _SLEEPS / 5)
        while time.perf_counter() < until:
            pass
