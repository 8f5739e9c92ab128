"""Losses of outputs that are numbers, each a function and its closed-form gradient."""

from __future__ import annotations

import math
from typing import Annotated, TypeAlias

import numpy as np

from multimlp.backend import Array, Namespace, array_namespace, op
from multimlp.errors.checks import number
from multimlp.losses._align import aligned, check_range, check_values
from multimlp.losses._loss import define
from multimlp.losses._op import per_example

__all__ = ["huber", "log_cosh", "mae", "mse", "poisson"]

Positive: TypeAlias = Annotated[float, number(low=0, low_open=True)]


def _magnitude(xp: Namespace, r: Array) -> Array:
    """``abs`` with the derivative 0 at 0 on every library."""
    return xp.where(r == 0, xp.zeros_like(r), xp.where(r < 0, -r, r))


@per_example
def mean_squared_error(outputs: Array, targets: Array) -> Array:
    """Squared error, ``mean_k (o_k - t_k)^2`` (no factor 1/2).

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
    targets : array, shape (..., n, k), or (n,) if k is 1; cast to the dtype of the outputs

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient ``2 (o - t) / k``.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 5.4.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.mse(np.asarray([[1.0, 2.0]]), np.asarray([[0.0, 0.0]]))
    array([2.5])
    """
    xp, targets = aligned(outputs, targets)
    r = outputs - targets
    return xp.mean(r * r, axis=-1)


@op(arrays=2)
def mean_squared_error_gradient(outputs: Array, targets: Array) -> Array:
    """The gradient of `mean_squared_error` in the outputs: ``2 (o - t) / k``."""
    _, targets = aligned(outputs, targets)
    return (outputs - targets) * (2 / outputs.shape[-1])


@per_example
def mean_absolute_error(outputs: Array, targets: Array) -> Array:
    """Absolute error, ``mean_k |o_k - t_k|``; its derivative where o = t is 0.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
    targets : array, shape (..., n, k), or (n,) if k is 1; cast to the dtype of the outputs

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient ``sign(o - t) / k``.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.mae(np.asarray([[1.0], [-2.0]]), np.asarray([0.0, 0.0]))
    array([1., 2.])
    """
    xp, targets = aligned(outputs, targets)
    return xp.mean(_magnitude(xp, outputs - targets), axis=-1)


@op(arrays=2)
def mean_absolute_error_gradient(outputs: Array, targets: Array) -> Array:
    """The gradient of `mean_absolute_error` in the outputs: ``sign(o - t) / k``, 0 where o = t."""
    xp, targets = aligned(outputs, targets)
    return xp.sign(outputs - targets) / outputs.shape[-1]


@per_example
def huber_loss(outputs: Array, targets: Array, delta: Positive = 1.0) -> Array:
    """Huber's loss: quadratic up to ``delta``, linear beyond.

    With r = o - t, the mean over k of ``r^2 / 2`` where ``|r| <= delta``, else ``delta (|r| - delta / 2)``.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
    targets : array, shape (..., n, k), or (n,) if k is 1; cast to the dtype of the outputs
    delta : float
        Where the parabola ends, > 0; value and derivative are continuous there, the second derivative at it
        is 1.

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient ``clip(r, -delta, delta) / k``.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 35 (1964).

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.huber(np.asarray([[0.5], [3.0]]), np.asarray([0.0, 0.0]))
    array([0.125, 2.5  ])
    """
    xp, targets = aligned(outputs, targets)
    r = outputs - targets
    size = _magnitude(xp, r)
    inside = size <= delta
    # The square sees only the residuals that use it: where it overflowed its derivative would be NaN.
    near = xp.where(inside, r, xp.zeros_like(r))
    return xp.mean(xp.where(inside, 0.5 * (near * near), delta * (size - 0.5 * delta)), axis=-1)


