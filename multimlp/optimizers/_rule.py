"""What an optimiser does to one array: an elementwise formula, and what is to be known of it."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from multimlp.backend import Array, Namespace, Op


@dataclass(frozen=True)
class Rule:
    """How an optimiser updates one array.

    Attributes
    ----------
    apply : Op
        ``apply(p, g, *slots, *, learning_rate, ...) -> (p, *slots)``: parameters, gradient, and the arrays kept
        beside them, under their names; then scalars, Python numbers or arrays of shape () in the dtype of ``p``,
        each an option of the optimiser or one of the corrections. Pure and elementwise, so that it also serves a
        flat buffer of all parameters; an operation, so that a backend may bring a fused kernel of the same formula.
    corrections : callable, optional
        ``corrections(xp, t, options)`` -> the scalars of update number ``t`` (1 at the first; floating,
        shape ()).
    decoupled : bool
        Weight decay shrinks the parameters by ``1 - lr decay`` before the update, instead of adding ``decay
        p`` to the gradient.
    usual : bool
        Whether it is the formula that the optimiser's name stands for in hand-written updates of adapters.
    """

    apply: Op
    corrections: Callable[[Namespace, Array, Mapping[str, Any]], dict[str, Array]] | None = None
    decoupled: bool = False
    usual: bool = True

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the arrays kept beside each parameter."""
        return _parameters(self.apply)[0]

    def constants(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options that the formula takes as they are."""
        return {name: options[name] for name in _parameters(self.apply)[1] if name in options}


@functools.cache
def _parameters(apply: Op) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the slots and of the scalars but the learning rate, which a schedule may give."""
    parameters = inspect.signature(apply).parameters.values()
    arrays = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    scalars = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    return tuple(arrays[2:]), tuple(name for name in scalars if name != "learning_rate")


def one_minus_power(xp: Namespace, beta: Any, t: Array) -> Array:
    """``1 - beta^t`` without cancellation: as -expm1(t log beta), exact to rounding in float32 too."""
    if not isinstance(beta, (int, float)):  # one a member
        one = xp.ones_like(beta)
        power = t * xp.log(xp.where(beta > 0, beta, one))
        return xp.where(beta > 0, -xp.expm1(power), xp.ones_like(power))
    return -xp.expm1(t * (math.log(beta) if beta else -math.inf))
