"""Dtypes (NumPy's are MXNet's), devices, and arrays from Python values."""

from __future__ import annotations

from typing import Any, TypeAlias

import mxnet as mx
import numpy as np

from multimlp.errors import DeviceError, DTypeError

__all__ = [
    "asarray", "astype", "can_cast", "float16", "float32", "float64", "int8", "int16", "int32", "int64",
    "isdtype", "result_type", "uint8", "uint16", "uint32", "uint64",
]  # fmt: skip

Array: TypeAlias = Any
DType: TypeAlias = Any

float64, float32, float16 = np.dtype("float64"), np.dtype("float32"), np.dtype("float16")
int64, int32, int16, int8 = np.dtype("int64"), np.dtype("int32"), np.dtype("int16"), np.dtype("int8")
uint64, uint32 = np.dtype("uint64"), np.dtype("uint32")
uint16, uint8 = np.dtype("uint16"), np.dtype("uint8")
bool_ = np.dtype("bool")

DEFAULT_FLOAT = float32
DEFAULT_INTEGER = int64

_DEFAULTS: dict[str, DType] = {"f": DEFAULT_FLOAT, "i": DEFAULT_INTEGER, "b": bool_}
_KINDS = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "",
    "numeric": "iuf",
}


def isdtype(dtype: DType, kind: Any) -> bool:
    """Whether ``dtype`` is of that kind, or one of those kinds."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, str):
        if kind not in _KINDS:
            raise DTypeError(f"kind: expected one of {', '.join(_KINDS)}, got {kind!r}")
        return np.dtype(dtype).kind in _KINDS[kind]
    return np.dtype(dtype) == np.dtype(kind)


def result_type(*items: Any) -> DType:
    """The dtype that arrays, dtypes and Python numbers come to together."""
    return np.result_type(*(getattr(item, "dtype", item) for item in items))


def can_cast(from_: Any, to: DType, /) -> bool:
    return np.can_cast(getattr(from_, "dtype", from_), to)


def astype(x: Array, dtype: DType, /, *, copy: bool = True, device: Any = None) -> Array:
    moved = x if device is None else x.to_device(device_of(device))
    return moved.astype(dtype, copy=copy)


def device_of(device: Any) -> mx.Device | None:
    """An MXNet device for ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"gpu"``, or what is one already."""
    if device is None or isinstance(device, mx.Device):
        return device
    kind, _, index = str(device).partition(":")
    if kind not in ("cpu", "cuda", "gpu") or (index and not index.isdigit()):
        raise DeviceError(f"device: expected 'cpu', 'cuda', 'cuda:1' or 'gpu', got {device!r}")
    return mx.Device("cpu" if kind == "cpu" else "gpu", int(index or 0))


def asarray(
    obj: Any, /, *, dtype: DType | None = None, device: Any = None, copy: bool | None = None
) -> Array:
    """An array of a number, nested lists, a NumPy array (which keeps its dtype) or an array of MXNet."""
    place = device_of(device)
    if isinstance(obj, mx.np.ndarray):
        moved = obj if place is None else obj.to_device(place)
        if dtype is not None and moved.dtype != np.dtype(dtype):
            return moved.astype(dtype)
        return moved.copy() if copy and moved is obj else moved
    if isinstance(obj, (list, tuple)) and any(isinstance(item, mx.np.ndarray) for item in obj):
        return mx.np.stack([asarray(item, dtype=dtype, device=device) for item in obj])
    host = np.asarray(obj)
    typed = isinstance(obj, (np.ndarray, np.generic))
    if dtype is None:
        dtype = host.dtype if typed else _DEFAULTS.get(host.dtype.kind, host.dtype)
    kind = np.dtype(dtype)
    if kind.kind not in "biuf":
        raise DTypeError(f"asarray: MXNet has no arrays of dtype {kind}")
    return mx.np.array(host.astype(kind), dtype=kind, device=place)
