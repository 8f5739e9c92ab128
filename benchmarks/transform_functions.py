"""The functions whose derivatives are taken: each of a namespace and arrays, in what all libraries have."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Arguments = tuple[Any, ...]
"""What is differentiated first: an array, or a tuple of arrays. Then data: one example a row where there are examples."""


@dataclass(frozen=True)
class Function:
    """A function, its arguments by size, and what is done with it.

    Attributes
    ----------
    name : str
    vector : callable
        ``vector(xp, x, *data)``: an array, of which the Jacobian is taken; the scalar function is its sum.
    make : callable
        ``make(rng, n)``: the arguments.
    sizes : dict of str to int
    cases : frozenset of (str, str)
        Transforms and sizes; ``per-example`` where the data have a row an example.
    """

    name: str
    vector: Callable[..., Any]
    make: Callable[[np.random.Generator, int], Arguments]
    sizes: dict[str, int]
    cases: frozenset[tuple[str, str]]

    def arguments(self, size: str) -> Arguments:
        """The arguments as NumPy arrays, float64; the same at each call."""
        return self.make(np.random.default_rng(0), self.sizes[size])

    def scalar(self, xp: Any, x: Any, *data: Any) -> Any:
        """The function whose gradient is taken."""
        return xp.sum(self.vector(xp, x, *data))


def _log_sum_exp(xp: Any, z: Any) -> Any:
    top = xp.max(z, axis=-1, keepdims=True)
    return xp.log(xp.sum(xp.exp(z - top), axis=-1)) + top[..., 0]


def _logistic(xp: Any, w: Any, rows: Any, signs: Any) -> Any:
    z = signs * xp.sum(rows * w, axis=-1) if len(rows.shape) == 1 else signs * xp.matmul(rows, w)
    return xp.log1p(xp.exp(-xp.abs(z))) - 0.5 * (z - xp.abs(z))


def _mlp(xp: Any, layers: Any, rows: Any, targets: Any) -> Any:
    x = rows
    for weight, bias in layers[:-1]:
        x = xp.tanh(xp.matmul(x, weight) + bias)
    weight, bias = layers[-1]
    error = xp.matmul(x, weight) + bias - targets
    return error * error


def _network(xp: Any, x: Any, first: Any, second: Any) -> Any:
    return xp.matmul(xp.tanh(xp.matmul(xp.tanh(xp.matmul(x, first)), second)), first)


def _rosenbrock(xp: Any, x: Any) -> Any:
    return 100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2


def _mixture(xp: Any, means: Any, rows: Any) -> Any:
    """The log-likelihood of rows under equal Gaussians of unit variance."""
    apart = rows[..., None, :] - means
    return _log_sum_exp(xp, -0.5 * xp.sum(apart * apart, axis=-1))


def _fluid(xp: Any, u: Any) -> Any:
    """Burgers' equation on a circle, ten steps."""
    for _ in range(10):
        left, right = xp.roll(u, 1), xp.roll(u, -1)
        u = u - 0.05 * u * (right - left) + 0.1 * (left - 2.0 * u + right)
    return u * u


def _softmax(xp: Any, weight: Any, rows: Any, chosen: Any) -> Any:
    z = xp.matmul(rows, weight)
    return _log_sum_exp(xp, z) - xp.sum(z * chosen, axis=-1)


def _pendulum(xp: Any, x: Any) -> Any:
    """A pendulum with friction, a hundred steps of a symplectic Euler method."""
    half = x.shape[0] // 2
    angle, speed = x[:half], x[half:]
    for _ in range(100):
        speed = speed - 0.05 * (xp.sin(angle) + 0.1 * speed)
        angle = angle + 0.05 * speed
    return angle * angle + speed * speed


def _process(xp: Any, x: Any, places: Any, values: Any, identity: Any) -> Any:
    """The negative log-likelihood of a Gaussian process with x = (log length, log noise), up to constants."""
    apart = places[:, None] - places[None, :]
    scaled = apart * xp.exp(-x[0])
    kernel = xp.exp(-0.5 * scaled * scaled) + xp.exp(x[1]) * identity
    fitted = xp.linalg.solve(kernel, values[:, None])
    return xp.sum(values * fitted[:, 0]) + xp.linalg.slogdet(kernel)[1]


