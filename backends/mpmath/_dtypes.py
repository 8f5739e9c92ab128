"""Data types: conversion, kinds, and what ``finfo`` says."""

from __future__ import annotations

from typing import Any, NamedTuple

from multimlp.backends.mpmath import scalars
from multimlp.backends.mpmath.array import STORED, Array, DType, exact, float64
from multimlp.backends.mpmath.scalars import context, mpf

__all__ = ["astype", "finfo", "isdtype"]


def astype(x: Array, dtype: DType, /, *, copy: bool = True, device: Any = None) -> Array:
    if x.dtype is dtype:
        return x
    return Array(exact(x.data) if dtype is float64 else x.data.astype(STORED[dtype]))


def isdtype(dtype: DType, kind: Any) -> bool:
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, DType):
        return dtype == kind
    members = {"numeric": ("real floating", "signed integer"), "integral": ("signed integer",)}
    return dtype.kind in members.get(kind, (kind,))


class _Limits(NamedTuple):
    bits: int
    eps: Any
    max: Any
    min: Any
    smallest_normal: Any
    dtype: DType


def finfo(type: Any, /) -> _Limits:  # noqa: A002
    """The precision in force; ``bits`` is that of the dtype's name, since code branches on it."""
    return _Limits(64, mpf(2) ** (1 - context.prec), scalars.INF, -scalars.INF, mpf(10) ** -1000, float64)
