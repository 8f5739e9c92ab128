"""The operators of arrays: Python's symbols, bound to the functions of the namespace."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from multimlp.backends.mpmath._elementwise import (
    abs,  # noqa: A004
    add,
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    divide,
    equal,
    floor_divide,
    greater,
    greater_equal,
    less,
    less_equal,
    multiply,
    negative,
    not_equal,
    positive,
    pow,  # noqa: A004
    remainder,
    subtract,
)
from multimlp.backends.mpmath.array import Array
from multimlp.backends.mpmath.linalg import matmul
from multimlp.backends.mpmath.scalars import mpf

_OPERATORS = {
    "add": add, "sub": subtract, "mul": multiply, "truediv": divide, "floordiv": floor_divide,
    "mod": remainder, "pow": pow, "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
    "lshift": bitwise_left_shift, "rshift": bitwise_right_shift, "matmul": matmul,
}  # fmt: skip
_COMPARISONS = {
    "eq": equal, "ne": not_equal, "lt": less, "le": less_equal, "gt": greater, "ge": greater_equal,
}  # fmt: skip
_UNARY = {"neg": negative, "pos": positive, "abs": abs, "invert": bitwise_invert}


def _method(function: Callable[..., Array], reflected: bool = False) -> Callable[..., Any]:
    def method(self: Array, other: Any, /) -> Any:
        if not isinstance(other, (Array, int, float, mpf)):
            return NotImplemented
        return function(other, self) if reflected else function(self, other)

    return method


def _of_self(self: Array, function: Callable[[Array], Array]) -> Array:
    return function(self)


def bind(arrays: type[Array]) -> None:
    """Give the class of arrays its operators; the functions need the class, so it cannot be made with them."""
    for symbol, function in {**_OPERATORS, **_COMPARISONS}.items():
        setattr(arrays, f"__{symbol}__", _method(function))
    for symbol, function in _OPERATORS.items():
        setattr(arrays, f"__r{symbol}__", _method(function, reflected=True))
    for symbol, of_one in _UNARY.items():
        setattr(arrays, f"__{symbol}__", functools.partialmethod(_of_self, of_one))
