"""Arrays from numbers, shapes, and other arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle

from multimlp.backends.paddle._dtypes import (
    DEFAULT_COMPLEX,
    DEFAULT_FLOAT,
    DEFAULT_INTEGER,
    Array,
    DType,
    bool_,
    kind_of,
    name_of,
    place_of,
)
from multimlp.errors import DTypeError

__all__ = [
    "arange", "asarray", "astype", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "meshgrid", "ones",
    "ones_like", "zeros", "zeros_like",
]  # fmt: skip

_DEFAULTS = {"f": DEFAULT_FLOAT, "i": DEFAULT_INTEGER, "b": bool_, "c": DEFAULT_COMPLEX}
_HOST = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
)


def asarray(
    obj: Any, /, *, dtype: DType | None = None, device: Any = None, copy: bool | None = None
) -> Array:
    """An array of a number, nested lists, a NumPy array (which keeps its dtype) or one of Paddle."""
    place = place_of(device)
    if isinstance(obj, paddle.Tensor):
        found = obj if place is None else obj.to(place)
        if dtype is not None and name_of(found.dtype) != name_of(dtype):
            return astype(found, dtype)
        return found.clone() if copy and found is obj else found
    if isinstance(obj, (list, tuple)) and any(isinstance(item, paddle.Tensor) for item in obj):
        return paddle.stack([asarray(item, dtype=dtype, device=device) for item in obj])
    host = np.asarray(obj)
    name = (
        host.dtype.name
        if isinstance(obj, (np.ndarray, np.generic))
        else name_of(_DEFAULTS.get(host.dtype.kind, host.dtype))
    )
    name = name if dtype is None else name_of(dtype)
    if name == "bfloat16":
        return (
            paddle.to_tensor(np.ascontiguousarray(host, dtype=np.float32), place=place)
            .astype("bfloat16")
            .reshape(host.shape)
        )
    if name not in _HOST:
        raise DTypeError(f"asarray: Paddle has no arrays of dtype {name}; cast first, e.g. to int64")
    with np.errstate(over="ignore"):
        plain = np.array(host, dtype=name, order="C", copy=True)
    return paddle.to_tensor(plain, place=place)


def astype(x: Array, dtype: DType, /, *, copy: bool = True, device: Any = None) -> Array:
    moved = x if device is None else x.to(place_of(device))
    if moved.dtype == dtype or name_of(moved.dtype) == name_of(dtype):
        return moved.clone() if copy and moved is x else moved
    return moved.astype(name_of(dtype))


def full(shape: Any, fill_value: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    if isinstance(fill_value, paddle.Tensor):
        found = paddle.broadcast_to(fill_value, _shape(shape)).clone()
        return found if dtype is None else astype(found, dtype)
    if dtype is None:
        dtype = _DEFAULTS[np.asarray(fill_value).dtype.kind]
    if kind_of(dtype) == "c":
        return asarray(np.full(_shape(shape), fill_value), dtype=dtype, device=device)
    found = paddle.full(_shape(shape), _within(fill_value, dtype), dtype=name_of(dtype))
    return found if device is None else found.to(place_of(device))


def _within(value: Any, dtype: DType) -> Any:
    """As a Python number of the kind of the dtype: Paddle takes numbers of NumPy for arrays."""
    return {"b": bool, "i": int, "u": int, "f": float}[kind_of(dtype)](value)


def zeros(shape: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(shape, 0, dtype=DEFAULT_FLOAT if dtype is None else dtype, device=device)


def ones(shape: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(shape, 1, dtype=DEFAULT_FLOAT if dtype is None else dtype, device=device)


def full_like(x: Array, /, fill_value: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(
        x.shape,
        fill_value,
        dtype=x.dtype if dtype is None else dtype,
        device=x.place if device is None else device,
    )


def zeros_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full_like(x, 0, dtype=dtype, device=device)


def ones_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full_like(x, 1, dtype=dtype, device=device)


empty, empty_like = zeros, zeros_like


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DType | None = None,
    device: Any = None,
) -> Array:
    host = np.arange(0, start, step) if stop is None else np.arange(start, stop, step)
    return asarray(host, dtype=_DEFAULTS[host.dtype.kind] if dtype is None else dtype, device=device)


def linspace(
    start: float,
    stop: float,
    /,
    num: int,
    *,
    dtype: DType | None = None,
    device: Any = None,
    endpoint: bool = True,
) -> Array:
    host = np.linspace(start, stop, num, endpoint=endpoint)
    return asarray(host, dtype=DEFAULT_FLOAT if dtype is None else dtype, device=device)


def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: DType | None = None, device: Any = None
) -> Array:
    return asarray(
        np.eye(n_rows, n_cols, k=k), dtype=DEFAULT_FLOAT if dtype is None else dtype, device=device
    )


def meshgrid(*arrays: Array, indexing: str = "xy") -> tuple[Array, ...]:
    found = paddle.meshgrid(*arrays)
    if indexing == "ij" or len(arrays) < 2:
        return tuple(found)
    first, second, *others = arrays
    swapped = paddle.meshgrid(second, first, *others)
    return (swapped[1], swapped[0], *swapped[2:])


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    return asarray(paddle.from_dlpack(x), device=device, copy=copy)


def _shape(shape: Any) -> list[int]:
    return [int(shape)] if isinstance(shape, (int, np.integer)) else [int(n) for n in shape]