def _convolution(xp: Any, x: Any, kernel: Any) -> Any:
    count = x.shape[0] - 6
    total = kernel[0] * x[:count]
    for i in range(1, 7):
        total = total + kernel[i] * x[i : count + i]
    return xp.tanh(total)


def _chain(xp: Any, x: Any) -> Any:
    for _ in range(4):
        x = xp.sin(x) * xp.exp(-0.5 * x * x) + xp.tanh(x) / (1.0 + x * x) + 0.5 * x
    return x


def _layers(rng: np.random.Generator, n: int) -> Arguments:
    widths = (n, 2 * n, 2 * n, 1)
    layers = tuple(
        (rng.standard_normal(pair) / pair[0] ** 0.5, 0.1 * rng.standard_normal(pair[1]))
        for pair in itertools.pairwise(widths)
    )
    return layers, rng.standard_normal((8 * n, n)), rng.standard_normal((8 * n, 1))


def _classes(rng: np.random.Generator, n: int) -> Arguments:
    chosen = np.eye(10)[rng.integers(10, size=16 * n)]
    return 0.1 * rng.standard_normal((n, 10)), rng.standard_normal((16 * n, n)), chosen


def _examples(rng: np.random.Generator, n: int) -> Arguments:
    signs = np.sign(rng.standard_normal(16 * n))
    return rng.standard_normal(n), rng.standard_normal((16 * n, n)), signs


def _vector(rng: np.random.Generator, n: int) -> Arguments:
    return (rng.standard_normal(n),)


def _both(*transforms: str) -> set[tuple[str, str]]:
    return {(transform, size) for transform in transforms for size in ("small", "large")}


def _small(*transforms: str) -> set[tuple[str, str]]:
    return {(transform, "small") for transform in transforms}


FIRST = _both("grad", "value_and_grad", "hvp")
WHOLE = _small("jacobian", "hessian")

_ROWS = (
    ("logistic", _logistic, _examples, (5, 200), FIRST | _both("per-example") | _small("hessian")),
    ("mlp", _mlp, _layers, (4, 64), _both("grad", "value_and_grad", "per-example")),
    (
        "network",
        _network,
        lambda rng, n: (rng.standard_normal(n), rng.standard_normal((n, n)), rng.standard_normal((n, n))),
        (10, 500),
        FIRST | WHOLE,
    ),
    ("rosenbrock", _rosenbrock, _vector, (10, 100_000), FIRST | WHOLE),
    (
        "mixture",
        _mixture,
        lambda rng, n: (rng.standard_normal((4, 3)), rng.standard_normal((n, 3))),
        (16, 10_000),
        FIRST | _both("per-example"),
    ),
    ("fluid", _fluid, _vector, (16, 100_000), FIRST | WHOLE),
    ("softmax", _softmax, _classes, (4, 64), FIRST | _both("per-example")),
    ("pendulum", _pendulum, lambda rng, n: (rng.standard_normal(2 * n),), (1, 10_000), FIRST | WHOLE),
    (
        "process",
        _process,
        lambda rng, n: (
            np.asarray([0.1, -2.0]),
            np.sort(rng.standard_normal(n)),
            rng.standard_normal(n),
            np.eye(n),
        ),
        (10, 200),
        FIRST | _small("hessian"),
    ),
    (
        "convolution",
        _convolution,
        lambda rng, n: (rng.standard_normal(n), rng.standard_normal(7)),
        (20, 100_000),
        FIRST | WHOLE,
    ),
    ("chain", _chain, _vector, (10, 100_000), FIRST | WHOLE),
)

FUNCTIONS = {
    name: Function(name, vector, make, dict(zip(("small", "large"), sizes, strict=True)), frozenset(cases))
    for name, vector, make, sizes, cases in _ROWS
}
