"""The tape's traced namespace in the form that the public array-api-tests suite can run.

Every real floating-point array that a function makes is traced; others are arrays of the namespace below.
``MULTIMLP_TRACED_BACKEND`` names the backend underneath: ``numpy`` (the default) or ``strict``.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from types import ModuleType
from typing import Any

from multimlp.backend import is_array, load_backend
from multimlp.tape import Traced, traced_type

_backend = load_backend(os.environ.get("MULTIMLP_TRACED_BACKEND", "numpy"))
_traced: Any = traced_type(_backend)
_namespace: Any = _traced.__multimlp_namespace__
_LEVEL = 1


def _wrap(value: Any) -> Any:
    if type(value) in (list, tuple):
        return type(value)(map(_wrap, value))
    if hasattr(value, "_fields"):
        return type(value)(*map(_wrap, value))
    if isinstance(value, Traced) or not is_array(value):
        return value
    return _traced(value, _LEVEL) if _namespace.is_real_floating(value.dtype) else value


def _wrapped(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return _wrap(function(*args, **kwargs))

    return wrapper


def _exported(traced: Any, raw: Any) -> dict[str, Any]:
    found = {}
    for name in dir(raw):
        if not name.startswith("_"):
            value = getattr(traced, name)
            is_function = callable(value) and not isinstance(value, type)
            found[name] = _wrapped(value) if is_function else value
            if is_function:
                _copy_signature(found[name], getattr(raw, name))
    return found


def _copy_signature(wrapper: Any, raw: Any) -> None:
    try:
        wrapper.__signature__ = inspect.signature(raw)
    except (TypeError, ValueError):  # a builtin without one
        return


globals().update(_exported(_namespace, _backend.xp))
linalg = ModuleType(__name__ + ".linalg")
vars(linalg).update(_exported(_namespace.linalg, _backend.xp.linalg))
__array_api_version__ = _backend.xp.__array_api_version__


def __array_namespace_info__() -> Any:  # noqa: N807 - the standard's name
    return _backend.xp.__array_namespace_info__()


def _array_namespace(self: Any, *, api_version: str | None = None) -> ModuleType:
    return sys.modules[__name__]


_traced.__array_namespace__ = _array_namespace
