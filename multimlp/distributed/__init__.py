"""More than one process: who takes part, and how numbers travel between them.

Every byte is carried by an existing library: MPI, ``torch.distributed``, XLA's and TensorFlow's collectives; sockets
where there is none of them. What stands here is the little that training asks of any of them, `Communicator`, who takes which rows of
a batch, `Group`, and how processes are started and find each other.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from multimlp.distributed._addresses import addresses, host_of_rank_0
from multimlp.distributed._communicator import Alone, Communicator
from multimlp.distributed._connecting import abandon, connect, disconnect, local_rank
from multimlp.distributed._current import current, inside, is_main, join, joined, one_run, rank, size
from multimlp.distributed._failures import TIMEOUT, failed, resuming_from, timeout
from multimlp.distributed._group import Clock, Group, Window, add_pairs
from multimlp.distributed._progress import beat, exchange
from multimlp.distributed._vectors import flat, summable
from multimlp.distributed._workers import Placement, Workers

if TYPE_CHECKING:
    from multimlp.distributed._launcher import launch
    from multimlp.distributed._processes import python_command
    from multimlp.distributed._run import run

_LAZY = {"launch": "_launcher", "python_command": "_processes", "run": "_run"}


def __getattr__(name: str) -> Any:
    """What starts processes is imported by those who do."""
    if name in _LAZY:
        return getattr(importlib.import_module(f"multimlp.distributed.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'multimlp.distributed' has no attribute {name!r}")


__all__ = [
    "TIMEOUT",
    "Alone",
    "Clock",
    "Communicator",
    "Group",
    "Placement",
    "Window",
    "Workers",
    "abandon",
    "add_pairs",
    "addresses",
    "beat",
    "connect",
    "current",
    "disconnect",
    "exchange",
    "failed",
    "flat",
    "host_of_rank_0",
    "inside",
    "is_main",
    "join",
    "joined",
    "launch",
    "local_rank",
    "one_run",
    "python_command",
    "rank",
    "resuming_from",
    "run",
    "size",
    "summable",
    "timeout",
]
