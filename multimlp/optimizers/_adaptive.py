"""Optimisers that divide by the root of a sum or an average of squared gradients."""

from __future__ import annotations

from typing import Annotated, Any

from multimlp.backend import Array, Namespace, array_namespace, op
from multimlp.errors.checks import flag
from multimlp.optimizers._optimizer import optimizer
from multimlp.optimizers._options import ClipNorm, Decay, Memory, NotNegative, Rate
from multimlp.optimizers._rule import Rule

__all__ = ["adagrad", "rmsprop"]


def _root(xp: Namespace, squares: Array, eps: Any, inside: bool) -> Array:
    return xp.sqrt(squares + eps) if inside else xp.sqrt(squares) + eps


@op(arrays=3)
def adagrad_update(
    p: Array, g: Array, accumulator: Array, *, learning_rate: Any, eps: Any, eps_in_sqrt: bool
) -> tuple[Array, Array]:
    """``s = s + g^2``; ``p - lr g / (sqrt(s) + eps)``, or ``sqrt(s + eps)``"""
    xp = array_namespace(p, g, accumulator)
    accumulator = accumulator + g * g
    return p - learning_rate * (g / _root(xp, accumulator, eps, eps_in_sqrt)), accumulator


@optimizer
def adagrad(
    learning_rate: Rate = 0.01,
    eps: NotNegative = 1e-10,
    initial_accumulator: NotNegative = 0.0,
    weight_decay: Decay = 0.0,
    clip_norm: ClipNorm = None,
    eps_in_sqrt: Annotated[bool, flag] = False,
) -> Rule:
    """AdaGrad: ``s = s + g^2;  p = p - lr g / (sqrt(s) + eps)``. torch's form and defaults; optax and Keras have eps inside the root.

    Parameters
    ----------
    learning_rate : float or Schedule
    eps : float
    initial_accumulator : float
        s before the first update, >= 0.
    weight_decay, clip_norm
        As for `sgd`.
    eps_in_sqrt : bool
        ``sqrt(s + eps)`` instead of ``sqrt(s) + eps``.

    References
    ----------
    Duchi, Hazan, Singer, Adaptive subgradient methods, JMLR 12 (2011).

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import optimizers
    >>> optimizer, params = optimizers.adagrad(0.1), np.asarray([1.0])
    >>> params, state = optimizer.update(np.asarray([20.0]), optimizer.init(params), params)
    >>> params.round(6)
    array([0.9])
    """
    return Rule(adagrad_update)


@op(arrays=3)
def rmsprop_update(
    p: Array, g: Array, mean_square: Array, *, learning_rate: Any, rho: Any, eps: Any, eps_in_sqrt: bool
) -> tuple[Array, Array]:
    """``s = rho s + (1 - rho) g^2``; ``p - lr g / (sqrt(s) + eps)``"""
    xp = array_namespace(p, g, mean_square)
    mean_square = rho * mean_square + (1 - rho) * (g * g)
    return p - learning_rate * (g / _root(xp, mean_square, eps, eps_in_sqrt)), mean_square


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
    eps_in_sqrt: bool,
    momentum: Any,
) -> tuple[Array, Array, Array]:
    """``s`` as in RMSprop; ``u = mu u + g / (sqrt(s) + eps)``; ``p - lr u``"""
    xp = array_namespace(p, g, mean_square, velocity)
    mean_square = rho * mean_square + (1 - rho) * (g * g)
    velocity = momentum * velocity + g / _root(xp, mean_square, eps, eps_in_sqrt)
    return p - learning_rate * velocity, mean_square, velocity


@optimizer
def rmsprop(
    learning_rate: Rate = 0.01,
    rho: Memory = 0.99,
    eps: NotNegative = 1e-8,
    momentum: Memory = 0.0,
    weight_decay: Decay = 0.0,
    clip_norm: ClipNorm = None,
    eps_in_sqrt: Annotated[bool, flag] = False,
) -> Rule:
    """RMSprop: ``s = rho s + (1 - rho) g^2;  u = mu u + g / (sqrt(s) + eps);  p = p - lr u``.

    torch's form and defaults: eps outside the root, the rate outside the velocity. Keras has eps inside the
    root and rho = 0.9.

    Parameters
    ----------
    learning_rate : float or Schedule
    rho, momentum : float
        In [0, 1).
    eps : float
    weight_decay, clip_norm
        As for `sgd`.
    eps_in_sqrt : bool
        ``sqrt(s + eps)`` instead of ``sqrt(s) + eps``.

    References
    ----------
    Hinton, Neural networks for machine learning, lecture 6e (2012).

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import optimizers
    >>> optimizer, params = optimizers.rmsprop(0.05), np.asarray([1.0])
    >>> params, state = optimizer.update(np.asarray([20.0]), optimizer.init(params), params)
    >>> params.round(6)
    array([0.5])
    """
    return Rule(rmsprop_momentum_update if momentum else rmsprop_update)
