"""tanh and sigmoid are one function: the numbers and pictures. What is read is in tanh_and_sigmoid.md."""

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


# %%
def outputs(mlp: mm.MLP, params: Any) -> np.ndarray:
    """What a network says at the points X."""
    return mm.convert(mm.predict(mlp, params, X), "numpy")[:, 0]


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

    panels = {key: plotting.figure(size=(4.2, 3.1)) for key in ("identity", "networks")}
    axes = [ax for _, ax in panels.values()]
    axes[0].plot(mm.convert(z, "numpy"), left, linewidth=4, color="0.75", linestyle="-", label="tanh(x) + 1")
    axes[0].plot(mm.convert(z, "numpy"), right, color="black", linestyle="--", label="2 sigmoid(2x)")
    axes[0].set(xlabel="x", ylabel="value")
    axes[1].plot(X[:, 0], original, linewidth=4, color="0.75", linestyle="-", label="tanh network")
    axes[1].plot(X[:, 0], rewritten, color="black", linestyle="--", label="the sigmoid network made of it")
    axes[1].set(xlabel="x", ylabel="output", ylim=(-1.3, 1.8))
    for ax in axes:
        ax.legend()
    fresh = mm.MLP(1, 12, 1, activation="tanh")
    numbers = {
        "identity: largest difference": float(np.max(np.abs(left - right))),
        "networks: largest difference": float(np.max(np.abs(original - rewritten))),
        "there and back: largest difference": float(np.max(np.abs(original - back))),
        "fresh network at 1": float(
            mm.convert(mm.predict(fresh, fresh.init(seed=0), [[1.0]]), "numpy")[0, 0]
        ),
        "error of the fit": float(np.sqrt(np.mean((original - np.sin(2 * X[:, 0])) ** 2))),
    }
    return LessonResult(
        numbers,
        {key: picture for key, (picture, _) in panels.items()},
        f"The identity holds to {numbers['identity: largest difference']:.1e}; the rewritten network differs "
        f"by {numbers['networks: largest difference']:.1e}.",
    )
