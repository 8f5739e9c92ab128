"""What a run is shared by: from ``devices=`` and ``shards=`` to the group of processes, and the device of this one."""

from __future__ import annotations

import dataclasses
from typing import Any

from multimlp.backend import Target, select_devices
from multimlp.distributed import Alone, Communicator, Group, connect, inside, local_rank
from multimlp.errors import InputError
from multimlp.errors.checks import check_whole

HOW = (
    "start several processes, for instance by `multimlp train --processes 2`, torchrun, mpiexec or multimlp.distributed.run, "
    "which each call fit with the same arguments"
)


@dataclasses.dataclass(frozen=True)
class GroupReport:
    """The processes that shared a run.

    Attributes
    ----------
    processes : int
    carrier : str
        What carried the bytes between them: ``"mpi"``, ``"gloo"``, ``"nccl"``, ``"sockets"``, ...; ``"none"`` for one process.
    shards : int or None
        The pieces of a batch whose gradients were added in a fixed order.
    communicating : float
        The share of the time of the steps that this process spent on exchanging, or waiting for, numbers of others: 0 to 1.
    advice : str or None
        What to do instead, where that is more than half.
    """

    processes: int
    carrier: str
    shards: int | None
    communicating: float
    advice: str | None

    @classmethod
    def of(cls, group: Group, seconds: float) -> GroupReport:
        """After steps that took so many seconds."""
        share = min(1.0, group.clock.seconds / seconds) if seconds else 0.0
        advice = None
        if group.size > 1 and share > 0.5:
            advice = (
                f"{share:.0%} of the time went into communicating: this network is too small to gain from more processes on one batch; "
                "give them larger batches, or many models to train at once (an ensemble, multimlp.sweep)"
            )
        return cls(group.size, group.communicator.name, group.shards, share, advice)


def group_for(
    devices: Any, shards: Any, target: Target, device: str | None = None
) -> tuple[Group | None, Target]:
    """The group that shares a run, None for one device without shards, and where this process computes.

    Parameters
    ----------
    devices : "all", int, sequence of str or None
        The argument of the call; below it count `multimlp.use_backend` and the environment.
    shards : int or None
    target : Target
    device : str or None
        The argument of the call.

    Raises
    ------
    InputError
        If there are not as many processes as devices, or they do not divide the shards.
    """
    if shards is not None:
        shards = check_whole("shards", shards, low=1)
    wanted = select_devices(devices, target.backend)
    names = wanted if isinstance(wanted, tuple) else None
    if names is not None and device is not None:
        raise InputError("device, devices: both say where training runs; give one of them")
    communicator: Communicator = Alone()
    if wanted is not None and wanted != 1:
        communicator, target = _joined(wanted, target, device)
    if names is not None:
        named = target.backend.resolve_device(names[communicator.rank])
        target = dataclasses.replace(target, device=named)
    if communicator.size == 1 and shards is None:
        return None, target
    return Group(communicator, shards), target


def _joined(wanted: Any, target: Target, device: str | None) -> tuple[Communicator, Target]:
    """The communicator of as many processes as are wanted, and this one's own accelerator if there are several."""
    count = len(wanted) if isinstance(wanted, tuple) else wanted
    given = inside()
    if given is not None:
        found = given
    elif isinstance(wanted, tuple):
        found = connect("all")
    else:
        target = _own_accelerator(target, device)
        found = connect("all", target.backend, target.device)
    if count != "all" and found.size != count:
        here = "this process is alone" if found.size == 1 else f"{found.size} processes were started"
        raise InputError(f"devices: expected {count}, one a process, but {here}; use devices='all', or {HOW}")
    if count == "all" and found.size == 1 and len(_alike(target)) > 1:
        alike = ", ".join(_alike(target))
        raise InputError(
            f"devices: 'all' are {alike}, one a process, but this process is alone; name one by device=, or {HOW}"
        )
    return found, target


def _alike(target: Target) -> list[str]:
    """The accelerators of the kind that a run computes on."""
    kind = (target.device or "cpu").partition(":")[0]
    return [] if kind == "cpu" else [d for d in target.backend.devices() if d.partition(":")[0] == kind]


def _own_accelerator(target: Target, device: str | None) -> Target:
    """Where this process computes: of several accelerators its own, unless one was named by its number."""
    alike = _alike(target)
    if len(alike) < 2 or ":" in (device or ""):
        return target
    connect("all")  # which tells how many processes there are on this machine before
    return dataclasses.replace(target, device=alike[local_rank() % len(alike)])
