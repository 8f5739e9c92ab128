"""What every loss is made with: an operation that the tape records as one, since its gradient is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp.backend import Array, Op


class LossOp(Op):
    """An operation on outputs and targets, with options. Made by `per_example`."""

    gradient: Op | None = None
    """The derivative of each example's loss in its outputs; set by `multimlp.losses._loss.define`."""

    def _choose(self, types: Any) -> Callable[..., Any]:
        """Where the backend has a kernel, the tape records the loss as one operation, whose rule is the gradient in closed form."""
        portable, gradient = super()._choose(types), self.gradient
        if gradient is None:
            return portable

        def pullback(xp: Any, g: Array, below: Array, targets: Array, *args: Any, **options: Any) -> Array:
            return xp.multiply(xp.expand_dims(g, axis=-1), gradient(below, targets, *args, **options))

        return self._as_one(types, self, portable, pullback, self)


def per_example(portable: Callable[..., Any]) -> LossOp:
    """Decorate the portable body of a loss, ``portable(outputs, targets, **options)``."""
    return LossOp(portable, 2)
