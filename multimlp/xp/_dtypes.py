"""Dtypes of no library: names that stand for the dtype of that name of whatever library an array belongs to."""

from __future__ import annotations

import builtins
from typing import Any, NamedTuple, TypeAlias

from multimlp._typing import Array
from multimlp.backend import is_array
from multimlp.errors import DTypeError, InputError
from multimlp.errors.checks import as_given
from multimlp.xp._dispatch import MAIN, home_of


class DType(str):
    """The name of a dtype, equal to the dtype of that name of every library.

    Functions of `multimlp.xp` take it, and so does whatever takes a dtype by name: ``fit(dtype=xp.float32)``,
    ``numpy.zeros(3, xp.float32)``.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import xp
    >>> np.ones(3).dtype == xp.float64, xp.float64 == np.float32
    (True, False)
    """

    __slots__ = ()

    def __eq__(self, other: object) -> builtins.bool:
        return str(self) == (other if isinstance(other, str) else name_of(other))

    def __ne__(self, other: object) -> builtins.bool:
        return not self == other

    __hash__ = str.__hash__

    def __str__(self) -> str:
        return str.__str__(self)

    def __repr__(self) -> str:
        return f"xp.{str.__str__(self)}"


DTypeLike: TypeAlias = Any
"""A `DType`, its name, or a library's own dtype."""

KINDS: dict[str, tuple[str, ...]] = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64", "float16", "bfloat16"),
    "complex floating": ("complex64", "complex128"),
}
KINDS["integral"] = KINDS["signed integer"] + KINDS["unsigned integer"]
KINDS["numeric"] = KINDS["integral"] + KINDS["real floating"] + KINDS["complex floating"]
NAMES = KINDS["bool"] + KINDS["numeric"]


_WIDTH = {name: int("".join(filter(str.isdigit, name.removeprefix("b")))) for name in KINDS["numeric"]}
_FLOATS = {"float16": (10, 15), "bfloat16": (7, 127), "float32": (23, 127), "float64": (52, 1023)}
"""Of each format the bits of the fraction and the largest exponent."""


def name_of(dtype: Any) -> str:
    """The standard's name of a library's dtype, whichever library it is; that of something else is no dtype's."""
    text = str(getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or dtype)
    return text.rpartition(".")[2].rstrip("'>_").strip().lower()


def _known(where: str, dtype: Any) -> str:
    name = name_of(dtype.dtype if is_array(dtype) else dtype)
    if name not in NAMES:
        raise DTypeError(f"{where}: expected an array or a dtype of the standard, got {as_given(dtype)}")
    return name


def isdtype(dtype: DTypeLike, kind: DTypeLike | tuple[DTypeLike, ...]) -> builtins.bool:
    """Whether a dtype, of any library, is of a kind: a name such as ``"real floating"``, a dtype, or one of a tuple of them."""
    if isinstance(kind, tuple):
        return builtins.any(isdtype(dtype, each) for each in kind)
    name = _known("isdtype", dtype)
    return (
        name in KINDS.get(kind, ())
        if isinstance(kind, str) and kind in KINDS
        else name == _known("kind", kind)
    )


def _promoted(a: str, b: str) -> str | None:
    """The dtype that both go into without loss, as the standard has it; None where it says nothing."""
    if a == b:
        return a
    kinds = {kind for kind, names in KINDS.items() if a in names and b in names}
    larger = builtins.max(a, b, key=lambda name: _WIDTH.get(name, 0))
    if kinds & {"signed integer", "unsigned integer", "complex floating"}:
        return larger
    if "real floating" in kinds:
        return larger if _WIDTH[a] != _WIDTH[b] else "float32"
    if "integral" in kinds:
        signed, unsigned = (a, b) if a in KINDS["signed integer"] else (b, a)
        bits = builtins.max(_WIDTH[signed], 2 * _WIDTH[unsigned])
        return f"int{bits}" if bits <= 64 else None
    floating = KINDS["real floating"] + KINDS["complex floating"]
    if a in floating and b in floating:
        real, other = (a, b) if a in KINDS["real floating"] else (b, a)
        return "complex128" if real == "float64" else other
    return None


def can_cast(from_: DTypeLike | Array, to: DTypeLike, /) -> builtins.bool:
    """Whether promotion may take a dtype, or that of an array, to another."""
    source, target = _known("from_", from_), _known("to", to)
    return _promoted(source, target) == target


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that arrays, numbers and dtypes have together. With an array among them it is its library's own."""
    if builtins.any(map(is_array, arrays_and_dtypes)):
        home = home_of(a for a in arrays_and_dtypes if is_array(a))
        given = [home.library.dtype(str(a)) if isinstance(a, str) else a for a in arrays_and_dtypes]
        return MAIN.function_of(home, "result_type")(*given)
    if not arrays_and_dtypes:
        raise InputError("result_type: expected an array or a dtype or more, got none")
    names = [_known("result_type", dtype) for dtype in arrays_and_dtypes]
    found: str | None = names[0]
    for name in names[1:]:
        found = None if found is None else _promoted(found, name)
    if found is None:
        raise DTypeError(
            f"result_type: the standard has no dtype for {' and '.join(names)}; cast one: xp.astype(x, ...)"
        )
    return DType(found)


class FloatInfo(NamedTuple):
    """What `finfo` returns."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Any


class IntegerInfo(NamedTuple):
    """What `iinfo` returns."""

    bits: int
    max: int
    min: int
    dtype: Any


def finfo(type: DTypeLike | Array, /) -> FloatInfo:
    """The limits of a floating-point dtype, of that of an array, or of the parts of a complex one."""
    name = _known("type", type)
    part = {"complex64": "float32", "complex128": "float64"}.get(name, name)
    if part not in _FLOATS:
        raise DTypeError(f"finfo: expected a floating-point dtype, got {name}; iinfo is for integers")
    fraction, exponent = _FLOATS[part]
    largest = (2.0 - 2.0**-fraction) * 2.0**exponent
    return FloatInfo(_WIDTH[part], 2.0**-fraction, largest, -largest, 2.0 ** (1 - exponent), DType(part))


def iinfo(type: DTypeLike | Array, /) -> IntegerInfo:
    """The limits of an integer dtype, or of that of an array."""
    name = _known("type", type)
    if name not in KINDS["integral"]:
        raise DTypeError(f"iinfo: expected an integer dtype, got {name}; finfo is for floating point")
    bits, signed = _WIDTH[name], name in KINDS["signed integer"]
    return IntegerInfo(bits, 2 ** (bits - signed) - 1, -(2 ** (bits - 1)) if signed else 0, DType(name))


bool = DType("bool")
int8, int16, int32, int64 = map(DType, KINDS["signed integer"])
uint8, uint16, uint32, uint64 = map(DType, KINDS["unsigned integer"])
float32, float64, float16, bfloat16 = map(DType, KINDS["real floating"])
complex64, complex128 = map(DType, KINDS["complex floating"])
