"""tanh and sigmoid are one function."""

# %% [markdown]
# # tanh and sigmoid are one function
#
# The exercise: show that
#
# $$\tanh(x) + 1 = 2 \thinspace \mathrm{sigmoid}(2x),$$
#
# and that the functions of either kind of network are the same. The first: multiply numerator and denominator
# of $\tanh(x) = (e^x - e^{-x}) / (e^x + e^{-x})$ by $e^{-x}$ and add one, $2 / (1 + e^{-2x})$. The second:
# put $\tanh(z) = 2 \thinspace \mathrm{sigmoid}(2z) - 1$ into a layer. The 2 inside goes into the layer's own
# weights, the 2 and the $-1$ outside into the next layer, which is affine anyway:
#
# $$\mathbf{W}_1' = 2 \mathbf{W}_1, \quad \mathbf{b}_1' = 2 \mathbf{b}_1, \quad
#   \mathbf{W}_2' = 2 \mathbf{W}_2, \quad \mathbf{b}_2' = \mathbf{b}_2 - \mathbf{1}^\top \mathbf{W}_2 .$$

# %%
from __future__ import annotations

from typing import Any

import numpy as np

import multimlp as mm
from multimlp import plotting
from multimlp.backend import Backend
from multimlp.lessons import LessonResult, array, lesson
from multimlp.structure import to_sigmoid, to_tanh

X = np.linspace(-4, 4, 161)[:, None]


def trained_tanh_network() -> tuple[mm.MLP, Any]:
    """Two hidden layers of tanh units that have learned a wave."""
    mlp = mm.MLP(1, [12, 12], 1, activation="tanh")
    result = mm.fit(
        mlp, X, np.sin(2 * X), loss="mse", optimizer=mm.optimizers.adam(0.02), epochs=400, batch_size=40,
        validation=None, progress=False,
    )  # fmt: skip
    return mlp, result.params


# %% [markdown]
# `to_sigmoid` writes a tanh network as a sigmoid network; `to_tanh` is the way back.


# %%
def outputs(mlp: mm.MLP, params: Any) -> np.ndarray:
    """What a network says at the points X."""
    return mm.convert(mm.predict(mlp, params, X), "numpy")[:, 0]


# %% [markdown]
# ## What to look at
#
# * Left: the two sides of the identity lie on one another.
# * Right: one function, written with either kind of unit. So the choice is not one of expressiveness. It is
#   one of optimisation: tanh units are centred at zero, and their derivative is four times as large.


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Check the identity, then rewrite a trained network and write it back."""
    z = array(np.arange(-80, 80) / 10)
    left = mm.convert(mm.activations.tanh(z) + 1, "numpy")
    right = mm.convert(2 * mm.activations.sigmoid(2 * z), "numpy")
    mlp, params = trained_tanh_network()
    sigmoid_mlp, sigmoid_params = to_sigmoid(mlp, params)
    original, rewritten = outputs(mlp, params), outputs(sigmoid_mlp, sigmoid_params)
    back = outputs(*to_tanh(sigmoid_mlp, sigmoid_params))

    picture, axes = plotting.figure(1, 2, size=(9.0, 3.4))
    axes[0].plot(mm.convert(z, "numpy"), left, linewidth=4, color="0.75", linestyle="-", label="tanh(x) + 1")
    axes[0].plot(mm.convert(z, "numpy"), right, color="black", linestyle="--", label="2 sigmoid(2x)")
    axes[0].set(xlabel="x", ylabel="value")
    axes[1].plot(X[:, 0], original, linewidth=4, color="0.75", linestyle="-", label="tanh network")
    axes[1].plot(X[:, 0], rewritten, color="black", linestyle="--", label="the sigmoid network made of it")
    axes[1].set(xlabel="x", ylabel="output", ylim=(-1.3, 1.8))
    for ax in axes:
        ax.legend()
    numbers = {
        "identity: largest difference": float(np.max(np.abs(left - right))),
        "networks: largest difference": float(np.max(np.abs(original - rewritten))),
        "there and back: largest difference": float(np.max(np.abs(original - back))),
        "error of the fit": float(np.sqrt(np.mean((original - np.sin(2 * X[:, 0])) ** 2))),
    }
    return LessonResult(
        numbers,
        {"identity": picture},
        f"The identity holds to {numbers['identity: largest difference']:.1e}; the rewritten network differs "
        f"by {numbers['networks: largest difference']:.1e}.",
    )
