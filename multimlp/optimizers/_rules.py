"""The arithmetic of one update of one array, a pure elementwise function per optimiser.

So it also serves a flat buffer of all parameters. Each is an operation: a backend may bring a fused kernel
of the same formula.

``p`` parameters, ``g`` gradient, then the optimiser's slots; scalars are Python numbers or arrays of shape
() in the dtype of ``p``. Returned: the new ``p`` and the new slots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from multimlp.backend import Array, Namespace, Op, array_namespace, op


@op(arrays=2)
def sgd_update(p: Array, g: Array, *, learning_rate: Any) -> tuple[Array]:
    """``p - lr g``"""
    return (p - learning_rate * g,)


@op(arrays=3)
def sgd_momentum_update(
    p: Array, g: Array, velocity: Array, *, learning_rate: Any, momentum: Any, nesterov: bool
) -> tuple[Array, Array]:
    """``u = mu u + g``; ``p - lr u``, or ``p - lr (g + mu u)`` with Nesterov's look-ahead."""
    velocity = momentum * velocity + g
    direction = g + momentum * velocity if nesterov else velocity
    return p - learning_rate * direction, velocity


@op(arrays=3)
def adagrad_update(
    p: Array, g: Array, accumulator: Array, *, learning_rate: Any, eps: Any
) -> tuple[Array, Array]:
    """``s = s + g^2``; ``p - lr g / (sqrt(s) + eps)``"""
    xp = array_namespace(p, g, accumulator)
    accumulator = accumulator + g * g
    return p - learning_rate * (g / (xp.sqrt(accumulator) + eps)), accumulator


@op(arrays=3)
def rmsprop_update(
    p: Array, g: Array, mean_square: Array, *, learning_rate: Any, rho: Any, eps: Any
) -> tuple[Array, Array]:
    """``s = rho s + (1 - rho) g^2``; ``p - lr g / (sqrt(s) + eps)``"""
    xp = array_namespace(p, g, mean_square)
    mean_square = rho * mean_square + (1 - rho) * (g * g)
    return p - learning_rate * (g / (xp.sqrt(mean_square) + eps)), mean_square


@op(arrays=4)
def rmsprop_momentum_update(
    p: Array,
    g: Array,
    mean_square: Array,
    velocity: Array,
    *,
    learning_rate: Any,
    rho: Any,
    eps: Any,
    momentum: Any,
) -> tuple[Array, Array, Array]:
    """``s`` as in RMSprop; ``u = mu u + g / (sqrt(s) + eps)``; ``p - lr u``"""
    xp = array_namespace(p, g, mean_square, velocity)
    mean_square = rho * mean_square + (1 - rho) * (g * g)
    velocity = momentum * velocity + g / (xp.sqrt(mean_square) + eps)
    return p - learning_rate * velocity, mean_square, velocity


@op(arrays=4)
def adam_update(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    *,
    learning_rate: Any,
    beta1: Any,
    beta2: Any,
    eps: Any,
    correction1: Any,
    correction2: Any,
) -> tuple[Array, Array, Array]:
    """``m = b1 m + (1 - b1) g``; ``v = b2 v + (1 - b2) g^2``; ``p - lr (m / c1) / (sqrt(v / c2) + eps)``"""
    xp = array_namespace(p, g, m, v)
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * (g * g)
    return p - (learning_rate / correction1) * m / (xp.sqrt(v / correction2) + eps), m, v


@op(arrays=4)
def nadam_update(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    *,
    learning_rate: Any,
    beta1: Any,
    beta2: Any,
    eps: Any,
    correction1: Any,
    correction2: Any,
    next_correction1: Any,
) -> tuple[Array, Array, Array]:
    """Adam's ``m`` and ``v``; ``p - lr (b1 m / c1(t+1) + (1 - b1) g / c1(t)) / (sqrt(v / c2) + eps)``"""
    xp = array_namespace(p, g, m, v)
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * (g * g)
    ahead = (beta1 / next_correction1) * m + ((1 - beta1) / correction1) * g
    return p - learning_rate * (ahead / (xp.sqrt(v / correction2) + eps)), m, v


@op(arrays=3)
def lion_update(
    p: Array, g: Array, m: Array, *, learning_rate: Any, beta1: Any, beta2: Any
) -> tuple[Array, Array]:
    """``p - lr sign(b1 m + (1 - b1) g)``; then ``m = b2 m + (1 - b2) g``"""
    xp = array_namespace(p, g, m)
    direction = xp.sign(beta1 * m + (1 - beta1) * g)
    return p - learning_rate * direction, beta2 * m + (1 - beta2) * g


@dataclass(frozen=True)
class Rule:
    """How an optimiser updates one array.

    Attributes
    ----------
    apply : Op
        ``apply(p, g, *slots, learning_rate=, **scalars) -> (p, *slots)``.
    slots : tuple of str
        Names of the arrays kept beside each parameter.
    takes : tuple of str
        Options that ``apply`` takes as they are.
    corrections : callable, optional
        ``corrections(xp, t, options)`` -> the scalars of update number ``t`` (1 at the first; floating,
        shape ()).
    decoupled : bool
        Weight decay shrinks the parameters by ``1 - lr decay`` before the update, instead of adding ``decay
        p`` to the gradient.
    """

    apply: Op
    slots: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    corrections: Callable[[Namespace, Array, Mapping[str, Any]], dict[str, Array]] | None = None
    decoupled: bool = False
