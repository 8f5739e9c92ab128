"""DLPack between libraries: the header is looked at before anything is handed over.

Two hand-overs end the process instead of raising: an unaligned buffer into TensorFlow, and a negative stride
into torch.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

from multimlp.backend import Array

CPU = 1
"""``kDLCPU`` of dlpack.h."""


class _Header(ctypes.Structure):
    """``DLTensor`` of dlpack.h, with which ``DLManagedTensor`` begins."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype = ctypes.c_void_p
_get_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)


class Layout(NamedTuple):
    """Where the elements of an array lie."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In elements."""

    @property
    def in_c_order(self) -> bool:
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size > 1 and stride != expected:
                return False
            expected *= size
        return True


def layout(capsule: Any) -> Layout:
    """The layout that an unconsumed capsule (of ``__dlpack__()``) describes."""
    header = _Header.from_address(_get_pointer(capsule, b"dltensor"))
    shape = tuple(header.shape[: header.ndim])
    if header.strides:
        strides = tuple(header.strides[: header.ndim])
    else:
        strides = _c_strides(shape)
    return Layout((header.data or 0) + header.byte_offset, shape, strides)


def _c_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def share(take: Callable[[Any], Array], x: Array) -> Array | None:
    """``take(x)``, an array of another library with the memory of ``x``; None where the two cannot share it.

    Parameters
    ----------
    take : callable
        The library's ``from_dlpack``. It may copy, and may raise what it likes.
    x : array of another library
    """
    if getattr(x, "requires_grad", False):
        x = x.detach()
    try:
        if min(layout(x.__dlpack__()).strides, default=0) < 0:
            return None
        return take(x)
    except (
        Exception
    ):  # what is not supported raises one of ten types, of each library's own choice; then a copy serves
        return None
