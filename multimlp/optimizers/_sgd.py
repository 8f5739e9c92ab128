"""Stochastic gradient descent, with and without momentum."""

from __future__ import annotations

from typing import Annotated, Any

from multimlp.backend import Array, op
from multimlp.errors.checks import flag
from multimlp.optimizers._optimizer import optimizer
from multimlp.optimizers._options import ClipNorm, Decay, Memory, Rate
from multimlp.optimizers._rule import Rule

__all__ = ["sgd"]


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


@optimizer
def sgd(
    learning_rate: Rate = 0.01,
    momentum: Memory = 0.0,
    nesterov: Annotated[bool, flag] = False,
    weight_decay: Decay = 0.0,
    clip_norm: ClipNorm = None,
) -> Rule:
    """Stochastic gradient descent, with momentum.

    ``u = mu u + g;  p = p - lr u``, with Nesterov's look-ahead ``p = p - lr (g + mu u)``. This is torch's
    form: the learning rate multiplies the whole velocity, so a schedule acts at once (Keras keeps ``lr``
    inside the velocity: the same for a constant rate).

    Parameters
    ----------
    learning_rate : float or Schedule
    momentum : float
        mu in [0, 1).
    nesterov : bool
    weight_decay : float
        Added to the gradient: ``g + decay p``, for every array, biases too; see `grouped` for leaving some out.
    clip_norm : float, optional
        Largest norm of the gradient of all arrays together.

    References
    ----------
    Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import optimizers
    >>> optimizer = optimizers.sgd(0.1)
    >>> params = {"w": np.asarray([1.0, 2.0])}
    >>> optimizer.update({"w": np.asarray([1.0, -1.0])}, optimizer.init(params), params)[0]
    {'w': array([0.9, 2.1])}
    """
    return Rule(sgd_momentum_update if momentum or nesterov else sgd_update)
