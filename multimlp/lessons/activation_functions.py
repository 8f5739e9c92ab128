"""Activation functions: the numbers and pictures. What is read is in activation_functions.md."""

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


def shown(name: str) -> str:
    """What is drawn of an activation: of one that works along an axis, its first output at (x, 0)."""
    along = not mm.activations.parse(name).elementwise
    return f"{name}(x, 0)" if along else name


def gallery(names: Sequence[str], columns: int, size: tuple[float, float]) -> Any:
    """One small picture for each activation, with its derivative."""
    rows = -(-len(names) // columns)
    picture, axes = plotting.figure(rows, columns, size=size, sharex=True)
    for ax, name in zip(axes.flat, names, strict=False):
        plotting.plot_activation(name, ax=ax)
        ax.set(xlabel="", ylabel="")
        ax.set_title(shown(name), fontsize=9)
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


# %%
def largest_error(names: Sequence[str], backend: str) -> float:
    """How far values and derivatives in float32 are from NumPy's in float64, in units of eps max(1, |f|)."""
    x = np.arange(-80, 80, dtype=np.float32) / 10
    eps = float(np.finfo(np.float32).eps)
    worst = 0.0
    for name in names:
        got = plotting.activation_curve(name, x, backend, "float32")
        true = plotting.activation_curve(name, x, "numpy", "float64")
        for one, reference in zip(got, true, strict=True):
            worst = max(worst, float(np.max(np.abs(one - reference) / np.maximum(1, np.abs(reference)))))
    return worst / eps


# %%
@lesson
def run(backend: Backend, backends: Sequence[str] | None = None) -> LessonResult:
    """Draw all activations on this backend, and measure how far the main ones are apart on all."""
    compared = installed() if backends is None else list(backends)
    others = [name for name in mm.activations.names() if name not in MAIN]
    points = np.asarray([-1.0, 0.0, 1.0])
    values = {name: plotting.activation_curve(name, points) for name in ("relu", "sigmoid", "tanh", "gelu")}
    worst = max(largest_error(MAIN, name) for name in compared)
    numbers = {
        "relu'(0)": float(values["relu"][1][1]),
        "sigmoid(0)": float(values["sigmoid"][0][1]),
        "sigmoid'(0)": float(values["sigmoid"][1][1]),
        "tanh'(0)": float(values["tanh"][1][1]),
        "gelu(1)": float(values["gelu"][0][2]),
        "largest error / eps": worst,
    }
    return LessonResult(
        numbers,
        {"main": gallery(MAIN, 2, (4.4, 5.0)), "others": gallery(others, 3, (4.6, 11.5))},
        f"{len(MAIN) + len(others)} activations drawn. Largest error in float32 of the first {len(MAIN)} and of "
        f"their derivatives, on {', '.join(compared)}: {worst:.1f} eps.",
    )
