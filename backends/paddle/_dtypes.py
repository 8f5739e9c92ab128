"""Dtypes, and what the operands of one function come to together.

Paddle's own functions take no numbers, refuse integers beside floats, and announce every promotion on the terminal; and where an operator
takes a number, ``where`` and ``pow`` round it to float32. So everything here is an array of one dtype before Paddle sees it.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

import numpy as np
import paddle

from multimlp.errors import DeviceError, DTypeError

__all__ = [
    "can_cast", "complex64", "complex128", "finfo", "float32", "float64", "iinfo", "int8", "int16", "int32", "int64", "isdtype",
    "result_type", "uint8",
]  # fmt: skip

Array: TypeAlias = Any
DType: TypeAlias = Any

float64, float32 = paddle.float64, paddle.float32
int64, int32, int16, int8, uint8 = paddle.int64, paddle.int32, paddle.int16, paddle.int8, paddle.uint8
complex64, complex128 = paddle.complex64, paddle.complex128
bool_ = paddle.bool

DEFAULT_FLOAT, DEFAULT_INTEGER, DEFAULT_COMPLEX = float32, int64, complex64

_KINDS = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
}


@cache
def name_of(dtype: DType) -> str:
    """``"float32"`` for Paddle's, NumPy's or a string."""
    text = str(dtype)
    return text.rpartition(".")[2] if text.startswith("paddle.") else np.dtype(dtype).name


@cache
def kind_of(dtype: DType) -> str:
    """NumPy's letter for the kind: one of ``biufc``."""
    name = name_of(dtype)
    return "f" if name == "bfloat16" else np.dtype(name).kind


def isdtype(dtype: DType, kind: Any) -> bool:
    """Whether ``dtype`` is of that kind, or one of those kinds."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, str) and kind in _KINDS:
        return kind_of(dtype) in _KINDS[kind]
    try:
        return name_of(dtype) == name_of(kind)
    except TypeError:
        raise DTypeError(f"kind: expected one of {', '.join(_KINDS)}, or a dtype, got {kind!r}") from None


@cache
def promoted(first: DType, second: DType) -> DType:
    """The dtype that holds both, as NumPy has it; an integer beside a floating-point dtype leaves that as it is."""
    if first == second:
        return first
    kinds = {kind_of(first), kind_of(second)}
    if "bfloat16" in (name_of(first), name_of(second)):
        others = [d for d in (first, second) if kind_of(d) in "fc" and name_of(d) != "bfloat16"]
        return (float32 if name_of(others[0]) == "float16" else others[0]) if others else paddle.bfloat16
    if len(kinds & set("fc")) == 1 and len(kinds) == 2:
        return first if kind_of(first) in "fc" else second
    name = np.promote_types(name_of(first), name_of(second)).name
    if not hasattr(paddle, name):
        raise DTypeError(f"dtype: {name_of(first)} and {name_of(second)} have none in common in Paddle")
    return getattr(paddle, name)


def result_type(*items: Any) -> DType:
    """The dtype that arrays, dtypes and Python numbers come to together."""
    numbers = [item for item in items if isinstance(item, (bool, int, float, complex))]
    found = None
    for item in items:
        if not isinstance(item, (bool, int, float, complex)):
            dtype = getattr(item, "dtype", item)
            found = dtype if found is None else promoted(found, dtype)
    for number in numbers:
        found = _beside(found, number)
    return found


def _beside(dtype: DType | None, number: complex) -> DType:
    """The dtype of an array and a number, or of a number alone; a number widens no dtype of its own kind."""
    letter = np.asarray(number).dtype.kind
    own = {"b": bool_, "i": DEFAULT_INTEGER, "f": DEFAULT_FLOAT, "c": DEFAULT_COMPLEX}[letter]
    if dtype is None:
        return own
    kind = "i" if kind_of(dtype) == "u" else kind_of(dtype)
    if "bifc".index(kind) >= "bifc".index(letter):
        return dtype
    return complex128 if letter == "c" and name_of(dtype) == "float64" else own


def can_cast(from_: Any, to: DType, /) -> bool:
    return np.can_cast(name_of(getattr(from_, "dtype", from_)), name_of(to))


def operands(*items: Any) -> tuple[Array, ...]:
    """Arrays of one dtype for arrays and numbers, of which one at least is an array."""
    first = items[0]
    if all(isinstance(x, paddle.Tensor) and x.dtype == first.dtype for x in items):
        return items
    plain = [
        x if isinstance(x, (paddle.Tensor, bool, int, float, complex)) else paddle.to_tensor(np.asarray(x))
        for x in items
    ]
    dtype = result_type(*plain)
    like = next((x for x in plain if isinstance(x, paddle.Tensor)), None)
    return tuple(
        (x if x.dtype == dtype else x.astype(dtype))
        if isinstance(x, paddle.Tensor)
        else _number(x, dtype, like)
        for x in plain
    )


def _number(value: complex, dtype: DType, like: Array | None) -> Array:
    made = paddle.to_tensor(
        np.asarray(value, dtype=name_of(dtype)), place=None if like is None else like.place
    )
    return made


class _FloatInfo:
    """What the standard asks of ``finfo``, as Python's numbers."""

    def __init__(self, dtype: DType) -> None:
        name = name_of(getattr(dtype, "dtype", dtype))
        info = np.finfo(name)
        self.bits, self.dtype = info.bits, getattr(paddle, np.dtype(info.dtype).name)
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.smallest_normal = float(info.smallest_normal)


def finfo(type: Any, /) -> _FloatInfo:
    return _FloatInfo(type)


def iinfo(type: Any, /) -> Any:
    return np.iinfo(name_of(getattr(type, "dtype", type)))


def place_of(device: Any) -> Any:
    """A place of Paddle for ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"gpu"``, or what is one already."""
    if device is None or not isinstance(device, str):
        return device
    kind, _, index = str(device).partition(":")
    if kind not in ("cpu", "cuda", "gpu") or (index and not index.isdigit()):
        raise DeviceError(f"device: expected 'cpu', 'cuda', 'cuda:1' or 'gpu', got {device!r}")
    return paddle.CPUPlace() if kind == "cpu" else paddle.CUDAPlace(int(index or 0))
