"""More than one process: who takes part, and how numbers travel between them.

Every byte is carried by an existing library: MPI, ``torch.distributed``, XLA's and TensorFlow's collectives. What stands here is the
little that training asks of any of them, `Communicator`, and who takes which rows of a batch, `Group`.
"""

from multimlp.distributed._communicator import Alone, Communicator
from multimlp.distributed._current import current, is_main, join, joined, rank, size
from multimlp.distributed._group import Clock, Group, Window, add_pairs

__all__ = [
    "Alone",
    "Clock",
    "Communicator",
    "Group",
    "Window",
    "add_pairs",
    "current",
    "is_main",
    "join",
    "joined",
    "rank",
    "size",
]
