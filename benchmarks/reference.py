"""What the timed calls must return, in float64 NumPy and written out by hand.

Derivatives of second order are central differences of gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Network = list[tuple[np.ndarray, np.ndarray]]
"""Weights (in, out) and biases (out,) of each layer, on the host."""

TOLERANCE = 1e-4
"""Relative to the largest value; float32 and some thousand operations."""
COMPARED = 100_000
"""Numbers of a result that are compared, from its beginning."""
_STEP = 1e-5

_erf = np.vectorize(math.erf, otypes=[np.float64])

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "gelu": lambda x: x * (1 + _erf(x / np.sqrt(2))) / 2,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(x, 0),
    "copy": lambda x: x,
}


def forward(
    network: Network, X: np.ndarray, activation: Callable[[np.ndarray], np.ndarray]
) -> list[np.ndarray]:
    """The outputs of each layer, the inputs first."""
    layers = [X]
    for i, (weight, bias) in enumerate(network):
        z = layers[-1] @ weight.astype(np.float64) + bias
        layers.append(z if i == len(network) - 1 else activation(z))
    return layers


def _log_softmax(z: np.ndarray) -> np.ndarray:
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def loss(network: Network, X: np.ndarray, y: np.ndarray, activation: str = "relu") -> float:
    """The mean cross-entropy."""
    outputs = forward(network, X, ACTIVATIONS[activation])[-1]
    return float(-_log_softmax(outputs)[np.arange(len(y)), y].mean())


def gradient(network: Network, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of the mean cross-entropy of a network with tanh, in its parameters, flat."""
    layers = forward(network, X, np.tanh)
    delta = np.exp(_log_softmax(layers[-1]))
    delta[np.arange(len(y)), y] -= 1
    delta /= len(y)
    pieces: list[np.ndarray] = []
    for i in range(len(network) - 1, -1, -1):
        pieces = [np.ravel(layers[i].T @ delta), delta.sum(axis=0), *pieces]
        delta = delta @ network[i][0].T.astype(np.float64) * (1 - layers[i] ** 2)
    return np.concatenate(pieces)


def input_jacobian(network: Network, x: np.ndarray) -> np.ndarray:
    """Of the outputs of a network with tanh, for one row, in its inputs: shape (outputs, inputs)."""
    layers = forward(network, x[None], np.tanh)
    product = network[0][0].T.astype(np.float64)
    for i in range(1, len(network)):
        product = network[i][0].T @ ((1 - layers[i][0] ** 2)[:, None] * product)
    return product


def value(kind: str, name: str, network: Network, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The beginning of what a call must return, flat: of an activation, of a network's outputs, or of a transform."""
    network = [(w.astype(np.float64), b.astype(np.float64)) for w, b in network]
    X = X.astype(np.float64)
    if kind == "activation":
        return ACTIVATIONS[name](X[:COMPARED])
    if kind == "inference":
        return np.ravel(forward(network, X[: COMPARED // 10], ACTIVATIONS["relu"])[-1])
    return TRANSFORMS[name](network, X, y)


def _hvp(network: Network, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The Hessian times the parameters themselves."""
    there = [(w * (1 + _STEP), b * (1 + _STEP)) for w, b in network]
    back = [(w * (1 - _STEP), b * (1 - _STEP)) for w, b in network]
    return (gradient(there, X, y) - gradient(back, X, y)) / (2 * _STEP)


def _per_example(network: Network, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient of each example's loss in the first weight."""
    size = network[0][0].size
    return np.concatenate([gradient(network, X[i : i + 1], y[i : i + 1])[:size] for i in range(len(y))])


def _hessian(network: Network, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of the sum of the outputs, for one row, in the inputs."""
    moves = _STEP * np.eye(X.shape[1])
    rows = [
        (input_jacobian(network, X[0] + move) - input_jacobian(network, X[0] - move)).sum(axis=0)
        for move in moves
    ]
    return np.ravel(np.stack(rows)) / (2 * _STEP)


TRANSFORMS: dict[str, Callable[[Network, np.ndarray, np.ndarray], np.ndarray]] = {
    "grad": gradient,
    "hvp": _hvp,
    "per-example": _per_example,
    "jacobian": lambda network, X, y: np.ravel(input_jacobian(network, X[0])),
    "hessian": _hessian,
}
