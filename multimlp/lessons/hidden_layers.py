"""Hidden layers: the numbers and pictures. What is read is in hidden_layers.md."""

# %%
from __future__ import annotations

import numpy as np

import multimlp as mm
from multimlp import plotting
from multimlp.backend import Backend
from multimlp.lessons import LessonResult, array, lesson
from multimlp.structure import summary

MLP = mm.MLP(4, 5, 3, activation="relu")


def by_hand(backend: Backend, params: mm.mlp.Params, X: np.ndarray) -> np.ndarray:
    """The two formulas, written down."""
    xp = backend.xp
    inputs = array(X)
    hidden = mm.activations.relu(xp.matmul(inputs, params[0].weight) + params[0].bias)
    return mm.convert(xp.matmul(hidden, params[1].weight) + params[1].bias, "numpy")


# %%
TABLE = summary(MLP)


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Draw the network of the text, and compute its outputs twice."""
    params = MLP.init(seed=0)
    X = mm.random.host_generator(6).normal(size=(8, 4))
    outputs = mm.convert(mm.predict(MLP, params, X), "numpy")
    plain, ax = plotting.figure(size=(4.2, 3.3))
    plotting.plot_network(MLP, ax=ax)
    weighted, ax = plotting.figure(size=(4.2, 3.3))
    plotting.plot_network(MLP, params, ax)
    return LessonResult(
        {
            "parameters": float(MLP.num_parameters),
            "parameters by the formula": float((4 * 5 + 5) + (5 * 3 + 3)),
            "rows of the output": float(outputs.shape[0]),
            "columns of the output": float(outputs.shape[1]),
            "first output of the first example": float(outputs[0, 0]),
            "difference from the formulas": float(np.max(np.abs(outputs - by_hand(backend, params, X)))),
        },
        {"diagram": plain, "weights": weighted},
        f"{MLP.num_parameters} parameters in two layers; 8 examples give outputs of shape {outputs.shape}."
        f"\n\n{TABLE}",
    )
