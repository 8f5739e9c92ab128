"""How a process joins the others of its run, when it is asked to: once, for all of its life."""

from __future__ import annotations

import atexit
import importlib
import os
from typing import Any, Protocol

from multimlp.distributed import _progress
from multimlp.distributed._communicator import Alone, Communicator
from multimlp.distributed._current import join
from multimlp.distributed._environments import Place, place
from multimlp.distributed._failures import timeout
from multimlp.errors import DistributedError, InputError
from multimlp.errors.checks import check_whole, refuse


class Library(Protocol):
    """What is asked of a `multimlp.backend.Backend`."""

    @property
    def name(self) -> str: ...

    def communicator(
        self, others: Communicator | None, device: str | None, timeout: float
    ) -> Communicator | None: ...


_made: dict[tuple[str, str | None], Communicator] = {}
"""By backend and device; those of no backend carry copies on the host."""
_place: Place | None = None


def connect(devices: Any = "all", backend: Library | None = None, device: str | None = None) -> Communicator:
    """The communicator of this process with those that the same launcher started; made when first asked for, then kept.

    Recognised are the launchers of `multimlp.distributed.run` and ``multimlp train --processes``, ``torchrun``, ``mpiexec``, ``srun``, and
    the environments of ``jax.distributed`` and ``TF_CONFIG``. All processes ask for the same, in the same order.

    Parameters
    ----------
    devices : "all" or int
        The processes that must be there; 1 is this one alone, whatever the environment says.
    backend : Backend, optional
        Whose arrays are to be exchanged: a library may have a way of its own (`multimlp.backend.Backend.communicator`).
    device : str, optional
        Where its arrays are.

    Returns
    -------
    Communicator
        `Alone` where no launcher started others.

    Raises
    ------
    InputError
        If the environment contradicts itself or ``devices``.
    DistributedError
        If the others do not come.

    Examples
    --------
    >>> import multimlp as mm
    >>> mm.distributed.connect("all").size
    1
    """
    if isinstance(devices, str):
        if devices != "all":
            raise refuse("devices", "'all' or a positive integer", devices)
        wanted = None
    else:
        wanted = check_whole("devices", devices, low=1)
    if wanted == 1:
        return Alone()
    found = _made.get((backend.name if backend is not None else "", device))
    if found is None:
        found = _connected(backend, device)
    if wanted is not None and found.size != wanted:
        started = "this process is alone" if found.size == 1 else f"{found.size} processes were started"
        raise InputError(
            f"devices: expected {wanted} processes, but {started}; start as many, for instance by "
            f"multimlp train --processes {wanted}, torchrun or mpiexec, or use devices='all'"
        )
    return found


def local_rank() -> int:
    """Which of the processes on its machine this one is, once it is connected; 0 before.

    Examples
    --------
    >>> import multimlp as mm
    >>> mm.distributed.local_rank()
    0
    """
    return 0 if _place is None else _place.local_rank


def disconnect() -> None:
    """Leave the others; this process is alone again. Done at its end by itself."""
    global _place
    join(None)
    for communicator in reversed(list(dict.fromkeys(_made.values()))):
        communicator.close()
    _made.clear()
    _place = None


def abandon() -> None:
    """This process ends by an error, and the others are not to wait for it: MPI would, at its end."""
    for communicator in _made.values():
        give_up = getattr(communicator, "abandon", None)
        if give_up is not None:
            give_up()


def _connected(backend: Library | None, device: str | None) -> Communicator:
    global _place
    limit = timeout()
    if not _made:
        atexit.register(disconnect)
        _place = place()
        if _place is not None and _place.launcher == "multimlp" and "MULTIMLP_PROGRESS" in os.environ:
            _progress.report(os.environ["MULTIMLP_PROGRESS"], parent=0)
    own = None if backend is None else backend.communicator(None, device, limit)
    if own is None:
        others = _made.get(("", None))
        if others is None:
            others = _made["", None] = _host_copies(_place, limit)
        own = None if backend is None or others.size == 1 else backend.communicator(others, device, limit)
        own = others if own is None else own
    if _place is not None and (own.rank, own.size) != (_place.rank, _place.size):
        raise DistributedError(
            f"{own.name} knows this process as {own.rank} of {own.size}, but {_place.launcher} started it as {_place.rank} of "
            f"{_place.size}; is it another MPI than the one whose mpiexec was used?"
        )
    if backend is not None:
        _made[backend.name, device] = own
    join(own)
    return own


def _host_copies(found: Place | None, limit: float) -> Communicator:
    """Whatever carries host arrays between the processes of a launcher."""
    if found is None or found.size == 1:
        return Alone()
    if found.launcher == "mpiexec":
        from multimlp.distributed._mpi import MPI

        return MPI(limit)
    if found.launcher == "torchrun":  # which knows where to meet and tells torch alone
        torch: Library = importlib.import_module("multimlp.backend").load_backend("torch")
        made = torch.communicator(None, None, limit)
        assert made is not None
        return made
    from multimlp.distributed._meeting import meet

    assert found.meeting is not None
    return meet(found.rank, found.size, found.meeting, found.secret, limit)
