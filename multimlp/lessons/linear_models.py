"""Limits of linear models: the numbers and pictures. What is read is in linear_models.md."""

# %%
from __future__ import annotations

from typing import Any

import numpy as np

import multimlp as mm
from multimlp import plotting
from multimlp.backend import Backend
from multimlp.lessons import LessonResult, array, lesson


def repayment(rows: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Incomes in thousands, the true chance of repayment, and whether the loan was repaid."""
    generator = mm.random.host_generator(1)
    income = generator.uniform(1, 1000, size=(rows, 1))
    chance = 1 / (1 + np.exp(-1.5 * np.log(income / 60)))
    return income, chance, (generator.uniform(size=(rows, 1)) < chance).astype(float)


def temperature(rows: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Body temperatures in °C, the true risk, and what happened."""
    generator = mm.random.host_generator(2)
    degrees = generator.uniform(33, 41, size=(rows, 1))
    risk = risk_at(degrees)
    return degrees, risk, (generator.uniform(size=(rows, 1)) < risk).astype(float)


def risk_at(degrees: Any) -> Any:
    """1 / (1 + exp(-3 (|t - 37| - 1.5))), on arrays of any library."""
    return mm.activations.sigmoid(3.0 * (mm.xp.abs(degrees - 37.0) - 1.5))


# %%
def fitted_chance(x: np.ndarray, happened: np.ndarray, hidden: int) -> np.ndarray:
    """The chances that a logistic regression (0 hidden units) or an MLP learns."""
    scaled = (x - x.mean()) / x.std()
    mlp = mm.MLP(1, hidden, 1, activation="tanh")
    result = mm.fit(
        mlp, scaled, happened, loss="binary_cross_entropy", optimizer=mm.optimizers.adam(0.05),
        epochs=80, batch_size=50, validation=None, progress=False,
    )  # fmt: skip
    outputs = mm.convert(mm.predict(mlp, result.params, scaled), "numpy")
    return 1 / (1 + np.exp(-outputs))


def compare(
    x: np.ndarray, chance: np.ndarray, happened: np.ndarray, expert: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """The learned chances of the three models, and their root mean square distance from the true ones."""
    learned = {
        "linear in x": fitted_chance(x, happened, hidden=0),
        "linear in the expert's feature": fitted_chance(expert, happened, hidden=0),
        "MLP": fitted_chance(x, happened, hidden=8),
    }
    return learned, {name: float(np.sqrt(np.mean((p - chance) ** 2))) for name, p in learned.items()}


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Fit the three models to both examples."""
    pictures = {}
    numbers: dict[str, float] = {}
    examples: dict[str, Any] = {
        "income": (repayment(), np.log, "income in thousands", "chance of repayment"),
        "temperature": (temperature(), lambda t: np.abs(t - 37), "body temperature in °C", "risk"),
    }
    for key, ((x, chance, happened), expert, xlabel, ylabel) in examples.items():
        learned, errors = compare(x, chance, happened, expert(x))
        order = np.argsort(x[:, 0])
        pictures[key], ax = plotting.figure(size=(4.2, 3.2))
        ax.plot(x[order], happened[order], "|", color="0.6", markersize=6)
        ax.plot(x[order], chance[order], color="0.75", linewidth=5, linestyle="-", label="true")
        for name, p in learned.items():
            ax.plot(x[order], p[order], label=name)
        ax.set(xlabel=xlabel, ylabel=ylabel)
        pictures[key].legend(loc="outside upper left", ncols=2)
        numbers |= {f"{key}: error, {name}": error for name, error in errors.items()}
    slopes = mm.convert(mm.elementwise_grad(risk_at)(array([35.0, 39.0])), "numpy")
    numbers |= {
        "slope of the risk at 35 °C": float(slopes[0]),
        "slope of the risk at 39 °C": float(slopes[1]),
    }
    return LessonResult(
        numbers,
        pictures,
        "Root mean square distance from the true chance: at the incomes "
        f"{numbers['income: error, linear in x']:.3f} for the linear model and "
        f"{numbers['income: error, MLP']:.3f} for the MLP; at the temperatures "
        f"{numbers['temperature: error, linear in x']:.3f} and {numbers['temperature: error, MLP']:.3f}. "
        f"The risk changes by {slopes[0]:.3f} a degree at 35 °C and by {slopes[1]:+.3f} at 39 °C.",
    )
