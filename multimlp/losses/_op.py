"""What every loss is made with: an operation that the tape records as one, since its gradient is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimlp import tape
from multimlp.backend import Array, Op, owner_of_type


class LossOp(Op):
    """An operation on outputs and targets, with options. Made by `per_example`."""

    gradient: Op | None = None
    """The derivative of each example's loss in its outputs; set by `multimlp.losses._loss.define`."""

    def _choose(self, types: Any) -> Callable[..., Any]:
        """Where the backend has a kernel, the tape records the loss as one operation, whose rule is the gradient in closed form."""
        portable, gradient, backend = super()._choose(types), self.gradient, owner_of_type(types[0])
        if gradient is None or backend is None or not issubclass(types[0], tape.Traced):
            return portable
        if self.kernel_for(backend) is None:
            return portable

        def recorded(outputs: Array, targets: Array, *args: Any, **options: Any) -> Array:
            if tape.any_wrapped((targets, *args, *options.values())):
                return portable(outputs, targets, *args, **options)

            def pullback(xp: Any, g: Array, below: Array) -> Array:
                return xp.multiply(xp.expand_dims(g, axis=-1), gradient(below, targets, *args, **options))

            return tape.operation(lambda below: self(below, targets, *args, **options), pullback, outputs)

        return recorded


def per_example(portable: Callable[..., Any]) -> LossOp:
    """Decorate the portable body of a loss, ``portable(outputs, targets, **options)``."""
    return LossOp(portable, 2)
