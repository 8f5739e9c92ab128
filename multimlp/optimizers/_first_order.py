"""The named first-order optimisers: each a formula, its options and their defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from multimlp import schedules
from multimlp._naming import check_number
from multimlp.backend import Array, Namespace
from multimlp.optimizers import _rules as rules
from multimlp.optimizers._lbfgs import LBFGS
from multimlp.optimizers._optimizer import OPTIMIZERS, Optimizer
from multimlp.optimizers._rules import Rule
from multimlp.schedules import Schedule

Rate = float | Schedule


def _bias_corrections(xp: Namespace, t: Array, options: Mapping[str, Any]) -> dict[str, Array]:
    """``1 - beta^t`` without cancellation: as -expm1(t log beta), exact to rounding in float32 too."""
    return {f"correction{i}": _one_minus_power(xp, options[f"beta{i}"], t) for i in (1, 2)}


def _nadam_corrections(xp: Namespace, t: Array, options: Mapping[str, Any]) -> dict[str, Array]:
    return {
        **_bias_corrections(xp, t, options),
        "next_correction1": _one_minus_power(xp, options["beta1"], t + 1),
    }


def _one_minus_power(xp: Namespace, beta: float, t: Array) -> Array:
    return -xp.expm1(t * (math.log(beta) if beta else -math.inf))


_SGD = Rule(rules.sgd_update)
_MOMENTUM = Rule(rules.sgd_momentum_update, ("velocity",), ("momentum", "nesterov"))
_ADAGRAD = Rule(rules.adagrad_update, ("accumulator",), ("eps",))
_RMSPROP = Rule(rules.rmsprop_update, ("mean_square",), ("rho", "eps"))
_RMSPROP_MOMENTUM = Rule(
    rules.rmsprop_momentum_update, ("mean_square", "velocity"), ("rho", "eps", "momentum")
)
_ADAM = Rule(rules.adam_update, ("m", "v"), ("beta1", "beta2", "eps"), _bias_corrections)
_ADAMW = Rule(rules.adam_update, ("m", "v"), ("beta1", "beta2", "eps"), _bias_corrections, decoupled=True)
_NADAM = Rule(rules.nadam_update, ("m", "v"), ("beta1", "beta2", "eps"), _nadam_corrections)
_LION = Rule(rules.lion_update, ("m",), ("beta1", "beta2"), decoupled=True)


def _learning_rate(value: Any) -> Rate:
    if isinstance(value, (Schedule, Mapping)) or callable(value):
        return schedules.get(value)
    return check_number("learning_rate", value, low=0)


def _momentum(where: str, value: object) -> float:
    return check_number(where, value, low=0, high=1, high_open=True)


def _build(
    name: str, rule: Rule, learning_rate: Any, weight_decay: float, clip_norm: float | None, **own: Any
) -> Optimizer:
    """Check what all optimisers share and what their names tell; ``own`` keeps the order of the signature."""
    checked = {}
    for option, value in own.items():
        if option in ("momentum", "beta1", "beta2", "rho"):
            value = _momentum(option, value)
        elif option in ("eps", "initial_accumulator"):
            value = check_number(option, value, low=0)
        checked[option] = value
    options = {
        "learning_rate": _learning_rate(learning_rate),
        **checked,
        "weight_decay": check_number("weight_decay", weight_decay, low=0),
        "clip_norm": None
        if clip_norm is None
        else check_number("clip_norm", clip_norm, low=0, low_open=True),
    }
    return Optimizer(name, options, rule)


def sgd(
    learning_rate: Rate = 0.01,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
) -> Optimizer:
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
        Added to the gradient: ``g + decay p``, for every array, biases too.
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
    rule = _MOMENTUM if momentum or nesterov else _SGD
    return _build(
        "sgd", rule, learning_rate, weight_decay, clip_norm, momentum=momentum, nesterov=bool(nesterov)
    )


def adagrad(
    learning_rate: Rate = 0.01,
    eps: float = 1e-10,
    initial_accumulator: float = 0.0,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
) -> Optimizer:
    """AdaGrad: ``s = s + g^2;  p = p - lr g / (sqrt(s) + eps)``. torch's form and defaults.

    Parameters
    ----------
    learning_rate : float or Schedule
    eps : float
    initial_accumulator : float
        s before the first update, >= 0.
    weight_decay, clip_norm
        As for `sgd`.

    References
    ----------
    Duchi, Hazan, Singer, Adaptive subgradient methods, JMLR 12 (2011).
    """
    return _build(
        "adagrad",
        _ADAGRAD,
        learning_rate,
        weight_decay,
        clip_norm,
        eps=eps,
        initial_accumulator=initial_accumulator,
    )


def rmsprop(
    learning_rate: Rate = 0.01,
    rho: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
) -> Optimizer:
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

    References
    ----------
    Hinton, Neural networks for machine learning, lecture 6e (2012).
    """
    rule = _RMSPROP_MOMENTUM if momentum else _RMSPROP
    return _build(
        "rmsprop", rule, learning_rate, weight_decay, clip_norm, rho=rho, eps=eps, momentum=momentum
    )


def adam(
    learning_rate: Rate = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
) -> Optimizer:
    """Adam, as in the paper.

    ``m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t))
    + eps)``: eps is outside the root and after the correction, as in torch and optax; Keras adds it to the
    uncorrected root ("epsilon-hat") and uses 1e-7.

    Parameters
    ----------
    learning_rate : float or Schedule
    beta1, beta2 : float
        In [0, 1).
    eps : float
    weight_decay, clip_norm
        As for `sgd`: this decay is part of the gradient; see `adamw` for the decoupled one.

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
    return _build("adam", _ADAM, learning_rate, weight_decay, clip_norm, beta1=beta1, beta2=beta2, eps=eps)


def adamw(
    learning_rate: Rate = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    clip_norm: float | None = None,
) -> Optimizer:
    """Adam with decoupled weight decay: ``p = p (1 - lr decay)`` before `adam`'s update.

    Every array decays, biases too. torch's form (the scheduled rate multiplies the decay); optax's
    ``adamw`` is the same up to rounding.

    Parameters
    ----------
    learning_rate, beta1, beta2, eps, clip_norm
        As for `adam`.
    weight_decay : float

    References
    ----------
    Loshchilov, Hutter, Decoupled weight decay regularization, arXiv:1711.05101, algorithm 2.
    """
    return _build("adamw", _ADAMW, learning_rate, weight_decay, clip_norm, beta1=beta1, beta2=beta2, eps=eps)


def nadam(
    learning_rate: Rate = 2e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
) -> Optimizer:
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
    """
    return _build("nadam", _NADAM, learning_rate, weight_decay, clip_norm, beta1=beta1, beta2=beta2, eps=eps)


def lion(
    learning_rate: Rate = 1e-4,
    beta1: float = 0.9,
    beta2: float = 0.99,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
) -> Optimizer:
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
    """
    return _build("lion", _LION, learning_rate, weight_decay, clip_norm, beta1=beta1, beta2=beta2)


def lbfgs(
    learning_rate: float = 1.0,
    history: int = 10,
    max_line_search: int = 25,
    tolerance_gradient: float = 1e-7,
    tolerance_change: float = 1e-12,
) -> LBFGS:
    """Limited-memory BFGS on the full batch, with a strong-Wolfe line search; see `LBFGS`."""
    return LBFGS(learning_rate, history, max_line_search, tolerance_gradient, tolerance_change)


for _factory in (sgd, adagrad, rmsprop, adam, adamw, nadam, lion, lbfgs):
    OPTIMIZERS.add(_factory.__name__, _factory)
