"""Who runs one compiled program together: what a program of training asks of them, from inside and from around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from multimlp._typing import Array, Arrays

_Function: TypeAlias = Callable[[Arrays], Arrays]


class Placement(Protocol):
    """Devices of this process among which the state of a program lies. Two are equal if programs compiled for one serve the other."""

    size: int
    """How many devices there are, those of other processes included."""
    reason: str
    """For reports: what is where, ``"members on 4 devices"``."""

    def compile(self, function: _Function, compiler: str | None = None, state: int = 0) -> _Function:
        """As `multimlp.backend.Backend.compile_in_place`, for a program of all devices."""

    def place(self, x: Any) -> Array:
        """An input of the program, the same on all devices."""

    def place_state(self, x: Any) -> Array:
        """Part of the state that the program is given and returns."""

    def local(self, x: Array) -> Array:
        """An output of the program as an ordinary array of this process."""


class Workers(Placement, Protocol):
    """Devices of this process, or processes, each with its part of the rows of every batch.

    All hold the same state and call the same programs in the same order. One that is gone is a `multimlp.errors.DistributedError` at a
    call.
    """

    uniform: bool
    """Whether all run one program, in which `index` is an array; else each process has a program of its own."""

    def compile(
        self, function: _Function, compiler: str | None = None, state: int = 0, apart: bool = False
    ) -> _Function:
        """As that of a placement. ``apart``: no operations are merged or rewritten where that could round otherwise in the program of
        another number of workers, although parts are `sealed`."""

    def index(self, like: Array) -> Any:
        """Which worker this is, from 0: an int, or an int32 array of shape () where they are `uniform`."""

    def sum(self, vector: Array) -> Array:
        """The sum of a flat array over the workers, with the same bits on each."""

    def gather(self, vector: Array) -> Array:
        """The flat arrays of all, shape (size, n), in the order of the workers, on each."""

    def sealed(self, function: _Function) -> _Function:
        """A function whose bits do not depend on the program around it, in which a compiler would otherwise merge it."""
