"""Operators of MXNet's, Paddle's and MLX's arrays that give way to an operand that asks for it.

For an operand that it does not know, Python's protocol wants an operator to return ``NotImplemented``, so
that the other operand is asked; theirs raise, or answer that it is unequal. Then ``array * traced`` fails although ``traced * array``
works. The operators are wrapped once so that they give way to a type with ``__array_ufunc__ = None``, by
which types ask for it everywhere. With such an operand all of them failed before; nothing else changes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split()  # noqa: SIM905
_COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
_METHODS = [f"__{name}__" for name in (*_BINARY, *_COMPARISONS)]


def give_way(cls: type) -> None:
    """Wrap the operators of a class of arrays; a second call changes nothing."""
    for name in _METHODS:
        method = getattr(cls, name, None)
        if method is not None and not hasattr(method, "__multimlp__"):
            setattr(cls, name, _wrapped(method, cls))


def _wrapped(method: Callable[[Any, Any], Any], own: type) -> Callable[[Any, Any], Any]:
    @functools.wraps(method)
    def operator(self: Any, other: Any) -> Any:
        if getattr(type(other), "__array_ufunc__", method) is None and not isinstance(other, own):
            return NotImplemented
        return method(self, other)

    operator.__multimlp__ = True  # type: ignore[attr-defined]
    return operator
