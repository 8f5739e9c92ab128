"""How many processors this process may use.

The control groups of a process limit its time on them, as containers set it (``docker run --cpus``, limits of Kubernetes): what counts
processors, as libraries do, does not see it.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath


def processors() -> int:
    """Those that this process may run on, or as many as its `quota` is worth, rounded up."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    limit = quota()
    return count if limit is None else min(count, max(1, math.ceil(limit)))


def processor_quota(groups: str = "/proc/self/cgroup", mounted: str = "/sys/fs/cgroup") -> float | None:
    """The processors' worth of time that this process may use, None without a limit.

    The strictest of its own groups and of those around them, of version 2 (``cpu.max``) and of version 1 (``cpu.cfs_quota_us``).

    Parameters
    ----------
    groups, mounted : str
        Where the groups of the process are listed, and where their hierarchies are mounted.
    """
    return min((quota for folder in _folders(groups, mounted) for quota in _quotas(folder)), default=None)


quota = functools.cache(processor_quota)


def _folders(groups: str, mounted: str) -> Iterator[PurePosixPath]:
    """Those that may hold a limit. Inside a container a group's path may be that of the host, and its folder be mounted as the root."""
    for line in _text(groups).splitlines():
        _, names, path = line.split(":", 2)
        if not names:
            roots = (mounted, f"{mounted}/unified")
        elif "cpu" in names.split(","):
            roots = (f"{mounted}/{names}", f"{mounted}/cpu")
        else:
            continue
        inside = PurePosixPath(path.lstrip("/"))
        for root in roots:
            for group in (inside, *inside.parents):
                yield root / group


def _quotas(folder: PurePosixPath) -> Iterator[float]:
    new = _text(f"{folder}/cpu.max").split()
    old = [*_text(f"{folder}/cpu.cfs_quota_us").split(), *_text(f"{folder}/cpu.cfs_period_us").split()]
    for pair in (new, old):
        with suppress(ValueError):  # "max", or not two words
            quota, period = map(int, pair)
            if quota > 0 and period > 0:  # -1: no limit
                yield quota / period


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""
