"""The array object: a NumPy array of ``mpf`` (or of integers, or of booleans) that follows the standard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from multimlp.backends.mpmath.scalars import mpf, real


@dataclass(frozen=True)
class DType:
    """A dtype. The real numbers here are called ``float64``, so that portable code finds its name."""

    name: str
    kind: str

    def __repr__(self) -> str:
        return self.name


float64 = DType("float64", "real floating")
int32 = DType("int32", "signed integer")
int64 = DType("int64", "signed integer")
bool_ = DType("bool", "bool")

STORED: dict[DType, np.dtype] = {
    float64: np.dtype(object),
    int32: np.dtype("int32"),
    int64: np.dtype("int64"),
    bool_: np.dtype(bool),
}
_DTYPES = {stored: dtype for dtype, stored in STORED.items()}

_to_real = np.frompyfunc(real, 1, 1)


class Array:
    """An array of ``mpf``, of integers or of booleans; made by the functions of the namespace."""

    __slots__ = ("data",)
    namespace: ClassVar[Any]
    """The module of the functions, which sets it when it is complete."""
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, data: Any) -> None:
        self.data: np.ndarray = data if isinstance(data, np.ndarray) else np.asarray(data)

    @property
    def dtype(self) -> DType:
        return _DTYPES[self.data.dtype]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def size(self) -> int:
        return self.data.size

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def T(self) -> Array:  # noqa: N802 - the standard's name
        return Array(self.data.T)

    @property
    def mT(self) -> Array:  # noqa: N802 - the standard's name
        return Array(np.swapaxes(self.data, -1, -2))

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return self.namespace

    def to_device(self, device: Any, /) -> Array:
        return self

    def __getitem__(self, key: Any, /) -> Array:
        picked = self.data[_plain_key(key)]
        return as_array(picked, self.data.dtype)

    def __setitem__(self, key: Any, value: Any, /) -> None:
        self.data[_plain_key(key)] = unwrap(value)

    def __len__(self) -> int:
        return len(self.data)

    def __bool__(self) -> bool:
        return bool(self.data[()])

    def __float__(self) -> float:
        return float(self.data[()])

    def __int__(self) -> int:
        return int(self.data[()])

    __index__ = __int__

    def __repr__(self) -> str:
        return f"Array({self.data.tolist()!r}, dtype={self.dtype!r})"


def _plain_key(key: Any) -> Any:
    parts = key if isinstance(key, tuple) else (key,)
    return tuple(part.data if isinstance(part, Array) else part for part in parts)


def stored(value: Any, dtype: np.dtype) -> np.ndarray:
    """A 0-d array of that storage; NumPy hands out bare elements where it has reduced to one."""
    holder = np.empty((), dtype=dtype)
    holder[()] = value
    return holder


def as_array(data: Any, dtype: np.dtype = STORED[float64]) -> Array:
    """What a function of NumPy returned; ``dtype`` is for the bare element that it may be."""
    return Array(data if isinstance(data, np.ndarray) else stored(data, dtype))


@np.errstate(all="ignore")
def exact(values: Any) -> np.ndarray:
    """Numbers, of any kind that NumPy or mpmath has, as an object array of ``mpf`` without rounding."""
    host = np.asarray(values)
    if host.dtype.kind in "fV" and host.dtype != np.float64:  # the 16-bit formats of other libraries as well
        host = host.astype(np.float64)
    if host.dtype.kind in "iub":
        host = host.astype(object)
    if host.ndim == 0:
        return stored(real(host[()]), np.dtype(object))
    return np.asarray(_to_real(host), dtype=object)


def unwrap(x: Any) -> Any:
    """What NumPy computes with: the stored array, or a Python number as an ``mpf`` if it is fractional."""
    if isinstance(x, Array):
        return x.data
    return mpf(x) if isinstance(x, float) else x
