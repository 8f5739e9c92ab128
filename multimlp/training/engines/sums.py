"""The one place where what the processes of a group have each computed is added up."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Sequence

from multimlp.backend import Array, Backend, Kernels, array_namespace
from multimlp.distributed import Group, add_pairs
from multimlp.errors import CapabilityError
from multimlp.training.engines.base import Problem


def total(group: Group, backend: Backend, parts: Sequence[Array]) -> Array:
    """The sum of the flat arrays of all pieces of a batch, of all processes; the same bits on each.

    Parameters
    ----------
    group : Group
    backend : Backend
        Whose arrays they are.
    parts : sequence of array, shape (n,)
        Those of this process's pieces, in order; they may be written to.

    Returns
    -------
    array, shape (n,)
        Perhaps the only part itself.
    """
    with group.clock:
        if group.shards is None:
            (mine,) = parts
            return backend.summed(group.communicator, mine)
        # What this process adds is the lower part of the tree over all shards, whatever its share of them: the bits do not depend on it.
        mine = add_pairs(parts, operator.add, all_of_them=False)
        if group.size > 1:
            xp, each = array_namespace(mine[0]), len(mine)
            together = mine[0] if each == 1 else xp.concat(mine)
            rows = xp.reshape(backend.gathered(group.communicator, together), (group.size * each, -1))
            mine = [rows[i, ...] for i in range(group.size * each)]
        return add_pairs(mine, operator.add)[0]


def product_threads(problem: Problem) -> contextlib.AbstractContextManager[object]:
    """The setting of threads in which engines without kernels of their own make the steps of a group.

    With shards one thread, so that a product's bits depend on its shape alone, and not on how many processors a process was given.
    """
    kernels = _thread_kernels(problem)
    found: contextlib.AbstractContextManager[object] = (
        problem.backend.all_threads() if kernels is None else kernels.threads(0, own=True)
    )
    return found


def check_threads(problem: Problem) -> None:
    """`CapabilityError` where shards would need a limit of threads that nothing here can set."""
    kernels = _thread_kernels(problem)
    if kernels is not None and not kernels.limits_threads:
        raise CapabilityError(
            f"shards: for the same bits on any number of processes the {problem.backend.name} backend's products must run on one thread, "
            "and it takes the package threadpoolctl to limit its BLAS. Install it with: pip install threadpoolctl"
        )


def _thread_kernels(problem: Problem) -> Kernels | None:
    """What can keep the library to one thread, for shards; None for others, and for libraries without such means."""
    if problem.group is None or problem.group.shards is None:
        return None
    found: Kernels | None = problem.backend.inplace_kernels(problem.dtype, problem.device)
    return found
