"""Bits and inequality, which MLX's ``vmap`` gets wrong, without a word, where one operand is mapped and the other is not.

The operators ``&``, ``|``, ``^``, ``<<``, ``>>`` and ``!=`` of its arrays are replaced, since formulas are written with them; the functions
of the namespace are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import mlx.core as mx

from multimlp.backend import Array
from multimlp.backends.mlx._mapped import in_front

__all__ = [
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "not_equal",
]

Operation: TypeAlias = Callable[[Any, Any], Any]


def _mapped(own: Operation) -> Operation:
    """A function of two arrays with a rule of our own: what is not mapped gets an axis of length 1 there."""
    function: Any = mx.custom_function(own)

    def over(inputs: Any, axes: Any) -> Any:
        rows = in_front(inputs, axes)
        ndim = max(x.ndim for x in rows)
        return function(
            *(mx.reshape(x, (x.shape[0], *(1,) * (ndim - x.ndim), *x.shape[1:])) for x in rows)
        ), 0

    function.vmap(over)

    def apply(x1: Any, x2: Any, /) -> Any:
        return function(_beside(x1, x2), _beside(x2, x1))

    return apply


def _beside(x: Any, other: Any) -> Array:
    """A number as an array that goes with the other operand."""
    if isinstance(x, mx.array):
        return x
    is_alike = isinstance(x, bool) or other.dtype != mx.bool_
    return mx.array(x, dtype=other.dtype) if is_alike else mx.array(x)


bitwise_and, bitwise_or, bitwise_xor, bitwise_left_shift, bitwise_right_shift = map(
    _mapped, (mx.bitwise_and, mx.bitwise_or, mx.bitwise_xor, mx.left_shift, mx.right_shift)
)


def not_equal(x1: Any, x2: Any, /) -> Array:
    return mx.logical_not(mx.equal(x1, x2))


_OPERATORS = {
    "and": bitwise_and,
    "or": bitwise_or,
    "xor": bitwise_xor,
    "lshift": bitwise_left_shift,
    "rshift": bitwise_right_shift,
    "ne": not_equal,
}


def vectorise_rightly() -> None:
    """Replace the operators, and add those for a number on the left; a second call changes nothing."""
    for symbol, exact in _OPERATORS.items():
        own = getattr(mx.array, f"__{symbol}__")
        if not hasattr(own, "__wrapped_by_multimlp__"):
            setattr(mx.array, f"__{symbol}__", _operator(own, exact))
            if symbol != "ne":
                setattr(mx.array, f"__r{symbol}__", _reflected(exact))


def _operator(own: Operation, exact: Operation) -> Operation:
    def operator(self: Any, other: Any) -> Any:
        return exact(self, other) if isinstance(other, mx.array) else own(self, other)

    operator.__wrapped_by_multimlp__ = own  # type: ignore[attr-defined]
    return operator


def _reflected(exact: Operation) -> Operation:
    def operator(self: Any, other: Any) -> Any:
        return exact(other, self) if isinstance(other, int) else NotImplemented

    return operator
