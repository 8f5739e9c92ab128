"""64 bits: which values have them, and functions under which they keep them while JAX's x64 switch is off."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from multimlp.errors import shape_unknown

NARROWER: Mapping[str, str] = MappingProxyType(
    {"float64": "float32", "int64": "int32", "uint64": "uint32", "complex128": "complex64"}
)
"""What JAX makes of a dtype of 64 bits while its switch is off."""

WIDE = frozenset(np.dtype(name) for name in NARROWER)

_UFUNC_METHODS = ("accumulate", "at", "outer", "reduce", "reduceat")


def switch_is_on() -> bool:
    """JAX's ``jax_enable_x64``, here and now: globally or in a ``with jax.enable_x64(...)``."""
    return bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]


def keeping(function: Callable[..., Any], module: str, name: str) -> Callable[..., Any]:
    """``function`` under ``jax.enable_x64(True)`` where an argument, or a dtype asked for, is 64 bits wide.

    NumPy's arrays and scalars do not count: what becomes of them JAX decides, as it does in ``jax.numpy``, by its switch and by
    the JAX arrays beside them. `module` and `name` are where the result is found, for pickles.
    """

    @functools.wraps(function)
    def kept(*args: Any, **options: Any) -> Any:
        try:
            if not (_any_wide(args) or (options and _any_wide(options.values()))):
                return function(*args, **options)
            if switch_is_on():
                return function(*args, **options)
            with jax.enable_x64(True):
                return function(*args, **options)
        except (jax.errors.ConcretizationTypeError, jax.errors.NonConcreteBooleanIndexError) as error:
            raise shape_unknown(name, "jax") from error

    kept.__module__, kept.__qualname__ = module, name
    if isinstance(function, jnp.ufunc):
        for method in _UFUNC_METHODS:
            setattr(kept, method, keeping(getattr(function, method), module, f"{name}.{method}"))
    return kept


_NARROW_TYPES = frozenset((int, float, complex, bool, slice, type(None), type(...)))


def _any_wide(values: Iterable[Any]) -> bool:
    """Whether one of them is 64 bits wide: of an array its dtype, of a sequence a member, and a dtype, or its name, itself.

    A loop by hand: this is what the namespace costs, in each eager call.
    """
    for x in values:
        if type(x) in _NARROW_TYPES:
            continue
        dtype = getattr(x, "dtype", None)  # arrays, tracers, and names such as jnp.float64
        if isinstance(dtype, np.dtype):
            if dtype in WIDE and not isinstance(x, (np.ndarray, np.generic)):
                return True
        elif isinstance(x, (tuple, list)):
            if _any_wide(x):
                return True
        elif _names_wide(x):
            return True
    return False


def _names_wide(x: Any) -> bool:
    if isinstance(x, str):
        return x in NARROWER
    return (isinstance(x, np.dtype) or (isinstance(x, type) and issubclass(x, np.generic))) and np.dtype(
        x
    ) in WIDE


def names_of(library: Any, module: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for a module that hands on the names of another: functions kept at 64 bits, the rest as it is."""

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name.startswith("__") and not name.startswith("__array_"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = getattr(library, name)
        if callable(value) and not isinstance(value, type):
            value = keeping(value, module, name)
        setattr(sys.modules[module], name, value)
        return value

    def __dir__() -> list[str]:  # noqa: N807
        return sorted({*dir(library), *vars(sys.modules[module])})

    return __getattr__, __dir__
