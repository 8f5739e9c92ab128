"""Data types: the standard's names, promotion, and what ``finfo`` and ``iinfo`` say of them."""

from __future__ import annotations

import builtins
import math
from functools import cache
from types import SimpleNamespace
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
import tensorflow as tf

from multimlp.errors import DTypeError, InputError, MixedBackendsError

__all__ = [
    "bfloat16", "bool", "can_cast", "complex64", "complex128", "finfo", "float16", "float32", "float64",
    "iinfo", "int8", "int16", "int32", "int64", "isdtype", "result_type", "uint8", "uint16", "uint32",
    "uint64",
]  # fmt: skip

Tensor: TypeAlias = tf.Tensor
DType: TypeAlias = tf.DType
Scalar: TypeAlias = builtins.bool | int | float | complex

bool = tf.bool
int8, int16, int32, int64 = tf.int8, tf.int16, tf.int32, tf.int64
uint8, uint16, uint32, uint64 = tf.uint8, tf.uint16, tf.uint32, tf.uint64
float16, bfloat16, float32, float64 = tf.float16, tf.bfloat16, tf.float32, tf.float64
HALF = frozenset({float16, bfloat16})
complex64, complex128 = tf.complex64, tf.complex128

DEFAULT_INTEGER, DEFAULT_FLOAT, DEFAULT_COMPLEX = int64, float32, complex64

SIGNED = frozenset({int8, int16, int32, int64})
UNSIGNED = frozenset({uint8, uint16, uint32, uint64})
INTEGRAL = SIGNED | UNSIGNED
REAL_FLOATING = frozenset({float16, bfloat16, float32, float64})
COMPLEX_FLOATING = frozenset({complex64, complex128})
FLOATING = REAL_FLOATING | COMPLEX_FLOATING
REAL = INTEGRAL | REAL_FLOATING
NUMERIC = REAL | COMPLEX_FLOATING
BOOLEAN = frozenset({bool})
ANY = NUMERIC | BOOLEAN

_KINDS: dict[str, frozenset[DType]] = {
    "bool": BOOLEAN,
    "signed integer": SIGNED,
    "unsigned integer": UNSIGNED,
    "integral": INTEGRAL,
    "real floating": REAL_FLOATING,
    "complex floating": COMPLEX_FLOATING,
    "numeric": NUMERIC,
}
_COMPLEX_OF = {float32: complex64, float64: complex128}


def isdtype(dtype: DType, kind: DType | str | tuple[DType | str, ...]) -> builtins.bool:
    """Whether ``dtype`` is of a kind; float16 and bfloat16 count as real floating."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, each) for each in kind)
    if isinstance(kind, str):
        if kind not in _KINDS:
            raise InputError(f"isdtype: kind must be one of {sorted(_KINDS)}, got {kind!r}")
        return dtype in _KINDS[kind]
    return dtype == kind


@cache
def promote(first: DType, second: DType) -> DType:
    """The standard's promotion of two dtypes; kinds that it leaves undefined are refused."""
    if first == second:
        return first
    if {first, second} == {float16, bfloat16}:  # outside the standard; float32 holds both
        return float32
    for kind in (SIGNED, UNSIGNED, FLOATING, INTEGRAL):
        if first in kind and second in kind:
            promoted = np.promote_types(first.as_numpy_dtype, second.as_numpy_dtype)
            if kind is INTEGRAL and promoted.kind == "f":  # a signed integer with uint64
                break
            return tf.as_dtype(promoted)
    raise DTypeError(
        f"the array API defines no common dtype for {first.name} and {second.name}: "
        "convert one of the arrays first, with xp.astype(x, dtype)"
    )


def _with_scalar(dtype: DType, scalar: Scalar) -> DType:
    """The dtype of an array of ``dtype`` combined with a Python scalar, which is weak."""
    if isinstance(scalar, builtins.bool):
        fits = dtype == bool
    elif isinstance(scalar, int):
        fits = dtype in NUMERIC
    elif isinstance(scalar, float):
        fits = dtype in FLOATING
    else:
        dtype = _COMPLEX_OF.get(dtype, dtype)
        fits = dtype in COMPLEX_FLOATING
    if not fits:
        raise DTypeError(
            f"the Python {type(scalar).__name__} {scalar!r} cannot be combined with a {dtype.name} array: "
            "convert the array first, with xp.astype(x, dtype)"
        )
    return dtype


