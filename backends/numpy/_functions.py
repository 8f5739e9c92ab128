"""Functions of the standard without the layers of Python around NumPy's: on a hundred numbers these take most of the time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

_COPIED = 4096
"""Elements up to which a copy takes less time than a view of stretched strides."""


def _reduced(reduce: Callable[..., Any]) -> Callable[..., Any]:
    def function(x: Any, /, axis: Any = None, dtype: Any = None, keepdims: bool = False, **more: Any) -> Any:
        return reduce(x, axis, dtype, None, keepdims, **more)

    return function


def _broadcast_to(x: Any, /, shape: tuple[int, ...]) -> Any:
    if math.prod(shape) > _COPIED:
        return np.broadcast_to(x, shape)
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "broadcast_to": _broadcast_to,
    "matmul": np.matmul,
    "max": _reduced(np.maximum.reduce),
    "min": _reduced(np.minimum.reduce),
    "sum": _reduced(np.add.reduce),
}
