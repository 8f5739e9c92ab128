"""CuPy: the primitives as they stand, on its functions with ``out=``; every call only queues work on the
device."""

from __future__ import annotations

import cupy

from multimlp.backend import Backend
from multimlp.engine.flat_kernels import Kernels


def kernels(backend: Backend, dtype: str, device: str | None) -> Kernels:
    return Kernels(backend, dtype, device, cupy)
