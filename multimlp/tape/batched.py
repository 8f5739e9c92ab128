"""The batched array, which hides an axis.

A batched array has a *level*, as a traced one, and wraps a value with one more axis, the first. An operation on it is done by the
rule in ``batch_rules.py`` on the values below, which may be traced or batched themselves. What has no rule, and what needs the
numbers of one example (``if``, ``float``, assignment, NumPy's own functions), raises `NeedsLoop`: whoever batches then calls the
function once for each example.
"""

from __future__ import annotations

from typing import Any, NoReturn

from multimlp.errors import TracedValueError
from multimlp.tape._array import Wrapped, admit
from multimlp.tape._state import is_open


class NeedsLoop(BaseException):
    """What is asked for differs from example to example, or has no batching rule.

    No `Exception`, so that a function that catches those does not take it for one of its own.
    """

    def __init__(self, level: int, reason: str) -> None:
        super().__init__(reason)
        self.level = level


class Batched(Wrapped):
    """An array with a hidden first axis. It may hold any dtype."""

    __slots__ = ("level", "value")

    def __init__(self, value: Any, level: int) -> None:
        if type(value) not in self.admitted and value is not None:
            admit(type(self), value)
        self.value = value
        self.level = level

    def around(self, value: Any) -> Batched:
        """The same batch of other values."""
        return type(self)(value, self.level)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)[1:]

    @property
    def ndim(self) -> int:
        return len(self.value.shape) - 1

    def __bool__(self) -> bool:
        need_loop(self, "bool()")

    def __float__(self) -> float:
        need_loop(self, "float()")

    def __int__(self) -> int:
        need_loop(self, "int()")

    def __complex__(self) -> complex:
        need_loop(self, "complex()")

    def __index__(self) -> int:
        need_loop(self, "an index")

    def __repr__(self) -> str:
        return f"Batched(level={self.level}, {self.value!r})"

    def __getattr__(self, name: str) -> NoReturn:
        if not name.startswith("__") and hasattr(_plain(self), name):
            need_loop(self, f".{name}")
        raise AttributeError(f"an array has no {name!r}")

    def _refuse_conversion(self) -> NoReturn:
        need_loop(self, "a plain array")

    def _refuse_mutation(self) -> NoReturn:
        need_loop(self, "assignment")

    def _refuse_numpy(self, what: str) -> NoReturn:
        need_loop(self, what)


def _plain(x: Any) -> Any:
    while isinstance(x, Wrapped):
        x = x.value
    return x


def need_loop(x: Batched, what: str) -> NoReturn:
    """Leave the batched call that x belongs to; `TracedValueError` if it has ended."""
    if not is_open(x.level):
        raise TracedValueError(
            f"{what} of an array that was kept from inside a vmap: it stood for all examples at once, and the call has ended. "
            "Return it from the function instead"
        )
    raise NeedsLoop(x.level, f"{what} of a batched array")
