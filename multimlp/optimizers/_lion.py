"""Lion: the sign of a moving average."""

from __future__ import annotations

from typing import Any

from multimlp.backend import Array, array_namespace, op
from multimlp.optimizers._optimizer import optimizer
from multimlp.optimizers._options import ClipNorm, Decay, Memory, Rate
from multimlp.optimizers._rule import Rule

__all__ = ["lion"]


@op(arrays=3)
def lion_update(
    p: Array, g: Array, m: Array, *, learning_rate: Any, beta1: Any, beta2: Any
) -> tuple[Array, Array]:
    """``p - lr sign(b1 m + (1 - b1) g)``; then ``m = b2 m + (1 - b2) g``"""
    xp = array_namespace(p, g, m)
    direction = xp.sign(beta1 * m + (1 - beta1) * g)
    return p - learning_rate * direction, beta2 * m + (1 - beta2) * g


@optimizer
def lion(
    learning_rate: Rate = 1e-4,
    beta1: Memory = 0.9,
    beta2: Memory = 0.99,
    weight_decay: Decay = 0.0,
    clip_norm: ClipNorm = None,
) -> Rule:
    """Lion: ``p = p (1 - lr decay) - lr sign(b1 m + (1 - b1) g);  m = b2 m + (1 - b2) g``, with sign(0) = 0.

    Parameters
    ----------
    learning_rate : float or Schedule
        Three to ten times smaller than Adam's.
    beta1, beta2 : float
        In [0, 1).
    weight_decay : float
        Decoupled, as for `adamw`.
    clip_norm
        As for `sgd`.

    References
    ----------
    Chen et al., Symbolic discovery of optimization algorithms, arXiv:2302.06675, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import optimizers
    >>> optimizer, params = optimizers.lion(0.1), np.asarray([1.0])
    >>> params, state = optimizer.update(np.asarray([20.0]), optimizer.init(params), params)
    >>> params.round(6)
    array([0.9])
    """
    return Rule(lion_update, decoupled=True)
