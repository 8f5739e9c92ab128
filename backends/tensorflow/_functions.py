"""How a kernel becomes a function of the namespace: check the dtype, promote if needed, call.

When the operands are tensors of one allowed dtype, as they are in a network, the kernel is called at
once. A function of ``tf.math`` takes twice the time of that in ``tf.raw_ops`` below it (17 and 8 us).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from multimlp.backends.tensorflow._dtypes import (
    FLOATING,
    NUMERIC,
    DType,
    Scalar,
    Tensor,
    cast_to,
    constant,
    require,
    result_type,
)

Unary: TypeAlias = Callable[[Tensor], Tensor]
Binary: TypeAlias = Callable[[Tensor | Scalar, Tensor | Scalar], Tensor]


_WEAK = {int: NUMERIC, float: FLOATING}


def matched(
    name: str, allowed: frozenset[DType], x1: Tensor | Scalar, x2: Tensor | Scalar
) -> tuple[Tensor, Tensor]:
    """Two operands as tensors of their common dtype, which must be an allowed one."""
    dtype = getattr(x1, "dtype", None)
    if dtype in allowed and dtype in _WEAK.get(type(x2), ()):  # the usual case, without the ceremony
        return x1, constant(x2, dtype)
    dtype = result_type(x1, x2)
    require(name, dtype, allowed)
    return cast_to(x1, dtype), cast_to(x2, dtype)


def unary(name: str, allowed: frozenset[DType], kernel: Callable[..., Any], summary: str) -> Unary:
    """The function ``name(x)`` for a kernel that is called as ``kernel(x=x)``."""

    def function(x: Tensor, /) -> Tensor:
        if getattr(x, "dtype", None) not in allowed:
            require(name, result_type(x), allowed)
        return kernel(x=x)

    return _named(function, name, summary)


def binary(name: str, allowed: frozenset[DType], kernel: Callable[..., Any], summary: str) -> Binary:
    """The function ``name(x1, x2)`` for a kernel that is called as ``kernel(x=x1, y=x2)``."""

    def function(x1: Tensor | Scalar, x2: Tensor | Scalar, /) -> Tensor:
        dtype = getattr(x1, "dtype", None)
        if dtype is not getattr(x2, "dtype", None) or dtype not in allowed:
            x1, x2 = matched(name, allowed, x1, x2)
        return kernel(x=x1, y=x2)

    return _named(function, name, summary)


def _named(function: Any, name: str, summary: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{summary}\n\nSee ``{name}`` in the Python array API standard 2024.12."
    return function
