"""What the contract says of control flow: loops and branches that depend on values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from multimlp import tape
from multimlp._typing import Array, Arrays, Library


class Loops:
    """Python's own loops and branches, right wherever values are known. An adapter whose library compiles overrides them."""

    def scan(
        self: Library,
        function: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]],
        carry: Arrays,
        xs: Arrays,
        length: int,
        collect: bool = True,
    ) -> tuple[Arrays, Arrays]:
        """``carry, y = function(carry, x)`` over the leading axis of ``xs``: the last carry and the stacked ``y``.

        With ``collect=False`` the function returns no ``y``, so nothing need be prepared to hold it.
        """
        rows = []
        xs = tape.constants_for(self, xs)
        for i in range(length):
            carry, row = function(carry, tuple(x[i, ...] for x in xs))
            rows.append(row)
        return carry, stacked(self, rows)

    def while_loop(
        self: Library, condition: Callable[[Arrays], Array], body: Callable[[Arrays], Arrays], carry: Arrays
    ) -> Arrays:
        """``carry = body(carry)`` while ``condition(carry)``, a boolean of shape (), is true."""
        while condition(carry):
            carry = body(carry)
        return carry

    def cond(
        self: Library,
        condition: Array,
        when_true: Callable[[Arrays], Arrays],
        when_false: Callable[[Arrays], Arrays],
        arrays: Arrays,
    ) -> Arrays:
        """``when_true(arrays)`` if the condition, a boolean of shape (), is true, else ``when_false(arrays)``."""
        return when_true(arrays) if condition else when_false(arrays)


def stacked(library: Library, rows: Sequence[Arrays]) -> Arrays:
    """The columns, each stacked by what computes with it: a function may close over arrays that are traced."""
    columns: Any = zip(*rows, strict=True)
    return tuple(tape.namespace_for(library, column).stack(list(column)) for column in columns)
