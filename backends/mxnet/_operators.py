"""Operators of ``mxnet.np.ndarray`` that give way to an operand that asks for it.

For an operand that it does not know, Python's protocol wants an operator to return ``NotImplemented``, so
that the other operand is asked; MXNet's raise. Then ``array * traced`` fails although ``traced * array``
works. The operators are wrapped once so that they give way to a type with ``__array_ufunc__ = None``, by
which types ask for it everywhere. With such an operand all of them failed before; nothing else changes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import mxnet as mx

_BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split()  # noqa: SIM905
_COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
_METHODS = [f"__{name}__" for name in (*_BINARY, *_COMPARISONS)]


def give_way() -> None:
    """Wrap the operators; a second call changes nothing."""
    for name in _METHODS:
        method = getattr(mx.np.ndarray, name, None)
        if method is not None and not hasattr(method, "__multimlp__"):
            setattr(mx.np.ndarray, name, _wrapped(method))


def _wrapped(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @functools.wraps(method)
    def operator(self: Any, other: Any) -> Any:
        if getattr(type(other), "__array_ufunc__", method) is None:
            return NotImplemented
        return method(self, other)

    operator.__multimlp__ = True  # type: ignore[attr-defined]
    return operator
