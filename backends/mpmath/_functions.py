"""How a function of numbers becomes one of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from multimlp.backends.mpmath.array import STORED, Array, as_array, float64, unwrap

_QUIET = np.errstate(all="ignore")  # a NaN among objects may have raised the flags that NumPy reads


def unary(scalar: Callable[[Any], Any]) -> Callable[[Array], Array]:
    function = np.frompyfunc(scalar, 1, 1)

    @_QUIET
    def apply(x: Array, /) -> Array:
        return as_array(function(x.data))

    return apply


def binary(scalar: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Array]:
    function = np.frompyfunc(scalar, 2, 1)

    @_QUIET
    def apply(x: Any, y: Any, /) -> Array:
        return as_array(function(unwrap(x), unwrap(y)))

    return apply


def by_numpy(function: Callable[..., Any], result: np.dtype | None = None) -> Callable[..., Array]:
    """For what NumPy's own function does to objects as well as to numbers."""

    @_QUIET
    def apply(*args: Any) -> Array:
        data = function(*map(unwrap, args))
        if isinstance(data, np.ndarray):
            return Array(data)
        kinds = [a.data.dtype for a in args if isinstance(a, Array)]
        return as_array(
            data, result or (STORED[float64] if STORED[float64] in kinds else np.asarray(data).dtype)
        )

    return apply


def real_or_integer(real: Callable[..., Array], integer: Callable[..., Any]) -> Callable[..., Array]:
    def apply(*args: Any) -> Array:
        if any(isinstance(a, float) or (isinstance(a, Array) and a.dtype is float64) for a in args):
            return real(*args)
        return by_numpy(integer)(*args)

    return apply
