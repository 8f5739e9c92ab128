"""What a data-parallel step costs: computing on a part of the batch, one sum of the flat gradient, the update.

The sum takes :math:`2 (P - 1) / P` of the bytes through each link, whether the processes form a ring (:math:`2 (P - 1)` messages, one
after another) or halve and double (:math:`2 \\lceil \\log_2 P \\rceil`), of which the quicker one counts. To scatter the sum, to update a
part of the parameters each, and to gather them moves as many bytes in as many messages, and shares out the update.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ITEM = 4
"""Bytes of a number; training is in float32."""


@dataclass(frozen=True)
class Link:
    """How processes are connected: seconds for a message, and bytes a second in one direction."""

    name: str
    latency: float
    bandwidth: float


LINKS = (
    Link("10 Gb Ethernet", 25e-6, 1.1e9),
    Link("100 Gb InfiniBand", 2e-6, 11e9),
    Link("400 Gb and NCCL", 12e-6, 42e9),
)
"""As such links are usually found to be; none of them was at hand."""


def messages(processes: int) -> int:
    """How many messages of a sum follow one another.

    Examples
    --------
    >>> [messages(processes) for processes in (1, 2, 8, 512)]
    [0, 2, 6, 18]
    """
    return min(2 * (processes - 1), 2 * math.ceil(math.log2(processes)))


def sum_seconds(size: float, processes: int, link: Link) -> float:
    """The time of a sum of ``size`` bytes over the processes, with the same result on each.

    Examples
    --------
    >>> sum_seconds(1e6, 2, Link("", 1e-3, 1e9))
    0.003
    """
    return messages(processes) * link.latency + 2 * (processes - 1) / processes * size / link.bandwidth


@dataclass(frozen=True)
class Step:
    """What a step of training costs in one process, in seconds.

    Parameters
    ----------
    parameters : int
        How many numbers are summed.
    batch : int
    fixed : float
        Whatever a step is, such as calls.
    update : float
        The optimiser's.
    row : float
        A row's way forward and back.
    """

    parameters: int
    batch: int
    fixed: float
    update: float
    row: float

    @property
    def bytes(self) -> int:
        """Of the flat gradient."""
        return ITEM * self.parameters

    def seconds(self, processes: int = 1, link: Link | None = None, *, sharded: bool = False) -> float:
        """With the batch shared among the processes; ``sharded``: the update, too. The process with the most rows counts."""
        computed = self.fixed + self.row * math.ceil(self.batch / processes)
        update = self.update / processes if sharded else self.update
        return computed + update + (0.0 if link is None else sum_seconds(self.bytes, processes, link))

    def speed_up(self, processes: int, link: Link, *, sharded: bool = False) -> float | None:
        """How many times as fast as one process; None where some would have no rows."""
        if processes > self.batch:
            return None
        return self.seconds() / self.seconds(processes, link, sharded=sharded)

    def efficiency(self, processes: int, link: Link) -> float:
        """Of a batch that is as many times as large as there are processes: the share of the time that is not spent communicating."""
        return self.seconds() / (self.seconds() + sum_seconds(self.bytes, processes, link))


def members_speed_up(members: int, processes: int) -> float:
    """Of networks that do not know of each other: each process has its own, nothing is communicated.

    Examples
    --------
    >>> members_speed_up(64, 8), members_speed_up(64, 48), members_speed_up(64, 512)
    (8.0, 32.0, 64.0)
    """
    return members / math.ceil(members / processes)


def fitted(parameters: int, batches: Sequence[int], seconds: Sequence[float], fixed: float) -> Step:
    """The step whose time grows with the rows as measured: a line through the smallest batch and the largest.

    Parameters
    ----------
    parameters : int
    batches, seconds : sequence
        Steps of one process, each with one of these batches.
    fixed : float
        The time of a step of hardly any parameters and rows; what is left at no rows is the update.

    Examples
    --------
    >>> fitted(10, [8, 64], [3e-6, 17e-6], 0.5e-6)
    Step(parameters=10, batch=64, fixed=5e-07, update=5e-07, row=2.5e-07)
    """
    (small, low), *_, (large, high) = sorted(zip(batches, seconds, strict=True))
    row = max(0.0, (high - low) / (large - small))
    rest = max(0.0, high - row * large)
    return Step(parameters, large, min(fixed, rest), max(0.0, rest - fixed), row)
