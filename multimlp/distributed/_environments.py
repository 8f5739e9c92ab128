"""What the environment says about the processes of a run: one row a launcher. Nobody looks unless devices are asked for, since
programs run under launchers for other reasons too."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from multimlp.errors import InputError

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Place:
    """One process among those that a launcher started."""

    launcher: str
    rank: int
    size: int
    local_rank: int = 0
    """Which of the processes on its machine; which of the machine's devices it takes."""
    meeting: str | None = None
    """Where the processes meet by sockets: ``host:port`` of rank 0, or a folder of their own; None where a library knows."""
    secret: str = ""


class Launcher(NamedTuple):
    """Which variables a launcher sets."""

    name: str
    rank: str
    size: str
    local_rank: str
    others: tuple[str, ...] = ()
    """What else must be there."""
    meeting: Callable[[Environment], str | None] = lambda environment: None
    secret: tuple[str, ...] = ()
    outermost: bool = False
    """Whether it may have started another launcher, which is the one that counts then."""


def _slurm_meeting(environment: Environment) -> str:
    """The first machine of the step, at a port that follows from the job."""
    nodes = environment["SLURM_STEP_NODELIST"]
    first = re.match(r"(?:[^,\[]|\[[^\]]+\])+", nodes)  # up to a comma that is in no brackets
    if first is None:
        raise InputError(f"SLURM_STEP_NODELIST: expected names of machines, got {nodes!r}")
    host = re.sub(r"\[([^,\-\]]+)[^\]]*\]", r"\1", first[0])
    number = int(environment["SLURM_JOB_ID"]) * 31 + int(environment.get("SLURM_STEP_ID", "0"))
    return f"{host}:{61_440 + number % 4_096}"


LAUNCHERS = (
    Launcher(
        "multimlp",
        "MULTIMLP_RANK",
        "MULTIMLP_SIZE",
        "MULTIMLP_LOCAL_RANK",
        ("MULTIMLP_MEETING",),
        lambda environment: environment["MULTIMLP_MEETING"],
        ("MULTIMLP_SECRET",),
    ),
    Launcher("torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", ("MASTER_ADDR", "MASTER_PORT")),
    Launcher("mpiexec", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
    Launcher("mpiexec", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    Launcher(
        "jax.distributed",
        "JAX_PROCESS_ID",
        "JAX_NUM_PROCESSES",
        "",
        ("JAX_COORDINATOR_ADDRESS",),
        lambda environment: environment["JAX_COORDINATOR_ADDRESS"],
    ),
    Launcher(
        "srun",
        "SLURM_PROCID",
        "SLURM_STEP_NUM_TASKS",
        "SLURM_LOCALID",
        ("SLURM_STEP_NODELIST", "SLURM_JOB_ID"),
        _slurm_meeting,
        ("SLURM_JOB_ID", "SLURM_STEP_ID"),
        outermost=True,
    ),
)

_OF_LAUNCHERS = (
    "MASTER_",
    "PMI",
    "MPI_LOCAL",
    "OMPI_",
    "TORCHELASTIC_",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    "GROUP_RANK",
)


def place(environment: Environment | None = None) -> Place | None:
    """Where the launcher that started this process has put it; None if none did.

    Raises
    ------
    InputError
        If variables contradict each other, or some are missing.

    Examples
    --------
    >>> from multimlp.distributed._environments import place
    >>> torchrun = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    >>> place(torchrun)
    Place(launcher='torchrun', rank=1, size=2, local_rank=1, meeting=None, secret='')
    """
    environment = os.environ if environment is None else environment
    found, missing = [], []
    for launcher in LAUNCHERS:
        absent = [
            name for name in (launcher.rank, launcher.size, *launcher.others) if not environment.get(name)
        ]
        if not absent:
            found.append((launcher, _read(launcher, environment)))
        elif not launcher.outermost and (environment.get(launcher.rank) or environment.get(launcher.size)):
            missing.append((launcher, absent))
    if environment.get("TF_CONFIG"):
        found.append((_TENSORFLOW, _read_tensorflow(environment["TF_CONFIG"])))
    if found and found[0][0].name == "multimlp":
        return found[0][1]
    inner = [one for one in found if not one[0].outermost] or found
    if not inner:
        if missing:
            launcher, absent = missing[0]
            there = launcher.rank if environment.get(launcher.rank) else launcher.size
            raise InputError(
                f"devices: the environment variable {there} is set, as by {launcher.name}, but {', '.join(absent)} "
                f"{'is' if len(absent) == 1 else 'are'} not; set all of them, or none"
            )
        return None
    first = inner[0][1]
    for launcher, other in inner[1:]:
        if (other.rank, other.size) != (first.rank, first.size):
            raise InputError(
                f"devices: this is process {first.rank} of {first.size} by {_variables(inner[0][0])}, but {other.rank} of {other.size} "
                f"by {_variables(launcher)}; unset those of the launcher that did not start it"
            )
    return next((one for launcher, one in found if _usable(launcher, one, first)), first)


def without_launchers(environment: Environment) -> dict[str, str]:
    """The environment for processes of a run of their own."""
    names = {
        name
        for row in LAUNCHERS
        if not row.outermost
        for name in (row.rank, row.size, row.local_rank, *row.others, *row.secret)
    }
    names.add("TF_CONFIG")
    return {
        name: value
        for name, value in environment.items()
        if name not in names and not name.startswith(_OF_LAUNCHERS)
    }


_TENSORFLOW = Launcher("TF_CONFIG", "TF_CONFIG", "TF_CONFIG", "TF_CONFIG")


def _variables(launcher: Launcher) -> str:
    return " and ".join(dict.fromkeys((launcher.rank, launcher.size)))


def _usable(launcher: Launcher, found: Place, first: Place) -> bool:
    """``srun`` sets MPI's variables too, which is no promise that MPI is there."""
    if launcher.outermost:
        return (found.rank, found.size) == (first.rank, first.size)
    return launcher.name != "mpiexec" or importlib.util.find_spec("mpi4py") is not None


def _read(launcher: Launcher, environment: Environment) -> Place:
    rank, size = _number(environment, launcher.rank), _number(environment, launcher.size)
    if not 0 <= rank < size:
        raise InputError(f"{launcher.rank}: expected a number below {launcher.size}={size}, got {rank}")
    local = _number(environment, launcher.local_rank) if environment.get(launcher.local_rank) else 0
    secret = ".".join(environment.get(name, "") for name in launcher.secret)
    return Place(launcher.name, rank, size, local, launcher.meeting(environment), secret)


def _number(environment: Environment, name: str) -> int:
    text = environment[name].strip()
    if not text.isdecimal():
        raise InputError(f"{name}: expected an integer >= 0, got {text!r}")
    return int(text)


def _read_tensorflow(text: str) -> Place:
    """``{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}``; a chief comes first."""
    import json  # by those who have it

    try:
        value = json.loads(text)
        cluster, kind, index = value["cluster"], value["task"]["type"], int(value["task"]["index"])
        jobs = [job for job in ("chief", "worker") if job in cluster]
        workers = [(job, i, str(address)) for job in jobs for i, address in enumerate(cluster[job])]
        rank = [(job, i) for job, i, _ in workers].index((kind, index))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            "TF_CONFIG: expected JSON with a cluster of workers, and of at most one chief, and a task that is one of them, "
            f"got {text[:200]!r} ({type(error).__name__}: {error})"
        ) from None
    return Place("TF_CONFIG", rank, len(workers), 0, workers[0][2])
