"""Adam and its kin: two moving averages, corrected for their start at zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from multimlp.backend import Array, Namespace, array_namespace, op
from multimlp.errors.checks import flag
from multimlp.optimizers._optimizer import optimizer
from multimlp.optimizers._options import ClipNorm, Decay, Memory, NotNegative, Rate
from multimlp.optimizers._rule import Rule, one_minus_power

__all__ = ["adam", "adamw", "nadam"]


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


def _corrections(xp: Namespace, t: Array, options: Mapping[str, Any]) -> dict[str, Array]:
    return {f"correction{i}": one_minus_power(xp, options[f"beta{i}"], t) for i in (1, 2)}


def _hat_corrections(xp: Namespace, t: Array, options: Mapping[str, Any]) -> dict[str, Array]:
    """An eps that is added to the uncorrected root is divided by the root of the correction with it."""
    found = _corrections(xp, t, options)
    return {**found, "eps": options["eps"] / xp.sqrt(found["correction2"])}


def _adam_rule(eps_hat: bool, decoupled: bool) -> Rule:
    return Rule(adam_update, _hat_corrections if eps_hat else _corrections, decoupled, not eps_hat)


@optimizer
def adam(
    learning_rate: Rate = 1e-3,
    beta1: Memory = 0.9,
    beta2: Memory = 0.999,
    eps: NotNegative = 1e-8,
    weight_decay: Decay = 0.0,
    clip_norm: ClipNorm = None,
    eps_hat: Annotated[bool, flag] = False,
) -> Rule:
    """Adam, as in the paper.

    ``m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t))
    + eps)``: eps is outside the root and after the correction, as in torch and optax. Keras and scikit-learn add it to the
    uncorrected root ("epsilon-hat"), ``p = p - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)``, as ``eps_hat=True`` does; Keras's
    is 1e-7.

    Parameters
    ----------
    learning_rate : float or Schedule
    beta1, beta2 : float
        In [0, 1).
    eps : float
    weight_decay, clip_norm
        As for `sgd`: this decay is part of the gradient; see `adamw` for the decoupled one.
    eps_hat : bool
        Whether eps is added before the correction; slower, since fused updates of libraries do not have it.

    References
    ----------
    Kingma, Ba, Adam: a method for stochastic optimization, arXiv:1412.6980, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import optimizers
    >>> optimizer, params = optimizers.adam(0.1), np.asarray([1.0])
    >>> params, state = optimizer.update(np.asarray([20.0]), optimizer.init(params), params)
    >>> params.round(6), int(state.step)
    (array([0.9]), 1)
    """
    return _adam_rule(eps_hat, decoupled=False)


@optimizer
def adamw(
    learning_rate: Rate = 1e-3,
    beta1: Memory = 0.9,
    beta2: Memory = 0.999,
    eps: NotNegative = 1e-8,
    weight_decay: Decay = 0.01,
    clip_norm: ClipNorm = None,
    eps_hat: Annotated[bool, flag] = False,
) -> Rule:
    """Adam with decoupled weight decay: ``p = p (1 - lr decay)`` before `adam`'s update.

    Every array decays, biases too; see `grouped` for leaving some out. torch's form (the scheduled rate multiplies the decay); optax's
    ``adamw`` is the same up to rounding.

    Parameters
    ----------
    learning_rate, beta1, beta2, eps, clip_norm, eps_hat
        As for `adam`.
    weight_decay : float

    References
    ----------
    Loshchilov, Hutter, Decoupled weight decay regularization, arXiv:1711.05101, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import optimizers
    >>> optimizer, params = optimizers.adamw(0.1, weight_decay=0.5), np.asarray([1.0])
    >>> params, state = optimizer.update(np.asarray([20.0]), optimizer.init(params), params)
    >>> params.round(6)
    array([0.85])
    """
    return _adam_rule(eps_hat, decoupled=True)


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


def _nadam_corrections(xp: Namespace, t: Array, options: Mapping[str, Any]) -> dict[str, Array]:
    ahead = one_minus_power(xp, options["beta1"], t + 1)
    return {**_corrections(xp, t, options), "next_correction1": ahead}


@optimizer
def nadam(
    learning_rate: Rate = 2e-3,
    beta1: Memory = 0.9,
    beta2: Memory = 0.999,
    eps: NotNegative = 1e-8,
    weight_decay: Decay = 0.0,
    clip_norm: ClipNorm = None,
) -> Rule:
    """Adam with Nesterov momentum, at a constant beta1.

    m and v as in `adam`; ``p = p - lr (b1 m / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t)) / (sqrt(v / (1 -
    b2^t)) + eps)``. optax's ``nadam`` is the same; torch and Keras warm beta1 up by a schedule of their own
    (``momentum_decay``), which is left out here.

    Parameters
    ----------
    learning_rate, beta1, beta2, eps, weight_decay, clip_norm
        As for `adam`.

    References
    ----------
    Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import optimizers
    >>> optimizer, params = optimizers.nadam(0.1), np.asarray([1.0])
    >>> params, state = optimizer.update(np.asarray([20.0]), optimizer.init(params), params)
    >>> params.round(6)
    array([0.852632])
    """
    return Rule(nadam_update, _nadam_corrections)
