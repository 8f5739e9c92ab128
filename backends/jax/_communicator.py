"""Processes by ``jax.distributed``: XLA sums inside of programs; what is exchanged between them goes as copies of the host."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from multimlp.backends.jax._mesh import Mesh
from multimlp.backends.quiet import caught
from multimlp.distributed import Communicator, addresses, exchange, failed, flat

_SHUTDOWN = 60
"""Seconds that processes may end one after another; JAX ends them all if it is more, also after one is lost."""


class XlaCommunicator:
    """The processes that `jax.distributed.initialize` has joined.

    Parameters
    ----------
    others : Communicator or None
        What carries copies between programs; None: XLA as well.
    """

    name = "xla"

    def __init__(self, others: Communicator | None) -> None:
        self._others = others
        self.rank, self.size = jax.process_index(), jax.process_count()

    def sum(self, vector: np.ndarray) -> np.ndarray:
        if self._others is not None:
            return self._others.sum(vector)
        return np.add.reduce(self.gather(vector), axis=0, dtype=vector.dtype)

    def gather(self, vector: np.ndarray) -> np.ndarray:
        if self._others is not None:
            return self._others.gather(vector)
        vector = flat(vector)
        try:
            with exchange:
                rows = multihost_utils.process_allgather(
                    vector.view(np.uint8)
                )  # bytes, which no switch narrows
        except Exception as error:
            raise failed("gather", error) from None
        return np.ascontiguousarray(rows).reshape(-1).view(vector.dtype).reshape(self.size, vector.size)

    def broadcast(self, data: bytes | None) -> bytes:
        if self._others is not None:
            return self._others.broadcast(data)
        if self.rank == 0 and data is None:
            raise TypeError("rank 0 gives the bytes")
        mine = np.frombuffer(data or b"", np.uint8)
        longest = int(self.gather(np.asarray([mine.size]))[0, 0])
        return self.gather(np.resize(mine, longest) if mine.size else np.zeros(longest, np.uint8))[
            0
        ].tobytes()

    def mesh(self, all_devices: bool) -> Mesh:
        """One device of each process, or all that it has."""
        devices = [d for p in range(self.size) for d in jax.devices() if d.process_index == p]
        if not all_devices:
            devices = [next(d for d in devices if d.process_index == p) for p in range(self.size)]
        return Mesh(devices, f"{self.size} processes", lambda error: failed("a compiled epoch", error))

    def close(self) -> None:
        """`jax.distributed` ends with the process; what carries copies is closed by those who made it."""
        global _joined_here
        _joined_here = None


_joined_here: XlaCommunicator | None = None


def communicator(others: Communicator | None, device: str | None, timeout: float) -> Communicator | None:
    """The processes that JAX knows already, or those that it can still be told of: once it has computed, it is too late."""
    global _joined_here
    if others is None:
        if _joined_here is None and jax.distributed.is_initialized() and jax.process_count() > 1:
            _joined_here = XlaCommunicator(None)
        return _joined_here
    mine = [jax.distributed.is_initialized(), _has_computed()]
    joined, computed = others.gather(np.asarray(mine, dtype=np.int32)).T
    if not joined.any():
        if computed.any():
            return None
        _join(addresses(others)[0], others, timeout)
    elif not joined.all() or (jax.process_index(), jax.process_count()) != (others.rank, others.size):
        return None
    _joined_here = XlaCommunicator(others)
    return _joined_here


def _join(address: str, others: Communicator, timeout: float) -> None:
    local: dict[str, Any] = {"coordinator_bind_address": address} if address.startswith("127.0.0.1:") else {}
    try:
        jax.distributed.initialize(
            address,
            others.size,
            others.rank,
            cluster_detection_method="deactivate",
            initialization_timeout=max(1, int(timeout)),
            shutdown_timeout_seconds=_SHUTDOWN,
            **local,
        )
        with caught(1):  # gloo greets on standard output when processes first exchange something
            multihost_utils.sync_global_devices("multimlp")
    except Exception as error:
        raise failed("the start of jax.distributed", error) from None


def _has_computed() -> bool:
    from jax._src import xla_bridge  # JAX tells it nowhere else

    found: Any = xla_bridge.backends_are_initialized()
    return bool(found)
