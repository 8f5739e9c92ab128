"""The machine: what it is, how it is to be called, and whether anything else is running on it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BUSY = 0.15
"""Processors kept busy by others above which a machine is not quiet."""
_SAMPLE_SECONDS = 0.06
_SETTINGS = (
    "OPENBLAS_",
    "MKL_",
    "BLIS_",
    "OMP_",
    "GOMP_",
    "KMP_",
    "XLA_",
    "TF_NUM_",
    "JAX_",
    "NUMBA_",
    "MULTIMLP_",
)
"""How variables begin that make libraries slower or quicker; one that names kernels of OpenBLAS can halve its speed."""
_PLACES = ("_DIR", "_HOME", "_FILE")
"""How those of them end that say where something lies."""


def describe(threads: int, cores: list[int], device: str | None, versions: dict[str, str]) -> dict[str, Any]:
    """Everything that a time depends on, as plain data, and when it was measured."""
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "pinned_to": cores,
        "threads": threads,
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "device": device or "cpu",
        "gpu": _gpu() if device not in (None, "cpu") else None,
        "versions": dict(sorted(versions.items())),
        "environment": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(_SETTINGS) and not name.endswith(_PLACES)
        },
    }


def environment(machine: dict[str, Any]) -> str:
    """What was set, for texts: ", with OMP_NUM_THREADS=1", or "".

    Examples
    --------
    >>> environment({"environment": {"OPENBLAS_CORETYPE": "Haswell"}})
    ', with OPENBLAS_CORETYPE=Haswell'
    """
    found = ", ".join(f"{name}={value}" for name, value in machine.get("environment", {}).items())
    return found and f", with {found}"


def slug(machine: dict[str, Any]) -> str:
    """A name for files.

    Examples
    --------
    >>> slug({"cpu": "AMD EPYC", "cores": 2, "threads": 1, "gpu": None})
    'amd-epyc-2-cores-1-thread'
    """
    parts = [machine["cpu"], f"{machine['cores']} cores"]
    if machine["threads"] != machine["cores"]:
        parts.append(f"{machine['threads']} thread{'s' if machine['threads'] > 1 else ''}")
    if machine["gpu"]:
        parts.append(machine["gpu"])
    return re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")


def busy_by_others() -> float:
    """Processors in use while this program waits; nan where the system does not say."""
    before = _ticks()
    if before is None:
        return float("nan")
    time.sleep(_SAMPLE_SECONDS)
    after = _ticks()
    assert after is not None
    used, total = (b - a for a, b in zip(before, after, strict=True))
    return (os.cpu_count() or 1) * used / max(total, 1)


def settle(patience: float = 1.0) -> float:
    """Wait until nothing else runs, at most so many seconds; `busy_by_others` at the end.

    Idle threads of BLAS libraries go on spinning for a tenth of a second after the last product, on a processor
    that the next to be measured would want.
    """
    until = time.perf_counter() + patience
    while (busy := busy_by_others()) > BUSY and time.perf_counter() < until:
        pass
    return busy


def _ticks() -> tuple[int, int] | None:
    """Time of all processors spent on work, and altogether."""
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return None
    values = [int(value) for value in line.split()[1:9]]
    idle = values[3] + values[4]
    return sum(values) - idle, sum(values)


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def _memory() -> float | None:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)


def _gpu() -> str | None:
    try:
        found = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True, text=True, check=True, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip().splitlines()[0] if found.stdout.strip() else None