def is_scalar(x: Any) -> builtins.bool:
    return isinstance(x, (builtins.bool, int, float, complex))


def result_type(*arrays_and_dtypes: Tensor | Scalar | DType) -> DType:
    """The dtype that the arguments have in common; Python scalars take the arrays' dtype."""
    dtype: DType | None = None
    scalars = []
    each: Any  # mypy sees no types in TensorFlow
    for each in arrays_and_dtypes:
        if isinstance(each, tf.DType):
            found = each
        elif is_scalar(each):
            scalars.append(each)
            continue
        elif tf.is_tensor(each):
            found = each.dtype
        else:
            raise MixedBackendsError(
                f"expected a TensorFlow tensor, a dtype or a Python scalar, got {type(each).__module__}."
                f"{type(each).__qualname__}: convert it first, with xp.asarray(x)"
            )
        dtype = found if dtype is None else promote(dtype, found)
    if dtype is None:
        raise InputError("result_type: expected at least one array or dtype, got Python scalars only")
    for scalar in scalars:
        dtype = _with_scalar(dtype, scalar)
    return dtype


def constant(value: Scalar, dtype: DType) -> Tensor:
    """A Python scalar as a tensor. ``tf.constant(-0.0)`` may find 0.0 in TensorFlow's cache of scalars."""
    if value == 0 and isinstance(value, float) and math.copysign(1, value) < 0:
        return tf.negative(tf.zeros((), dtype))
    return tf.constant(value, dtype)


def truth(x: Tensor) -> Tensor:
    """Whether each element differs from 0: a cast of a complex number to bool sees its real part alone."""
    return tf.not_equal(x, 0) if x.dtype in COMPLEX_FLOATING else tf.cast(x, bool)


def cast_to(x: Any, dtype: DType) -> Tensor:
    """A tensor or Python scalar as a tensor of ``dtype``."""
    if tf.is_tensor(x):
        return x if x.dtype is dtype else tf.cast(x, dtype)
    return constant(x, dtype)


def promoted(*arrays: Tensor | Scalar) -> list[Tensor]:
    """The arguments as tensors of their common dtype."""
    dtype = result_type(*arrays)
    return [cast_to(x, dtype) for x in arrays]


def require(name: str, dtype: DType, allowed: frozenset[DType]) -> None:
    """Refuse a dtype for which a function is not defined."""
    if dtype not in allowed:
        expected = ", ".join(sorted(d.name for d in allowed))
        raise DTypeError(f"{name}: dtype {dtype.name} is not supported; convert with xp.astype to {expected}")


def can_cast(from_: DType | Tensor, to: DType, /) -> builtins.bool:
    """Whether promotion can lead from one dtype to the other."""
    source = from_ if isinstance(from_, tf.DType) else from_.dtype
    try:
        return promote(source, to) == to
    except DTypeError:
        return False


def _dtype_of(argument: DType | Tensor) -> DType:
    return argument if isinstance(argument, tf.DType) else argument.dtype


def finfo(type: DType | Tensor, /) -> SimpleNamespace:
    """Limits of a floating-point dtype, as Python floats."""
    dtype = _dtype_of(type)
    require("finfo", dtype, FLOATING)
    info = ml_dtypes.finfo(dtype.real_dtype.as_numpy_dtype)
    return SimpleNamespace(
        bits=info.bits,
        eps=float(info.eps),
        max=float(info.max),
        min=float(info.min),
        smallest_normal=float(info.smallest_normal),
        dtype=dtype.real_dtype,
    )


def iinfo(type: DType | Tensor, /) -> SimpleNamespace:
    """Limits of an integer dtype."""
    dtype = _dtype_of(type)
    require("iinfo", dtype, INTEGRAL)
    info = np.iinfo(dtype.as_numpy_dtype)
    return SimpleNamespace(bits=info.bits, max=int(info.max), min=int(info.min), dtype=dtype)
