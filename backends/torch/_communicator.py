"""Processes by ``torch.distributed``: gloo between hosts, NCCL between CUDA devices."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from multimlp.distributed import Communicator, exchange, failed, flat, host_of_rank_0, summable


class TorchCommunicator:
    """The default process group of ``torch.distributed``, made if there is none.

    Parameters
    ----------
    others : Communicator or None
        The processes that are to form it, which tells them where to meet; None where the environment of ``torchrun`` says so.
    device : str or None
        ``"cuda:1"``: NCCL carries the tensors of that device.
    timeout : float
        Seconds that an operation may take.
    """

    def __init__(self, others: Communicator | None, device: str | None, timeout: float) -> None:
        cuda = device is not None and device.startswith("cuda")
        self.name = "nccl" if cuda else "gloo"
        self._made = not dist.is_initialized()
        if cuda:
            torch.cuda.set_device(device)
        if self._made:
            limit = datetime.timedelta(seconds=timeout)
            kinds = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            meeting = {} if others is None else _meeting(others, limit)
            _call("the start", lambda: dist.init_process_group(kinds, timeout=limit, **meeting))
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def sum_tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over the processes, in place, where the tensor is."""
        _call("sum", lambda: dist.all_reduce(tensor))
        return tensor

    def gather_tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        """The flat tensors of all, shape (size, n), where the tensor is."""
        rows = tensor.new_empty((self.size, *tensor.shape))
        _call("gather", lambda: dist.all_gather(list(rows.unbind()), tensor.contiguous()))
        return rows

    def sum(self, vector: np.ndarray) -> np.ndarray:
        total = np.require(summable(vector), requirements="W")
        signed = total.view(f"i{total.itemsize}") if total.dtype.kind == "u" else total  # gloo has no others
        self.sum_tensor(torch.from_numpy(signed))
        return total.astype(vector.dtype, copy=False)

    def gather(self, vector: np.ndarray) -> np.ndarray:
        vector = flat(vector)
        rows = self.gather_tensor(torch.from_numpy(vector.view(np.uint8).copy())).numpy()
        return rows.reshape(-1).view(vector.dtype).reshape(self.size, vector.size)

    def broadcast(self, data: bytes | None) -> bytes:
        if self.rank == 0 and data is None:
            raise TypeError("rank 0 gives the bytes")
        length = torch.tensor([0 if data is None else len(data)])
        _call("broadcast", lambda: dist.broadcast(length, 0))
        held = torch.empty(int(length), dtype=torch.uint8)
        if data:
            held.numpy()[:] = np.frombuffer(data, np.uint8)
        _call("broadcast", lambda: dist.broadcast(held, 0))
        return held.numpy().tobytes()

    def close(self) -> None:
        if self._made and dist.is_initialized():
            dist.destroy_process_group()


def communicator(others: Communicator | None, device: str | None, timeout: float) -> Communicator | None:
    """For tensors of a CUDA device, and for those of the host unless MPI is there, which is much faster than gloo.

    Without ``others``: the group that somebody made, or that of ``torchrun``."""
    if others is None:
        there = dist.is_initialized() or {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= {*os.environ}
        return TorchCommunicator(None, device, timeout) if there else None
    on_host = device is None or device == "cpu"
    return None if on_host and others.name in ("mpi", "gloo") else TorchCommunicator(others, device, timeout)


def _meeting(others: Communicator, limit: datetime.timedelta) -> dict[str, Any]:
    """Where the group is formed: a store that rank 0 keeps, on a port that is free."""
    host = host_of_rank_0(others)
    port = b"0"
    if others.rank == 0:
        store = dist.TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=limit)
        port = str(store.port).encode()
    port = others.broadcast(port if others.rank == 0 else None)
    if others.rank != 0:
        store = dist.TCPStore(host, int(port), is_master=False, timeout=limit)
    return {"store": store, "rank": others.rank, "world_size": others.size}


def _call(name: str, operation: Callable[[], Any]) -> None:
    try:
        with exchange:
            operation()
    except RuntimeError as error:
        raise failed(name, error) from None
