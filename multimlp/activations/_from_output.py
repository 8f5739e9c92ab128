"""Derivatives computed from the output y = f(x), for training that keeps outputs and not inputs.

They exist where y determines the derivative, and equal the closed form in x up to rounding, at kinks too.
"""

from __future__ import annotations

from multimlp.activations import _exponential, _hard, _rectifiers, _sigmoidal
from multimlp.activations._operation import like, namespace
from multimlp.backend import Array, array_namespace


@like(_rectifiers.identity)
def identity_from_output(y: Array) -> Array:
    """1."""
    return array_namespace(y).ones_like(y)


@like(_rectifiers.relu)
def relu_from_output(y: Array) -> Array:
    """0 where y <= 0, else 1."""
    xp = array_namespace(y)
    return xp.where(y <= 0, xp.zeros_like(y), xp.ones_like(y))


@like(_rectifiers.leaky_relu)
def leaky_relu_from_output(y: Array, negative_slope: float | Array = 0.01) -> Array:
    """The slope where y <= 0, else 1; for slopes above zero."""
    xp = namespace(y, negative_slope)
    return xp.where(y <= 0, xp.zeros_like(y) + negative_slope, xp.ones_like(y))


@like(_rectifiers.relu6)
def relu6_from_output(y: Array) -> Array:
    """1 where 0 < y < 6, else 0."""
    xp = array_namespace(y)
    return xp.where(xp.logical_or(y <= 0, y >= 6), xp.zeros_like(y), xp.ones_like(y))


@like(_rectifiers.relu_squared)
def relu_squared_from_output(y: Array) -> Array:
    """2 sqrt(y)."""
    return 2 * array_namespace(y).sqrt(y)


@like(_hard.hard_tanh)
def hard_tanh_from_output(y: Array) -> Array:
    """1 where -1 < y < 1, else 0."""
    xp = array_namespace(y)
    return xp.where(xp.logical_or(y <= -1, y >= 1), xp.zeros_like(y), xp.ones_like(y))


@like(_hard.softshrink)
def softshrink_from_output(y: Array, lambd: float = 0.5) -> Array:
    """0 where y is 0, else 1."""
    xp = array_namespace(y)
    return xp.where(y == 0, xp.zeros_like(y), xp.ones_like(y))


@like(_hard.hardshrink)
def hardshrink_from_output(y: Array, lambd: float = 0.5) -> Array:
    """0 where y is 0, else 1."""
    return softshrink_from_output(y)


@like(_exponential.elu)
def elu_from_output(y: Array, alpha: float | Array = 1.0) -> Array:
    """1 where y > 0, else y + alpha; for alpha above zero."""
    xp = namespace(y, alpha)
    return xp.where(y > 0, xp.ones_like(y), y + alpha)


@like(_exponential.selu)
def selu_from_output(y: Array) -> Array:
    """scale where y > 0, else y + scale alpha."""
    xp = array_namespace(y)
    scale, alpha = _exponential.SELU_SCALE, _exponential.SELU_ALPHA
    return xp.where(y > 0, xp.full_like(y, scale), y + scale * alpha)


@like(_exponential.celu)
def celu_from_output(y: Array, alpha: float | Array = 1.0) -> Array:
    """1 where y > 0, else y / alpha + 1; for alpha above zero."""
    xp = namespace(y, alpha)
    return xp.where(y > 0, xp.ones_like(y), y / alpha + 1)


@like(_exponential.exponential)
def exponential_from_output(y: Array) -> Array:
    """y."""
    return y


@like(_sigmoidal.sigmoid)
def sigmoid_from_output(y: Array) -> Array:
    """y (1 - y)."""
    return y * (1 - y)


@like(_sigmoidal.log_sigmoid)
def log_sigmoid_from_output(y: Array) -> Array:
    """1 - exp(y)."""
    return -array_namespace(y).expm1(y)


@like(_sigmoidal.tanh)
def tanh_from_output(y: Array) -> Array:
    """1 - y^2."""
    return 1 - y * y


@like(_sigmoidal.softsign)
def softsign_from_output(y: Array) -> Array:
    """(1 - |y|)^2."""
    root = 1 - y * array_namespace(y).sign(y)
    return root * root


@like(_sigmoidal.softplus)
def softplus_from_output(y: Array) -> Array:
    """1 - exp(-y)."""
    return -array_namespace(y).expm1(-y)
