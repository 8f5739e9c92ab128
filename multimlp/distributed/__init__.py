"""More than one process: who takes part, and how numbers travel between them.

Every byte is carried by an existing library: MPI, ``torch.distributed``, XLA's and TensorFlow's collectives; by sockets
where there is none of them. What stands here is the little that training asks of any of them, `Communicator`, and who takes which rows of a batch, `Group`.
"""

from multimlp.distributed._addresses import addresses, host_of_rank_0
from multimlp.distributed._communicator import Alone, Communicator
from multimlp.distributed._current import current, is_main, join, joined, rank, size
from multimlp.distributed._failures import TIMEOUT, failed, resuming_from, timeout
from multimlp.distributed._group import Clock, Group, Window, add_pairs
from multimlp.distributed._vectors import flat, summable

__all__ = [
    "TIMEOUT",
    "Alone",
    "Clock",
    "Communicator",
    "Group",
    "Window",
    "add_pairs",
    "addresses",
    "current",
    "failed",
    "flat",
    "host_of_rank_0",
    "is_main",
    "join",
    "joined",
    "rank",
    "resuming_from",
    "size",
    "summable",
    "timeout",
]