@op(arrays=2)
def huber_loss_gradient(outputs: Array, targets: Array, delta: Positive = 1.0) -> Array:
    """The gradient of `huber_loss` in the outputs: ``clip(o - t, -delta, delta) / k``."""
    xp, targets = aligned(outputs, targets)
    r = outputs - targets
    return xp.where(_magnitude(xp, r) <= delta, r, xp.sign(r) * delta) / outputs.shape[-1]


@per_example
def log_cosh_loss(outputs: Array, targets: Array) -> Array:
    """``mean_k log(cosh(o_k - t_k))``: about r^2 / 2 near 0 and |r| - log 2 far away, without a kink.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
    targets : array, shape (..., n, k), or (n,) if k is 1; cast to the dtype of the outputs

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient ``tanh(o - t) / k``.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.log_cosh(np.asarray([[0.0], [1e4]]), np.asarray([0.0, 0.0])).round(6)
    array([   0.      , 9999.306853])
    """
    xp, targets = aligned(outputs, targets)
    r = outputs - targets
    size = _magnitude(xp, r)
    near = size < 1
    # -log(1 - tanh^2 r) / 2 keeps the digits of small r, which the form for large ones cancels away.
    t = xp.tanh(xp.where(near, r, xp.zeros_like(r)))
    small = -0.5 * xp.log1p(-(t * t))
    large = size + xp.log1p(xp.exp(-2.0 * size)) - math.log(2)
    return xp.mean(xp.where(near, small, large), axis=-1)


@op(arrays=2)
def log_cosh_loss_gradient(outputs: Array, targets: Array) -> Array:
    """The gradient of `log_cosh_loss` in the outputs: ``tanh(o - t) / k``."""
    xp, targets = aligned(outputs, targets)
    return xp.tanh(outputs - targets) / outputs.shape[-1]


@per_example
def poisson_loss(outputs: Array, targets: Array) -> Array:
    """Poisson negative log-likelihood of counts: ``mean_k (exp(o_k) - t_k o_k)``, outputs being log-rates.

    The term log(t!), which does not depend on the outputs, is left out. At infinite outputs the limits: infinite, but 0 for o = -inf
    and t = 0.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
        Logarithms of the rates.
    targets : array, shape (..., n, k), or (n,) if k is 1; >= 0; cast to the dtype of the outputs

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient ``(exp(o) - t) / k``.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.poisson(np.asarray([[0.0], [1.0]]), np.asarray([3, 0])).round(4)
    array([1.    , 2.7183])
    """
    xp, targets = aligned(outputs, targets)
    # Where the limit does not depend on it the product, infinity times zero or less infinity, is left out.
    certain = xp.logical_and(xp.isinf(outputs), xp.logical_or(targets == 0, outputs > 0))
    product = xp.where(certain, xp.zeros_like(outputs), outputs) * targets
    return xp.mean(xp.exp(outputs) - product, axis=-1)


@op(arrays=2)
def poisson_loss_gradient(outputs: Array, targets: Array) -> Array:
    """The gradient of `poisson_loss` in the outputs: ``(exp(o) - t) / k``."""
    xp, targets = aligned(outputs, targets)
    return (xp.exp(outputs) - targets) / outputs.shape[-1]


def _check_counts(outputs_shape: tuple[int, ...], targets: np.ndarray) -> None:
    check_values(outputs_shape, targets)
    check_range(targets, 0, math.inf, "counts >= 0")


def _rate(outputs: Array) -> Array:
    return array_namespace(outputs).exp(outputs)


mse = define(
    "mse",
    mean_squared_error,
    mean_squared_error_gradient,
    check_values,
    aliases=("mean_squared_error", "squared_error"),
)
mae = define(
    "mae",
    mean_absolute_error,
    mean_absolute_error_gradient,
    check_values,
    aliases=("mean_absolute_error", "absolute_error", "l1"),
)
huber = define("huber", huber_loss, huber_loss_gradient, check_values)
log_cosh = define("log_cosh", log_cosh_loss, log_cosh_loss_gradient, check_values)
poisson = define("poisson", poisson_loss, poisson_loss_gradient, _check_counts, _rate, _rate)
