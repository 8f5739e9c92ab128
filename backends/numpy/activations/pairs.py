"""Value and derivative together where the derivative is cheap beside the value, for training: x is finite, overflow no warning."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backends.numpy.activations import gates
from multimlp.backends.numpy.activations.numbers import Numbers
from multimlp.backends.numpy.activations.smooth import elu, elu_derivative, log_sigmoid, softplus
from multimlp.backends.numpy.activations.table import Array, Work, pair


@pair("elu", 3)
def elu_pair(n: Numbers, x: Array, value: Array, slope: Array, w: Work, alpha: Any = 1.0) -> Any:
    if alpha == 1:
        return celu_pair(n, x, value, slope, w)
    elu_derivative(n, x, slope, w, alpha)
    return elu(n, x, value, w, alpha)


@pair("celu", 1)
def celu_pair(n: Numbers, x: Array, value: Array, slope: Array, w: Work, alpha: Any = 1.0) -> Any:
    left = w[0]
    gates.not_above(n, x, n.zero, left)
    if alpha != 1:
        left /= alpha
    np.expm1(left, out=left)
    np.add(left, n.one, out=slope)
    if alpha != 1:
        left *= alpha
    gates.not_below(n, x, n.zero, value)
    value += left


@pair("silu", 2)
def silu_pair(n: Numbers, x: Array, value: Array, slope: Array, w: Work) -> Any:
    return swish_pair(n, x, value, slope, w)


@pair("swish", 2)
def swish_pair(n: Numbers, x: Array, value: Array, slope: Array, w: Work, beta: Any = 1.0) -> Any:
    z, s = w
    if beta != 1:
        np.multiply(x, beta, out=z)
    gates.not_above(n, x if beta == 1 else z, n.top, z)
    gates.logistic(n, z, s, slope)
    np.multiply(x, s, out=value)
    gates.logistic_slope(n, s, slope, z, slope)


@pair("mish", 3)
def mish_pair(n: Numbers, x: Array, value: Array, slope: Array, w: Work) -> Any:
    z, numerator, inverse = w
    gates.not_above(n, x, n.top, z)
    gates.mish(n, z, numerator, inverse, slope)
    gates.mish_slope(n, z, numerator, inverse, slope, slope)
    numerator *= inverse
    np.multiply(x, numerator, out=value)


@pair("gelu", 3)
def gelu_pair(n: Numbers, x: Array, value: Array, slope: Array, w: Work, approximate: str = "none") -> Any:
    gate, rest, bounded = w
    if approximate == "tanh":
        gates.bounded(x, n.tanh_bottom, n.tanh_top, bounded)
        gates.tanh_argument(n, bounded, gate)
        gates.tanh_moved(n, bounded, slope)
        gates.logistic(n, gate, gate, rest)
        gates.logistic_slope(n, gate, rest, slope, slope)
    else:
        gates.normal(n, x, gate, rest, slope)
        gates.normal_slope(n, x, gate, rest, slope)
    np.multiply(x, gate, out=value)


@pair("softplus", 1)
def softplus_pair(n: Numbers, x: Array, value: Array, slope: Array, w: Work) -> Any:
    softplus(n, x, value, w)
    np.negative(value, out=slope)
    np.expm1(slope, out=slope)
    np.negative(slope, out=slope)


@pair("log_sigmoid", 1)
def log_sigmoid_pair(n: Numbers, x: Array, value: Array, slope: Array, w: Work) -> Any:
    log_sigmoid(n, x, value, w)
    np.expm1(value, out=slope)
    np.negative(slope, out=slope)
