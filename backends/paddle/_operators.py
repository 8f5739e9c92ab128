"""``==`` and ``!=`` of Paddle's tensors by the numbers themselves.

On the CPU Paddle takes two floating-point numbers for equal that are less than one eps apart: ``1e-16 == 0``, and of float32 ``1e-8 == 0``.
Its other comparisons are exact, and two numbers are equal if neither is beyond the other. The operators are replaced, since formulas are
written with them; `namespace.equal` is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import paddle

from multimlp.backends.paddle._dtypes import Array, kind_of, operands

Comparison: TypeAlias = Callable[[Array, Any], Any]

_COMPARABLE = (paddle.Tensor, bool, int, float, np.ndarray, np.generic)


def equal(x1: Array, x2: Any) -> Array:
    if kind_of(x1.dtype) != "f":
        return paddle.equal(x1, x2)
    return paddle.logical_and(paddle.less_equal(x1, x2), paddle.greater_equal(x1, x2))


def not_equal(x1: Array, x2: Any) -> Array:
    return paddle.logical_not(equal(x1, x2))


def compare_exactly() -> None:
    """Replace the two; a second call changes nothing."""
    for name, exact in (("__eq__", equal), ("__ne__", not_equal)):
        own = getattr(paddle.Tensor, name)
        if not hasattr(own, "__wrapped_by_multimlp__"):
            setattr(paddle.Tensor, name, _exact(own, exact))


def _exact(own: Comparison, exact: Comparison) -> Comparison:
    def operator(self: Array, other: Any) -> Any:
        if kind_of(self.dtype) == "f" and isinstance(other, _COMPARABLE):
            return exact(*operands(self, other))
        return own(self, other)

    operator.__wrapped_by_multimlp__ = own  # type: ignore[attr-defined]
    return operator
