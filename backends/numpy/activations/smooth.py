"""Smooth activations and their derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backends.numpy.activations import gates
from multimlp.backends.numpy.activations.numbers import Numbers
from multimlp.backends.numpy.activations.straight import leaky_relu_derivative
from multimlp.backends.numpy.activations.table import Array, Work, formula

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717

# ---- an exponential on one side, or altogether -------------------------------------------------------------------------


@formula(1)
def elu(n: Numbers, x: Array, out: Array, w: Work, alpha: Any = 1.0) -> Any:
    left = w[0]
    gates.not_above(n, x, n.zero, left)
    np.expm1(left, out=left)
    if alpha != 1:
        left *= alpha
    gates.not_below(n, x, n.zero, out)
    return np.add(out, left, out=out)


@formula(2)
def elu_derivative(n: Numbers, x: Array, out: Array, w: Work, alpha: Any = 1.0) -> Any:
    factor = None if alpha == 1 else w[0]
    if factor is not None:
        leaky_relu_derivative(n, x, factor, w[1:], alpha)
    gates.left(x, w[1], out)  # of NaN 0: there the slope is that of the right side
    np.exp(out, out=out)
    return None if factor is None else np.multiply(out, factor, out=out)


@formula(2)
def selu(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    right = w[1]
    gates.not_below(n, x, n.zero, right)
    right *= SELU_SCALE
    left = w[0]
    gates.not_above(n, x, n.zero, left)
    np.expm1(left, out=left)
    left *= SELU_SCALE * SELU_ALPHA
    return np.add(right, left, out=out)


@formula(2)
def selu_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    elu_derivative(n, x, out, w, SELU_ALPHA)
    return np.multiply(out, SELU_SCALE, out=out)


@formula(1)
def celu(n: Numbers, x: Array, out: Array, w: Work, alpha: Any = 1.0) -> Any:
    left = w[0]
    gates.not_above(n, x, n.zero, left)
    left /= alpha
    np.expm1(left, out=left)
    left *= alpha
    gates.not_below(n, x, n.zero, out)
    return np.add(out, left, out=out)


@formula(1)
def celu_derivative(n: Numbers, x: Array, out: Array, w: Work, alpha: Any = 1.0) -> Any:
    gates.left(x, w[0], out)  # as above
    np.divide(out, alpha, out=out)
    return np.exp(out, out=out)


@formula(0)
def gaussian(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    gates.bounded(x, -n.gaussian_end, n.gaussian_end, out)
    np.multiply(out, out, out=out)
    np.negative(out, out=out)
    return np.exp(out, out=out)


@formula(1)
def gaussian_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    bounded = w[0]
    gates.bounded(x, -n.gaussian_end, n.gaussian_end, bounded)
    gaussian(n, x, out, w)
    bounded *= n.minus_two
    return np.multiply(out, bounded, out=out)


# ---- S-shaped, and the ramps that they are the derivatives of -----------------------------------------------------------


def _decay(x: Array, out: Array) -> None:
    """exp(-|x|)"""
    np.absolute(x, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)


@formula(1, "softplus_derivative")
def sigmoid(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    total = w[0]
    gates.not_above(n, x, n.top, out)
    np.exp(out, out=out)
    np.add(out, n.one, out=total)
    return np.divide(out, total, out=out)


@formula(1)
def sigmoid_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    total = w[0]
    _decay(x, out)
    np.add(out, n.one, out=total)
    total *= total
    return np.divide(out, total, out=out)


@formula(1)
def log_sigmoid(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    rest = w[0]
    _decay(x, rest)
    np.log1p(rest, out=rest)
    gates.not_above(n, x, n.zero, out)
    return np.subtract(out, rest, out=out)


@formula(1)
def log_sigmoid_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    np.negative(x, out=out)
    return sigmoid(n, out, out, w)


@formula(1)
def softplus(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    rest = w[0]
    _decay(x, rest)
    np.log1p(rest, out=rest)
    gates.not_below(n, x, n.zero, out)
    return np.add(out, rest, out=out)


@formula(1)
def softsign(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    size = w[0]
    np.absolute(x, out=size)
    size += n.one
    return np.divide(x, size, out=out)


@formula(0)
def softsign_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    np.absolute(x, out=out)
    np.add(out, n.one, out=out)
    np.divide(n.one, out, out=out)
    return np.multiply(out, out, out=out)


@formula(1)
def tanh_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    total = w[0]
    np.absolute(x, out=out)
    gates.not_above(n, out, n.tanh_end, out)
    np.multiply(out, n.minus_two, out=out)
    np.exp(out, out=out)
    np.add(out, n.one, out=total)
    total *= total
    np.divide(out, total, out=out)
    return np.multiply(out, n.four, out=out)


@formula(0)
def tanhshrink_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    np.tanh(x, out=out)
    return np.multiply(out, out, out=out)


# ---- x times a gate ----------------------------------------------------------------------------------------------------


@formula(2)
def silu(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    gate = w[0]
    sigmoid(n, x, gate, w[1:])
    return np.multiply(x, gate, out=out)


@formula(3)
def silu_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    z, s, rest = w[:3]
    gates.bounded(x, n.bottom, n.top, z)
    gates.logistic(n, z, s, rest)
    gates.logistic_slope(n, s, rest, z, out)


@formula(2)
def swish(n: Numbers, x: Array, out: Array, w: Work, beta: Any = 1.0) -> Any:
    gate = w[0]
    np.multiply(x, beta, out=gate)
    sigmoid(n, gate, gate, w[1:])
    return np.multiply(x, gate, out=out)


@formula(3)
def swish_derivative(n: Numbers, x: Array, out: Array, w: Work, beta: Any = 1.0) -> Any:
    np.multiply(x, beta, out=out)
    return silu_derivative(n, out, out, w)


@formula(3)
def mish(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    gate, inverse, product = w
    gates.not_above(n, x, n.top, gate)
    gates.mish(n, gate, gate, inverse, product)
    gate *= inverse
    return np.multiply(x, gate, out=out)


@formula(4)
def mish_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    z, numerator, inverse, product = w
    gates.bounded(x, n.bottom, n.top, z)
    gates.mish(n, z, numerator, inverse, product)
    gates.mish_slope(n, z, numerator, inverse, product, out)


@formula(4)
def gelu(n: Numbers, x: Array, out: Array, w: Work, approximate: str = "none") -> Any:
    bounded, gate, *rest = w
    if approximate == "tanh":
        gates.bounded(x, n.tanh_bottom, n.tanh_top, bounded)
        gates.tanh_argument(n, bounded, gate)
        sigmoid(n, gate, gate, rest)
    else:
        gates.bounded(x, -n.density_end, n.density_end, bounded)
        gates.normal(n, bounded, gate, *rest)
    return np.multiply(x, gate, out=out)


@formula(4)
def gelu_derivative(n: Numbers, x: Array, out: Array, w: Work, approximate: str = "none") -> Any:
    bounded, gate, rest, moved = w
    if approximate == "tanh":
        gates.bounded(x, n.tanh_bottom, n.tanh_top, bounded)
        gates.tanh_argument(n, bounded, gate)
        gates.tanh_moved(n, bounded, moved)
        gates.logistic(n, gate, gate, rest)
        gates.logistic_slope(n, gate, rest, moved, out)
    else:
        gates.bounded(x, -n.density_end, n.density_end, bounded)
        gates.normal(n, bounded, gate, rest, moved)
        gates.normal_slope(n, bounded, gate, rest, out)
