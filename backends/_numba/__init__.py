"""Training kernels that Numba compiles, for the arrays of every library that lie in the host's memory."""

from __future__ import annotations

import importlib.util
from typing import Any

NEEDED = ("numba", "llvmlite", "scipy")


def numba_kernels(dtype: str, device: str) -> Any | str:
    """The `multimlp.backend.CompiledKernels` for a dtype, or one sentence on what is missing; ``device`` is where the arrays lie."""
    if not device.startswith("cpu"):
        return f"Numba's kernels work on the host, not on {device}"
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} cannot be found (pip install 'multimlp[numba]')"
    try:
        from multimlp.backends._numba.records import NumbaKernels
    except Exception as error:  # of a library below that does not load here
        return f"Numba cannot be loaded here ({error})"

    return NumbaKernels(dtype)
