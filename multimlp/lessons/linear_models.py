"""Limits of linear models."""

# %% [markdown]
# # Limits of linear models
#
# A linear model says that a feature that grows always moves the output in the same direction, at the same
# rate:
#
# $$o = \mathbf{x} \mathbf{w} + b, \qquad \frac{\partial o}{\partial x_j} = w_j .$$
#
# That is *linearity*, and it implies the weaker *monotonicity*. Two examples from *Dive into Deep Learning*,
# section 5.1.1.1, show that either can fail:
#
# * **Will a loan be repaid?** The chance grows with income, but from 0 to 50 thousand it grows more than from
#   1000 to 1050 thousand: monotone, not linear. A logarithm of the income mends it.
# * **How great is the risk at a body temperature?** Above 37 °C it grows with the temperature, below it
#   falls: not even monotone. The distance from 37 °C mends it.
#
# Somebody had to know the logarithm and the 37. A hidden layer learns such a representation from the data.

# %%
from __future__ import annotations

from typing import Any

import numpy as np

import multimlp as mm
from multimlp import plotting
from multimlp.backend import Backend
from multimlp.lessons import LessonResult, lesson


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
    risk = 1 / (1 + np.exp(-3.0 * (np.abs(degrees - 37) - 1.5)))
    return degrees, risk, (generator.uniform(size=(rows, 1)) < risk).astype(float)


# %% [markdown]
# A linear model is an `MLP` without hidden layers. Logistic regression on the raw feature, logistic
# regression on the feature that an expert would make of it, and an MLP on the raw feature are trained in the
# same way. As the true chances are known here, the error that counts is the distance from them.


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


# %% [markdown]
# ## What to look at
#
# * Income: the straight model in the raw income is too low where the chance rises fast, and too slow to
#   saturate.
# * Temperature: the best straight model is nearly flat, because the two sides cancel; the MLP has found the
#   valley without being told of 37 °C.


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Fit the three models to both examples."""
    picture, axes = plotting.figure(1, 2, size=(9.0, 3.6))
    numbers: dict[str, float] = {}
    examples: dict[str, Any] = {
        "income": (repayment(), np.log, "income in thousands", "chance of repayment"),
        "temperature": (temperature(), lambda t: np.abs(t - 37), "body temperature in °C", "risk"),
    }
    for ax, (key, ((x, chance, happened), expert, xlabel, ylabel)) in zip(
        axes, examples.items(), strict=True
    ):
        learned, errors = compare(x, chance, happened, expert(x))
        order = np.argsort(x[:, 0])
        ax.plot(x[order], happened[order], "|", color="0.6", markersize=6)
        ax.plot(x[order], chance[order], color="0.75", linewidth=5, linestyle="-", label="true")
        for name, p in learned.items():
            ax.plot(x[order], p[order], label=name)
        ax.set_xlabel(xlabel)
        ax.set_ylabel(ylabel)
        numbers |= {f"{key}: error, {name}": error for name, error in errors.items()}
    axes[0].legend(loc="center right")
    return LessonResult(
        numbers,
        {"chances": picture},
        "Mean distance from the true chance: at the incomes "
        f"{numbers['income: error, linear in x']:.3f} for the linear model and "
        f"{numbers['income: error, MLP']:.3f} for the MLP; at the temperatures "
        f"{numbers['temperature: error, linear in x']:.3f} and {numbers['temperature: error, MLP']:.3f}.",
    )
