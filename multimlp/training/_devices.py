"""What a run is shared by: from ``devices=`` and ``shards=`` to the group of processes, and the device of this one."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

from multimlp.backend import Target, select_devices, selections
from multimlp.distributed import Alone, Communicator, Group, Placement, Workers, connect, inside, local_rank
from multimlp.errors import DeviceError, InputError
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
    communicating : float or None
        The share of the time of the steps that this process spent on exchanging, or waiting for, numbers of others: 0 to 1. None where that
        happens inside of compiled programs, which do not tell.
    advice : str or None
        What to do instead, where that is more than half.
    """

    processes: int
    carrier: str
    shards: int | None
    communicating: float | None
    advice: str | None

    @classmethod
    def of(cls, group: Group, seconds: float) -> GroupReport:
        """After steps that took so many seconds."""
        if group.workers is not None:
            return cls(group.size, group.communicator.name, group.shards, None, None)
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
    DeviceError
        If this process's device is not here.
    """
    if shards is not None:
        shards = check_whole("shards", shards, low=1)
    wanted = _wanted(devices, target, device)
    communicator: Communicator = Alone()
    workers: Workers | None = None
    if wanted is not None and wanted != 1:
        with _blamed(devices, target):
            communicator, workers, target = _joined(wanted, target, device)
    elif shards is not None and inside() is None:
        workers = target.backend.workers(communicator, 1 if target.device is None else (target.device,))
    target = _on_own_device(target, wanted, communicator)
    if shards is not None and workers is None and communicator.size > 1:
        _check_bits(target, communicator)
    if shards is None and communicator.size == 1 and (workers is None or workers.size == 1):
        return None, target
    return Group(communicator, shards, workers), target


def share_members(
    devices: Any, target: Target, device: str | None = None
) -> tuple[Communicator, Callable[[int], Placement | None], Target]:
    """What shares many models that are trained as the members of programs: processes, each with a contiguous part of the models, or the
    devices of this process, each with a part of every program's members.

    Returns
    -------
    communicator : Communicator
        `Alone` for the devices of one process.
    placement : callable
        Of the number of members of a program: ``Problem.placement``. None where they are on one device, or where devices do not divide
        them.
    target : Target
        Where this process computes.
    """
    wanted = _wanted(devices, target, device)
    if wanted is None or wanted == 1:
        return Alone(), lambda members: None, target
    with _blamed(devices, target):
        communicator, _, target = _joined(wanted, target, device)
    target = _on_own_device(target, wanted, communicator)
    if communicator.size > 1:
        return communicator, lambda members: None, target
    return communicator, functools.partial(target.backend.members_on, wanted), target


def _wanted(devices: Any, target: Target, device: str | None) -> Any:
    """What a run is shared by; `InputError` where devices are named twice."""
    wanted = select_devices(devices, target.backend)
    if isinstance(wanted, tuple) and device is not None:
        raise InputError("device, devices: both say where training runs; give one of them")
    return wanted


def _on_own_device(target: Target, wanted: Any, communicator: Communicator) -> Target:
    """Of devices by name the one of this process."""
    if not isinstance(wanted, tuple):
        return target
    with _named_devices():
        named = target.backend.resolve_device(wanted[communicator.rank])
    return dataclasses.replace(target, device=named)


@contextlib.contextmanager
def _blamed(devices: Any, target: Target) -> Iterator[None]:
    """Errors say where it was the environment that asked for devices, which nobody sees in the call."""
    here, _ = selections()
    in_block = here is not None and here.backend == target.backend.name and here.devices is not None
    try:
        yield
    except InputError as error:
        if devices is not None or in_block:
            raise
        raise type(error)(f"environment variable MULTIMLP_DEVICES: {error}") from None


@contextlib.contextmanager
def _named_devices() -> Iterator[None]:
    """The argument as it is called here."""
    try:
        yield
    except DeviceError as error:
        raise DeviceError(str(error).replace("device:", "devices:", 1)) from None


def _check_bits(target: Target, communicator: Communicator) -> None:
    """`InputError` where one process computes by a program that these cannot share, and so perhaps with other bits."""
    if inside() is None and target.backend.workers(Alone(), 1) is not None:
        raise InputError(
            f"shards: {target.backend.name} had computed before it joined the other processes, so that sums go by {communicator.name} "
            "between its programs, whose bits one process does not have; call multimlp.distributed.connect with the backend before "
            "anything is computed, or leave shards out"
        )


def _joined(wanted: Any, target: Target, device: str | None) -> tuple[Communicator, Workers | None, Target]:
    """The communicator of as many processes as are wanted, or the devices of this one; and its own accelerator if there are several."""
    count = len(wanted) if isinstance(wanted, tuple) else wanted
    given, workers = inside(), None
    if given is not None:
        found = given
    else:
        if not isinstance(wanted, tuple):
            target = _own_accelerator(target, device)
        library: Any = target.backend
        found = connect("all", library, target.device)
        with _named_devices():
            workers = target.backend.workers(found, wanted)
    many = found.size if workers is None or found.size > 1 else workers.size
    if count != "all" and many != count:
        here = "this process is alone" if found.size == 1 else f"{found.size} processes were started"
        if workers is not None and found.size == 1 and many > 1:
            here += f" with {many} devices"
        raise InputError(
            f"devices: expected {count}, one per process, but {here}; use devices='all', or {HOW}"
        )
    if count == "all" and many == 1 and len(_alike(target)) > 1:
        alike = ", ".join(_alike(target))
        raise InputError(
            f"devices: 'all' are {alike}, one per process, but this process is alone; name one by device=, or {HOW}"
        )
    return found, workers, target


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
