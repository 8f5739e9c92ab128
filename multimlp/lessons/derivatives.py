"""Derivatives of activations: the numbers and pictures. What is read is in derivatives.md."""

# %%
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import multimlp as mm
from multimlp import plotting
from multimlp.backend import Backend
from multimlp.lessons import LessonResult, array, lesson

X = np.arange(-80, 80) / 10


def sigmoid(x: np.ndarray) -> np.ndarray:
    """The formula, for the closed forms below."""
    return 1 / (1 + np.exp(-x))


CLOSED_FORMS: dict[str, tuple[Any, Callable[[np.ndarray], np.ndarray]]] = {
    "pReLU, α = 0.25": (
        lambda x: mm.activations.prelu(x, 0.25),
        lambda x: np.where(x > 0, 1.0, 0.25),
    ),
    "Swish, β = 1.5": (
        lambda x: mm.activations.swish(x, 1.5),
        lambda x: sigmoid(1.5 * x) + 1.5 * x * sigmoid(1.5 * x) * (1 - sigmoid(1.5 * x)),
    ),
    "sigmoid": (mm.activations.sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "tanh": (mm.activations.tanh, lambda x: 1 - np.tanh(x) ** 2),
}


# %%
def autodiff(function: Any) -> np.ndarray:
    """The derivative at the points X, by the backend's automatic differentiation."""
    return mm.convert(mm.elementwise_grad(function)(array(X)), "numpy")


def slope_in_alpha() -> float:
    """Largest distance of autodiff's derivative in alpha, at the points X, from min(0, x)."""
    found = [
        float(mm.convert(mm.grad(mm.activations.prelu, argnums=1)(
            array(x), array(0.25)), "numpy"))
        for x in X[::10]
    ]  # fmt: skip
    return float(np.max(np.abs(np.asarray(found) - np.minimum(0, X[::10]))))


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Closed form against autodiff."""
    panels = {key: plotting.figure(size=(4.2, 3.3)) for key in ("prelu-and-swish", "sigmoid-and-tanh")}
    axes = [ax for _, ax in panels.values()]
    numbers: dict[str, float] = {}
    for i, (name, (function, closed_form)) in enumerate(CLOSED_FORMS.items()):
        derivative = autodiff(function)
        ax = axes[i // 2]
        ax.plot(X, derivative, label=f"{name}, autodiff")
        ax.plot(X[::8], closed_form(X[::8]), "o^"[i % 2], markersize=4, color="black", fillstyle="none",
                label=f"{name}, closed form")  # fmt: skip
        numbers[f"{name}: largest difference"] = float(np.max(np.abs(derivative - closed_form(X))))
        numbers[f"{name}: largest derivative"] = float(np.max(derivative))
    numbers["sigmoid: where it is largest"] = float(X[np.argmax(autodiff(mm.activations.sigmoid))])
    numbers["pReLU: largest difference of the derivative in alpha"] = slope_in_alpha()
    for picture, ax in panels.values():
        ax.set(xlabel="x", ylabel="derivative")
        picture.legend(loc="outside upper left", ncols=2)
    largest = max(value for key, value in numbers.items() if "difference" in key)
    return LessonResult(
        numbers,
        {key: picture for key, (picture, _) in panels.items()},
        f"Closed forms and {backend.name}'s derivatives differ by at most {largest:.1e}. The sigmoid's "
        f"largest derivative is {numbers['sigmoid: largest derivative']:.2f}, tanh's "
        f"{numbers['tanh: largest derivative']:.2f}.",
    )
