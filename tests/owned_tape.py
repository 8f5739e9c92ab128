"""The tape's transforms for arrays of any library, which is found from the arrays as portable code finds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp import tape
from multimlp.backend import owner


def value_and_grad(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda arrays: tape.value_and_grad(function, owner(*arrays))(arrays)


def vjp(function: Callable[..., Any], arrays: Any) -> Any:
    return tape.vjp(function, arrays, owner(*arrays))


def jvp(function: Callable[..., Any], arrays: Any, tangents: Any) -> Any:
    return tape.jvp(function, arrays, tangents, owner(*arrays))
