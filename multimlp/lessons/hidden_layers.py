"""Hidden layers."""

# %% [markdown]
# # Hidden layers
#
# A multilayer perceptron with one hidden layer takes a mini-batch $\mathbf{X} \in \mathbb{R}^{n \times d}$
# through $h$ hidden units to $q$ outputs:
#
# $$\mathbf{H} = \sigma(\mathbf{X} \mathbf{W}_1 + \mathbf{b}_1), \qquad
#   \mathbf{O} = \mathbf{H} \mathbf{W}_2 + \mathbf{b}_2,$$
#
# with $\mathbf{W}_1 \in \mathbb{R}^{d \times h}$, $\mathbf{b}_1 \in \mathbb{R}^{1 \times h}$,
# $\mathbf{W}_2 \in \mathbb{R}^{h \times q}$, $\mathbf{b}_2 \in \mathbb{R}^{1 \times q}$ (*Dive into Deep
# Learning*, section 5.1.1.3). The text's picture has $d = 4$ inputs, $h = 5$ hidden units and $q = 3$
# outputs; it has two layers, because inputs compute nothing.

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


# %% [markdown]
# The summary lists what is learned; each layer is *fully connected*, so a layer from $a$ to $b$ units has
# $a b + b$ parameters.

# %%
TABLE = summary(MLP)

# %% [markdown]
# ## What to look at
#
# * Every input reaches every hidden unit, every hidden unit every output.
# * In the second picture the parameters of a fresh network: the width of a line is the size of its weight,
#   red and dashed are negative. They differ, or all hidden units would learn the same.


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Draw the network of the text, and compute its outputs twice."""
    params = MLP.init(seed=0)
    X = mm.random.host_generator(6).normal(size=(8, 4))
    outputs = mm.convert(mm.predict(MLP, params, X), "numpy")
    plain, ax = plotting.figure(size=(5.0, 3.8))
    plotting.plot_network(MLP, ax=ax)
    weighted, ax = plotting.figure(size=(5.0, 3.8))
    plotting.plot_network(MLP, params, ax)
    return LessonResult(
        {
            "parameters": float(MLP.num_parameters),
            "parameters by the formula": float((4 * 5 + 5) + (5 * 3 + 3)),
            "rows of the output": float(outputs.shape[0]),
            "columns of the output": float(outputs.shape[1]),
            "difference from the formulas": float(np.max(np.abs(outputs - by_hand(backend, params, X)))),
        },
        {"diagram": plain, "weights": weighted},
        f"{MLP.num_parameters} parameters in two layers; 8 examples give outputs of shape {outputs.shape}."
        f"\n\n{TABLE}",
    )
