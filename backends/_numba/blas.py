"""The matrix products of the compiled kernels: SciPy's BLAS, called by address."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from multimlp.backend import UntranslatableError
from multimlp.backends import _threads
from multimlp.backends._numba import store

_OF_512_BITS = ("SkylakeX", "Cooperlake", "SapphireRapids")
"""What OpenBLAS calls its kernels that use AVX-512."""


@cache
def product(dtype: str) -> int:
    """The address of the product of two matrices of a dtype, Fortran's ``sgemm`` or ``dgemm``."""
    capsule = _scipys("sgemm" if dtype == "float32" else "dgemm")
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, name(capsule)))


@cache
def lagging() -> str:
    """Why products take longer here than the processor would need, or "": OpenBLAS may not know the processor, or be told to take other
    kernels by ``OPENBLAS_CORETYPE``, and then makes half as many operations in the same time."""
    import llvmlite.binding as llvm

    try:
        _scipys("sgemm")
    except UntranslatableError as error:
        return str(error)
    found = set(_threads.blas_kernels())
    if not llvm.get_host_cpu_features().get("avx512f") or not found - set(_OF_512_BITS):
        return ""
    return f"OpenBLAS takes its kernels for {' and '.join(sorted(found))} here, and the processor has AVX-512"


def _scipys(name: str) -> Any:
    with store.as_a_reason():
        from scipy.linalg import cython_blas

        return cython_blas.__pyx_capi__[name]
