"""A process of the measurement: ``python -m benchmarks.scale.worker FILE``, started by `benchmarks.scale.processes`.

The file holds an order; the first of the processes that share it writes what they found beside it.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

FEWEST, MOST = 2, 400
"""Epochs or sums that are timed."""
WARM_UP = 2
QUICK = 0.1
"""Of the steps of a group the share that counts, the quickest: who waits for another process waits for all that disturbs it, too."""


@dataclass(frozen=True)
class Order:
    """What is to be measured in one start of processes.

    Attributes
    ----------
    backend : str
    carrier : str or None
        None: this process is alone.
    own : bool
        Whether the library's own means are to be used, if it has any.
    seconds : float
        For each figure.
    sums : list of int
        Bytes.
    cases : list of (str, int)
        Names, and the batch.
    delayed : list of (str, str, int)
        Names of cases and links, and processes to be pretended.
    """

    backend: str
    carrier: str | None = None
    own: bool = False
    seconds: float = 0.5
    sums: Sequence[int] = ()
    cases: Sequence[tuple[str, int]] = ()
    delayed: Sequence[tuple[str, str, int]] = ()


def main(path: Path) -> None:
    order = Order(**json.loads(path.read_text()))
    from multimlp.backend import load_backend
    from multimlp.distributed import connect

    backend = load_backend(order.backend)
    communicator = None
    if order.carrier is not None:
        communicator = connect("all", backend if order.own else None)
        assert communicator.size == 2, f"{communicator.name} has {communicator.size} processes"
    rank = 0 if communicator is None else communicator.rank
    _pin(rank)
    found = {
        "sums": [sum_seconds(communicator, size, order.seconds) for size in order.sums],
        **steps_found(backend, communicator, order),
        "delayed": [delayed_seconds(backend, *case, order.seconds) for case in order.delayed],
        "versions": _versions(),
    }
    if rank == 0:
        path.with_suffix(".found").write_text(json.dumps(found))


def _pin(rank: int) -> None:
    """To a processor of its own; threads that a library has already stay with it."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(0, {cores[rank % len(cores)]})


def sum_seconds(communicator: Any, size: int, seconds: float) -> float:
    """The least time of a sum of so many bytes."""
    vector = np.ones(size // 8)

    def once() -> float:
        began = time.perf_counter()
        communicator.sum(vector)
        return time.perf_counter() - began

    first = min(once() for _ in range(WARM_UP))
    times = [once() for _ in range(_agreed(communicator, seconds / first))]
    vector[:] = 1
    assert communicator.sum(vector)[0] == communicator.size
    return min(times)


def steps_found(backend: Any, communicator: Any, order: Order) -> dict[str, Any]:
    """For each case the time of a step and the share of it that went by in sums, None where the library sums inside its program.

    Of a process alone that of its epochs, or that from step to step in a group of one, which can be told apart from what else disturbs it;
    and the latter by itself, for that is what a step in a group is made of: some libraries have another program for it.
    """
    from multimlp.distributed import Alone, Group

    if communicator is not None:
        group = Group(communicator, workers=backend.workers(communicator, "all") if order.own else None)
        return {"steps": [_least(backend, group, *case, order.seconds) for case in order.cases]}
    alone = [_least(backend, None, *case, order.seconds)[0] for case in order.cases]
    grouped = [_least(backend, Group(Alone()), *case, order.seconds)[0] for case in order.cases]
    return {"steps": [(min(pair), 0.0) for pair in zip(alone, grouped, strict=True)], "grouped": grouped}


def delayed_seconds(backend: Any, name: str, link: str, processes: int, seconds: float) -> float:
    """The time of a step of the first of so many processes."""
    from benchmarks.scale.delayed import Delayed
    from benchmarks.scale.model import LINKS
    from multimlp.bench import CASES
    from multimlp.distributed import Alone, Group

    chosen = next(one for one in LINKS if one.name == link)
    group = Group(Delayed(Alone(), chosen, processes))
    return _least(backend, group, name, CASES[name].batch, seconds)[0]


def _least(backend: Any, group: Any, name: str, batch: int, seconds: float) -> tuple[float, float | None]:
    from multimlp import losses, tree
    from multimlp.backend import select
    from multimlp.bench import CASES, SEED
    from multimlp.optimizers import adam
    from multimlp.training import InMemory, Ordering, Problem, Training, place

    case = replace(CASES[name], batch=batch)
    target, loss = select(backend.name), losses.cross_entropy
    X, y = case.data()
    problem = Problem(
        case.mlp,
        loss,
        adam(case.rate),
        None,
        target.backend,
        target.device,
        "float32",
        None,
        batch,
        SEED,
        group=group,
    )
    start = case.initial(backend=backend.name, dtype="float32")
    training = Training(problem, start)
    source = InMemory(place(target, loss, X, y), Ordering(SEED, batch, True, True))
    ends: list[float] = []

    def epochs(count: int) -> None:
        with training.epochs(source, count) as passes:
            ends.extend(time.perf_counter() for _ in passes)

    epochs(WARM_UP)
    last = ends[-1] - ends[-2]
    ends.clear()
    count = 1 + _agreed(None if group is None else group.communicator, seconds / last)
    if group is None:
        sums = []
        epochs(count)
    else:
        with _watched(group.communicator, sum(math.prod(leaf.shape) for leaf in tree.leaves(start))) as sums:
            epochs(count)
    if len(sums) < 2:  # no group, or a library that sums inside its program
        return min(b - a for a, b in itertools.pairwise(ends)) / case.steps, None
    spans = np.asarray([(b[1] - a[1], b[1] - b[0]) for a, b in itertools.pairwise(sums)])
    quick = spans[spans[:, 0] <= np.quantile(spans[:, 0], QUICK)]
    return float(quick[:, 0].max()), float(np.median(quick[:, 1] / quick[:, 0]))


@contextmanager
def _watched(communicator: Any, parameters: int) -> Iterator[list[tuple[float, float]]]:
    """Begin and end of each sum of a gradient."""
    found: list[tuple[float, float]] = []
    name = "sum_tensor" if hasattr(communicator, "sum_tensor") else "sum"
    function, own = getattr(communicator, name), vars(communicator).get(name)

    def watched(array: Any) -> Any:
        began = time.perf_counter()
        result = function(array)
        if array.shape[0] >= parameters:
            found.append((began, time.perf_counter()))
        return result

    setattr(communicator, name, watched)
    try:
        yield found
    finally:
        if own is None:
            delattr(communicator, name)
        else:
            setattr(communicator, name, own)


def _agreed(communicator: Any, wanted: float) -> int:
    """How often, as the first process says."""
    count = int(min(MOST, max(FEWEST, wanted)))
    if communicator is None or communicator.size == 1:
        return count
    return int(communicator.broadcast(str(count).encode() if communicator.rank == 0 else None))


def _versions() -> dict[str, str]:
    names = ("multimlp", "numpy", "torch", "jax", "tensorflow", "mpi4py")
    return {
        name: str(getattr(sys.modules[name], "__version__", "?")) for name in names if name in sys.modules
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
