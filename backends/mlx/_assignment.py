"""Assignment to elements under MLX's ``vmap``, which writes what is the same for all rows into the first row alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import mlx.core as mx

_mapped: ContextVar[bool] = ContextVar("multimlp_mlx_mapped", default=False)


@contextmanager
def mapping() -> Iterator[None]:
    """While a function is mapped."""
    token = _mapped.set(True)
    try:
        yield
    finally:
        _mapped.reset(token)


def assign_rightly() -> None:
    """Replace the assignment of MLX's arrays by one that is another only while we map; a second call changes nothing."""
    own: Any = mx.array.__setitem__
    if hasattr(own, "__wrapped_by_multimlp__"):
        return

    def assign(self: Any, key: Any, value: Any) -> None:
        if _mapped.get():
            old = self[key]
            never = mx.logical_and(mx.equal(old, old), mx.array(False))
            value = mx.where(never, old, value)  # mapped where the array is
        own(self, key, value)

    assign.__wrapped_by_multimlp__ = own  # type: ignore[attr-defined]
    mx.array.__setitem__ = assign  # type: ignore[method-assign]
