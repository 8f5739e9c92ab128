"""Whose arrays this thread is recording or batching."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

from multimlp._typing import Library

_numbers = itertools.count(1)

Levels: TypeAlias = tuple[tuple[Library, int], ...]


class _Recording(threading.local):
    """``levels``: those that are open, each with the library whose arrays it records, the innermost last; ``forward``: how many of
    them are of forward or Taylor mode.

    While there is one, its library's constants too are to be computed with by the traced namespace, which passes plain
    arrays through: a function may bring a constant together with an array that it closes over, and that is traced.
    """

    levels: Levels = ()
    forward: int = 0


RECORDING = _Recording()


def new_level() -> int:
    """A number above those of all levels before."""
    return next(_numbers)


def is_open(level: int) -> bool:
    """Whether this thread is inside the function that the level was opened for."""
    return any(other == level for _, other in RECORDING.levels)


def outermost_level(library: Library) -> int | None:
    """The first of the open levels at which this library's arrays are recorded, or None."""
    return next((level for other, level in RECORDING.levels if other is library), None)


def call_with(levels: Levels, function: Callable[..., Any], *args: Any) -> Any:
    """``function(*args)`` with these levels open, and no others."""
    before = RECORDING.levels
    RECORDING.levels = levels
    try:
        return function(*args)
    finally:
        RECORDING.levels = before


def call_forward(levels: Levels, function: Callable[..., Any], *args: Any) -> Any:
    """`call_with` for arrays that carry their derivatives with them."""
    RECORDING.forward += 1
    try:
        return call_with(levels, function, *args)
    finally:
        RECORDING.forward -= 1
