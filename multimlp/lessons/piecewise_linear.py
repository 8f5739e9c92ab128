"""ReLU networks are continuous and piecewise linear: the numbers and pictures. What is read is in piecewise_linear.md."""

# %%
from __future__ import annotations

from typing import Any

import numpy as np

import multimlp as mm
from multimlp import plotting
from multimlp.backend import Backend
from multimlp.lessons import LessonResult, lesson
from multimlp.structure import linear_regions


def wave() -> tuple[mm.MLP, Any, np.ndarray, np.ndarray]:
    """A ReLU network that has learned a wave, and the data."""
    X = np.linspace(-1, 1, 200)[:, None]
    y = np.sin(5 * X) + 0.4 * X
    spread = {"name": "uniform", "options": {"scale": 0.5}}
    mlp = mm.MLP(1, [16, 16], 1, kernel_init="he_normal", bias_init=spread)
    result = mm.fit(mlp, X, y, loss="mse", optimizer=mm.optimizers.adam(0.01), epochs=300, batch_size=25,
                    validation=None, progress=False)  # fmt: skip
    return mlp, result.params, X, y


def bends_of_a_fresh_layer() -> np.ndarray:
    """Where the output of a network of 16 untrained units bends between -1 and 1."""
    mlp = mm.MLP(1, 16, 1, bias_init={"name": "uniform", "options": {"scale": 0.5}})
    line: Any = linear_regions(mlp, mlp.init(seed=0), [[-1.0], [1.0]])
    return 2 * line.breakpoints - 1


def ring() -> tuple[mm.MLP, Any]:
    """A ReLU network that tells the inside of a ring from its outside."""
    X = mm.random.host_generator(8).uniform(-1, 1, size=(300, 2))
    labels = (np.abs(np.linalg.norm(X, axis=1) - 0.6) < 0.2).astype(int)
    mlp = mm.MLP(2, [12, 12], 2, kernel_init="he_normal")
    result = mm.fit(mlp, X, labels, optimizer=mm.optimizers.adam(0.02), epochs=60, batch_size=50,
                    validation=None, progress=False)  # fmt: skip
    return mlp, result.params


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Find all bends along a line and all regions in a plane."""
    mlp, params, X, y = wave()
    line: Any = linear_regions(mlp, params, [[-1.0], [1.0]])
    plane_mlp, plane_params = ring()
    plane: Any = linear_regions(plane_mlp, plane_params, [[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])

    curve, axes = plotting.figure(2, 1, size=(4.4, 4.0), sharex=True, height_ratios=(3, 1))
    axes[0].plot((X[:, 0] + 1) / 2, y[:, 0], color="0.75", linewidth=4, linestyle="-", label="target")
    plotting.plot_regions(line, axes[0])
    edges = np.concatenate([[0.0], line.breakpoints, [1.0]])
    axes[1].stairs(line.slopes[:, 0], edges, color="black", baseline=None)
    axes[0].set(xlabel="", ylabel="output")
    axes[1].set(xlabel="t, from a = -1 to b = 1", ylabel="slope")
    polygons, ax = plotting.figure(size=(4.4, 3.6))
    plotting.plot_regions(plane, ax, output=1)
    bent = max(line.linearity_error, plane.linearity_error)
    jump = max(line.continuity_error, plane.continuity_error)
    return LessonResult(
        {
            "bends of a fresh layer of 16": float(len(bends_of_a_fresh_layer())),
            "regions along the line": float(len(line)),
            "linearity error": line.linearity_error,
            "continuity error": line.continuity_error,
            "regions in the plane": float(len(plane)),
            "linearity error in the plane": plane.linearity_error,
            "continuity error in the plane": plane.continuity_error,
            "error of the fit": float(np.sqrt(np.mean((line((X[:, 0] + 1) / 2) - y) ** 2))),
        },
        {"line": curve, "plane": polygons},
        f"The line crosses {len(line)} linear regions, the plane has {len(plane)}. Within them the network "
        f"is straight to {bent:.1e}, across them it jumps by at most {jump:.1e} of its size.",
    )
