"""Dtypes of libraries that call everything unequal but their own."""

from __future__ import annotations

from typing import Any


def leave_names_to_answer(dtype: Any) -> None:
    """Have a type of dtypes leave the answer to a name that knows better: ``x.dtype == xp.float32``."""
    equal = dtype.__eq__

    def __eq__(self: Any, other: object) -> Any:  # noqa: N807
        return NotImplemented if isinstance(other, str) else equal(self, other)

    dtype.__eq__ = __eq__
