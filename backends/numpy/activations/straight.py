"""Activations of straight or parabolic pieces, and their derivatives: steps are comparisons turned into 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backends.numpy.activations import gates
from multimlp.backends.numpy.activations.numbers import Numbers
from multimlp.backends.numpy.activations.table import Array, Work, formula


def _inside(x: Array, low: Any, high: Any, out: Array) -> None:
    """0 where x <= low or x >= high, else 1, at NaN too."""
    outside = x <= low
    outside |= x >= high
    np.logical_not(outside, out=outside)
    out[...] = outside


@formula(0, "threshold_derivative")
def relu_derivative(n: Numbers, x: Array, out: Array, w: Work, threshold: Any = 0.0, value: Any = 0.0) -> Any:
    np.copyto(out, np.logical_not(x <= threshold))


@formula(0)
def threshold(n: Numbers, x: Array, out: Array, w: Work, threshold: Any = 0.0, value: Any = 0.0) -> Any:
    if value != threshold:
        return NotImplemented
    gates.not_below(n, x, threshold, out)
    return np.add(out, n.zero, out=out)  # -0 becomes 0


@formula(1)
def leaky_relu(n: Numbers, x: Array, out: Array, w: Work, negative_slope: Any = 0.01) -> Any:
    left = w[0]
    if 0 < negative_slope <= 1:
        np.multiply(x, negative_slope, out=left)
        return np.maximum(x, left, out=out)
    gates.not_above(n, x, n.zero, left)
    left *= negative_slope
    gates.not_below(n, x, n.zero, out)
    return np.add(out, left, out=out)


@formula(1)
def leaky_relu_derivative(n: Numbers, x: Array, out: Array, w: Work, negative_slope: Any = 0.01) -> Any:
    left = w[0]
    np.copyto(left, x <= n.zero)
    np.subtract(n.one, left, out=out)
    left *= negative_slope
    return np.add(out, left, out=out)


@formula(1)
def prelu(n: Numbers, x: Array, out: Array, w: Work, alpha: Any = 0.25) -> Any:
    return leaky_relu(n, x, out, w, alpha)


@formula(1)
def prelu_derivative(n: Numbers, x: Array, out: Array, w: Work, alpha: Any = 0.25) -> Any:
    return leaky_relu_derivative(n, x, out, w, alpha)


@formula(0)
def relu6(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    gates.bounded(x, n.zero, n.six, out)
    return np.add(out, n.zero, out=out)  # -0 becomes 0


@formula(0)
def relu6_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    _inside(x, n.zero, n.six, out)


@formula(0)
def relu_squared(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    gates.not_below(n, x, n.zero, out)
    return np.multiply(out, out, out=out)


@formula(0)
def relu_squared_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    gates.not_below(n, x, n.zero, out)
    return np.multiply(out, n.two, out=out)


@formula(0)
def hard_sigmoid(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    np.divide(x, n.six, out=out)
    np.add(out, n.half, out=out)
    return gates.bounded(out, n.zero, n.one, out)


@formula(0)
def hard_sigmoid_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    _inside(x, n.minus_three, n.three, out)
    return np.divide(out, n.six, out=out)


@formula(0)
def hard_tanh(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    return gates.bounded(x, n.minus_one, n.one, out)


@formula(0)
def hard_tanh_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    _inside(x, n.minus_one, n.one, out)


@formula(1)
def hard_swish(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    gate = w[0]
    hard_sigmoid(n, x, gate, w)
    gates.not_below(n, x, n.minus_three, out)
    np.multiply(out, gate, out=out)
    return np.add(out, n.zero, out=out)  # -0 becomes 0


@formula(2)
def hard_swish_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    inside, right = w[0], w[1]
    _inside(x, n.minus_three, n.three, inside)
    np.copyto(right, x >= n.three)
    gates.bounded(x, n.minus_three, n.three, out)
    np.divide(out, n.three, out=out)
    np.add(out, n.half, out=out)
    np.multiply(out, inside, out=out)
    return np.add(out, right, out=out)


@formula(1)
def softshrink(n: Numbers, x: Array, out: Array, w: Work, lambd: Any = 0.5) -> Any:
    inner = w[0]
    gates.bounded(x, -lambd, lambd, inner)
    return np.subtract(x, inner, out=out)


@formula(0, "hardshrink_derivative")
def softshrink_derivative(n: Numbers, x: Array, out: Array, w: Work, lambd: Any = 0.5) -> Any:
    np.absolute(x, out=out)
    return relu_derivative(n, out, out, w, lambd)


@formula(1)
def hardshrink(n: Numbers, x: Array, out: Array, w: Work, lambd: Any = 0.5) -> Any:
    kept = w[0]
    softshrink_derivative(n, x, kept, w, lambd)
    np.multiply(x, kept, out=out)
    return np.add(out, n.zero, out=out)  # -0 becomes 0


@formula(0, "sparse_plus_derivative")
def sparse_sigmoid(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    np.multiply(x, n.half, out=out)
    np.add(out, n.half, out=out)
    return gates.bounded(out, n.zero, n.one, out)


@formula(0)
def sparse_sigmoid_derivative(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    _inside(x, n.minus_one, n.one, out)
    return np.multiply(out, n.half, out=out)


@formula(1)
def sparse_plus(n: Numbers, x: Array, out: Array, w: Work) -> Any:
    parabola = w[0]
    sparse_sigmoid(n, x, parabola, w)
    parabola *= parabola
    return np.maximum(x, parabola, out=out)  # which is the larger one between -1 and 1 alone
