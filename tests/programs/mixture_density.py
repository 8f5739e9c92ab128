"""A mixture density network: an MLP gives the weights, means and widths of three Gaussians for each x.

Bishop, Mixture density networks (1994).
"""

import math

import numpy as np
from complex_step import slopes

import multimlp as mm

K = 3
mlp = mm.MLP(1, 6, 3 * K, activation="tanh")


def log_sum_exp(x):
    xp = mm.array_namespace(x)
    largest = mm.stop_gradient(xp.max(x, axis=-1, keepdims=True))
    return xp.log(xp.sum(xp.exp(x - largest), axis=-1)) + largest[..., 0]


def negative_log_likelihood(params, X, y):
    xp = mm.array_namespace(X, params[0].weight)
    outputs = mlp(params, X)
    weights, means, widths = outputs[:, :K], outputs[:, K : 2 * K], outputs[:, 2 * K :]
    distance = (xp.expand_dims(y, axis=-1) - means) * xp.exp(-widths)
    densities = -0.5 * distance * distance - widths - 0.5 * math.log(2 * math.pi)
    return xp.mean(-log_sum_exp(mm.activations.log_softmax(weights) + densities))


def program(params, X, y):
    value, gradient = mm.value_and_grad(negative_log_likelihood)(params, X, y)
    return {"value": value, "gradient": gradient}


def inputs():
    X = np.linspace(-1, 1, 7)[:, None]
    return mlp.init(seed=2, backend="numpy", dtype="float64"), X, np.sin(3 * X[:, 0])


# ---- the truth: the textbook's formula, a sum of densities


def expected(params, X, y):
    def value(params):
        hidden = np.tanh(X @ params[0].weight + params[0].bias)
        outputs = hidden @ params[1].weight + params[1].bias
        weights, means, widths = np.exp(outputs[:, :K]), outputs[:, K : 2 * K], np.exp(outputs[:, 2 * K :])
        weights = weights / np.sum(weights, axis=-1, keepdims=True)
        normal = np.exp(-(((y[:, None] - means) / widths) ** 2) / 2) / (widths * np.sqrt(2 * np.pi))
        return -np.mean(np.log(np.sum(weights * normal, axis=-1)))

    return {"value": value(params), "gradient": slopes(value, params)}
