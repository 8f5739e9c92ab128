"""Feature maps: the numbers and pictures. What is read is in feature_maps.md."""

# %%
from __future__ import annotations

from typing import Any

import numpy as np

import multimlp as mm
from multimlp import plotting
from multimlp.backend import Backend
from multimlp.lessons import LessonResult, array, lesson


def phi(backend: Backend, x: np.ndarray, degree: int) -> Any:
    """The features 1, x, ..., x^degree, as an array of the backend of shape (n, degree + 1)."""
    xp = backend.xp
    column = array(x)
    return xp.stack([column**power for power in range(degree + 1)], axis=-1)


def least_squares(backend: Backend, features: Any, y: np.ndarray) -> Any:
    """The w of least |features w - y|, from the normal equations."""
    xp = backend.xp
    targets = xp.expand_dims(array(y), axis=-1)
    transposed = xp.matrix_transpose(features)
    w = xp.linalg.solve(xp.matmul(transposed, features), xp.matmul(transposed, targets))
    return xp.squeeze(w, axis=-1)


# %%
def degrees(backend: Backend, highest: int = 9) -> tuple[list[float], list[float]]:
    """Training and validation error of each degree, for noisy samples of 4x^2 + 2x + 1."""
    generator = mm.random.host_generator(7)
    x = generator.uniform(-1, 1, 12 + 200)
    y = 4 * x**2 + 2 * x + 1 + generator.normal(0, 0.5, x.shape)
    train, valid = slice(None, 12), slice(12, None)
    errors: tuple[list[float], list[float]] = ([], [])
    for degree in range(highest + 1):
        w = least_squares(backend, phi(backend, x[train], degree), y[train])
        for part, kept in zip((train, valid), errors, strict=True):
            fitted = mm.convert(backend.xp.matmul(phi(backend, x[part], degree), w), "numpy")
            kept.append(float(np.sqrt(np.mean((fitted - y[part]) ** 2))))
    return errors


def polynomial_error(backend: Backend, degree: int) -> float:
    """How well the coefficients of a random polynomial come back from its values."""
    x = np.linspace(-1, 1, 40)
    w = mm.random.host_generator(4, degree).normal(size=degree + 1)
    found = least_squares(backend, phi(backend, x, degree), np.polynomial.polynomial.polyval(x, w))
    return float(np.max(np.abs(mm.convert(found, "numpy") - w)))


# %%
CORNERS = np.asarray([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR = np.asarray([0.0, 1.0, 1.0, 0.0])


def xor_least_squares(backend: Backend, columns: list[np.ndarray]) -> np.ndarray:
    """Predictions at the four corners from 1 and these features."""
    table = np.stack([np.ones(4), *columns], axis=-1)
    features = array(table)
    return mm.convert(backend.xp.matmul(features, least_squares(backend, features, XOR)), "numpy")


def xor_hidden(backend: Backend) -> tuple[mm.MLP, Any, float]:
    """An MLP that has learned XOR, and the share of corners that it gets right."""
    mlp = mm.MLP(2, 8, 2, activation="tanh")
    result = mm.fit(
        mlp, CORNERS, XOR.astype(int), optimizer=mm.optimizers.adam(0.05), epochs=200, batch_size=None,
        validation=None, progress=False,
    )  # fmt: skip
    classes = np.argmax(mm.convert(mm.predict(mlp, result.params, CORNERS), "numpy"), axis=1)
    return mlp, result.params, float(np.mean(classes == XOR))


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Recover w, compare degrees, learn XOR."""
    x = np.linspace(-2, 2, 50)
    w = mm.convert(least_squares(backend, phi(backend, x, 2), 4 * x**2 + 2 * x + 1), "numpy")
    train, valid = degrees(backend)
    linear = xor_least_squares(backend, [CORNERS[:, 0], CORNERS[:, 1]])
    mapped = xor_least_squares(backend, [CORNERS[:, 0], CORNERS[:, 1], CORNERS[:, 0] * CORNERS[:, 1]])
    mlp, params, accuracy = xor_hidden(backend)

    curves, ax = plotting.figure(size=(4.2, 3.3))
    ax.plot(range(len(train)), train, marker="o", label="training, 12 points")
    ax.plot(range(len(valid)), valid, marker="s", label="validation, 200 points")
    ax.set(xlabel="degree of the polynomial", ylabel="root mean square error", yscale="log")
    ax.legend()
    plane, ax = plotting.figure(size=(4.2, 3.3))
    plotting.plot_decision_boundary(mlp, params, CORNERS, XOR.astype(int), ax)
    ax.set_title("XOR with a hidden layer of 8 tanh units")
    return LessonResult(
        {
            "w0": float(w[0]),
            "w1": float(w[1]),
            "w2": float(w[2]),
            "best degree": float(np.argmin(valid)),
            "largest error of a coefficient, degrees 0 to 6": max(
                polynomial_error(backend, degree) for degree in range(7)
            ),
            "XOR linear: largest distance from 1/2": float(np.max(np.abs(linear - 0.5))),
            "XOR with x1 x2: largest error": float(np.max(np.abs(mapped - XOR))),
            "XOR with a hidden layer: accuracy": accuracy,
        },
        {"degrees": curves, "xor": plane},
        f"Least squares on [1, x, x^2] gives w = [{w[0]:.6f}, {w[1]:.6f}, {w[2]:.6f}]; the validation set "
        f"prefers degree {int(np.argmin(valid))}. For XOR a linear model says {linear[0]:.2f} everywhere; "
        f"the feature x1 x2 solves it, and so does a hidden layer (accuracy {accuracy:.2f}).",
    )
