"""Whether functions of the user's are part of a problem: what they read may be another thing in the next run, so that a program that was
compiled of them is for one run alone."""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from multimlp.backend import Backend, Op, is_array

_PLAIN = (str, bytes, bool, int, float, complex, np.generic, type, types.NoneType, Backend)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)


def has_own_functions(value: Any) -> bool:
    """Whether a model, a loss, an optimiser or a penalty holds what is not multimlp's.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.training.engines.own_functions import has_own_functions
    >>> has_own_functions(mm.losses.get("mse")), has_own_functions(mm.losses.get(len))
    (False, True)
    """
    if isinstance(value, _PLAIN):
        return False
    if isinstance(value, Mapping):
        return _any(value.values())
    if isinstance(value, (tuple, list, set, frozenset)):
        return _any(value)
    if isinstance(value, functools.partial):
        return _any((value.func, value.args, value.keywords))
    if isinstance(value, Op):
        return has_own_functions(value.portable)
    if isinstance(value, _FUNCTIONS):
        return _root(value) != "multimlp"
    if is_array(value):
        return False
    if _root(type(value)) != "multimlp":
        return True
    parts = dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()
    return _any(getattr(value, part.name) for part in parts if part.init)


def _any(values: Iterable[Any]) -> bool:
    return any(map(has_own_functions, values))


def _root(value: Any) -> str:
    return str(getattr(value, "__module__", None) or "").partition(".")[0]
