"""Activation functions."""

# %% [markdown]
# # Activation functions
#
# An activation decides, unit by unit, what a hidden layer passes on. The ones that the text draws:
#
# $$\mathrm{ReLU}(x) = \max(x, 0), \qquad
#   \mathrm{pReLU}(x) = \max(0, x) + \alpha \min(0, x),$$
#
# $$\mathrm{sigmoid}(x) = \frac{1}{1 + e^{-x}}, \qquad
#   \tanh(x) = \frac{1 - e^{-2x}}{1 + e^{-2x}},$$
#
# $$\mathrm{GELU}(x) = x \Phi(x), \qquad \mathrm{Swish}(x) = x \thinspace \mathrm{sigmoid}(\beta x)$$
#
# (*Dive into Deep Learning*, section 5.1.2). Here they are, and all others that the package has, over
# $[-8, 8)$ in steps of 0.1, with their derivatives, which automatic differentiation computes.

# %%
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import multimlp as mm
from multimlp import plotting
from multimlp.backend import CHECKERS, Backend
from multimlp.lessons import LessonResult, lesson

MAIN = ("relu", "prelu", "sigmoid", "tanh", "gelu", "swish")
LIMIT = 8.0
"""Higher than that no picture reaches; the exponential would."""


def installed() -> list[str]:
    """The backends whose curves can be laid over one another here: installed, with a device to run on, and no checker."""
    candidates = (info for name, info in mm.available_backends().items() if name not in CHECKERS)
    described = [info.as_dict() for info in candidates if info.installed]
    return [one["name"] for one in described if one["problem"] is None and one["devices"]]


def gallery(names: Sequence[str], columns: int, size: tuple[float, float]) -> Any:
    """One small picture for each activation, with its derivative."""
    rows = -(-len(names) // columns)
    picture, axes = plotting.figure(rows, columns, size=size, sharex=True)
    for ax, name in zip(axes.flat, names, strict=False):
        plotting.plot_activation(name, ax=ax)
        ax.set(title=name, xlabel="", ylabel="")
        low, high = ax.dataLim.intervaly
        if high > LIMIT:
            ax.set_ylim(max(low, -LIMIT) - 0.4, LIMIT + 0.4)
        ax.get_legend().remove()
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    for ax in axes[-1]:
        ax.set_xlabel("x")
    handles, _ = axes.flat[0].get_legend_handles_labels()
    picture.legend(handles, ["f(x)", "f'(x)"], loc="outside upper right", ncols=2)
    return picture


# %% [markdown]
# ## The same on every backend
#
# The third picture lays the curves of all installed backends, computed in float32, over one another, values
# on the left, derivatives in the middle. On the right is what separates them: the distance from the float64
# value, in units of $\epsilon \max(1, |f|)$ with $\epsilon = 2^{-23}$. One unit is the spacing of float32 numbers at 1.


# %%
def agreement(names: Sequence[str], backends: Sequence[str]) -> tuple[Any, dict[str, float]]:
    """Curves of all backends, and the largest error of value or derivative of each."""
    picture, axes = plotting.figure(len(names), 3, size=(8.4, 1.8 * len(names)), sharex=True)
    worst: dict[str, float] = {}
    for row, name in zip(axes, names, strict=True):
        errors = plotting.plot_agreement(name, backends, row)
        row[0].get_legend().remove()
        row[2].set_xlabel("")
        for backend, pair in errors.items():
            worst[backend] = max(worst.get(backend, 0.0), *pair)
    for ax in axes[-1]:
        ax.set_xlabel("x")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    picture.legend(handles, labels, loc="outside upper right", ncols=len(labels))
    return picture, worst


# %% [markdown]
# ## What to look at
#
# * ReLU's derivative is 0 or 1; at 0 itself it is taken to be 0, on every backend.
# * The sigmoid and tanh are flat at both ends: no gradient passes there.
# * GELU and Swish dip below zero before they vanish.
# * The curves of the backends cannot be told apart; the errors are a few units in the last place.


# %%
@lesson
def run(backend: Backend, backends: Sequence[str] | None = None) -> LessonResult:
    """Draw all activations on this backend, and the main ones on all."""
    compared = installed() if backends is None else list(backends)
    others = [name for name in mm.activations.names() if name not in MAIN]
    picture, worst = agreement(MAIN, compared)
    points = np.asarray([-1.0, 0.0, 1.0])
    values = {name: plotting.activation_curve(name, points) for name in ("relu", "sigmoid", "tanh", "gelu")}
    numbers = {
        "relu'(0)": float(values["relu"][1][1]),
        "sigmoid(0)": float(values["sigmoid"][0][1]),
        "sigmoid'(0)": float(values["sigmoid"][1][1]),
        "tanh'(0)": float(values["tanh"][1][1]),
        "gelu(1)": float(values["gelu"][0][2]),
        **{f"largest error / eps, {name}": error for name, error in worst.items()},
    }
    return LessonResult(
        numbers,
        {
            "main": gallery(MAIN, 3, (8.4, 4.6)),
            "others": gallery(others, 5, (10.5, 11.0)),
            "agreement": picture,
        },
        f"{len(MAIN) + len(others)} activations drawn on {backend.name}. Largest errors in float32 among "
        f"{', '.join(MAIN)}, in units of eps: "
        + ", ".join(f"{name} {error:.1f}" for name, error in worst.items())
        + ".",
    )
