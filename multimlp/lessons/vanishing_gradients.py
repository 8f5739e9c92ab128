"""Vanishing gradients."""

# %% [markdown]
# # Vanishing gradients
#
# The gradient reaches the first layer as a product over all layers after it:
#
# $$\frac{\partial L}{\partial \mathbf{h}_0} = \frac{\partial L}{\partial \mathbf{h}_L}
#   \prod_{l=L}^{1} \operatorname{diag}\bigl(\sigma'(\mathbf{z}_l)\bigr) \mathbf{W}_l^\top .$$
#
# With sigmoids each factor has $\sigma' \le 1/4$, and much less where units saturate, so that the product
# shrinks with the depth. ReLU has $\sigma' = 1$ wherever a unit is active; with weights of variance
# $2 / \text{fan-in}$ (He et al., 2015) the size of the product is kept.

# %%
from __future__ import annotations

import numpy as np

import multimlp as mm
from multimlp import plotting
from multimlp.backend import Backend
from multimlp.lessons import LessonResult, lesson
from multimlp.structure import GradientFlow, RecordGradientFlow, gradient_flow

SETTINGS = (
    ("sigmoid", "glorot_uniform"),
    ("tanh", "glorot_uniform"),
    ("relu", "glorot_uniform"),
    ("relu", "he_normal"),
)
DEPTHS = (2, 5, 10, 20)
WIDTH = 32


def data(rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved half moons."""
    generator = mm.random.host_generator(9)
    angle = generator.uniform(0, np.pi, rows)
    labels = np.arange(rows) % 2
    moons = np.stack([np.cos(angle) + labels * 1.0 - 0.5, np.sin(angle) * (1 - 2 * labels)], axis=1)
    return moons + generator.normal(0, 0.1, moons.shape), labels


# %% [markdown]
# `gradient_flow` gives the norm of the gradient in each layer, for any network and data of yours.


# %%
def flow(activation: str, init: str, depth: int) -> GradientFlow:
    """The gradients in a fresh network of that many hidden layers."""
    X, y = data()
    mlp = mm.MLP(2, [WIDTH] * depth, 2, activation=activation, kernel_init=init)
    return gradient_flow(mlp, mlp.init(seed=0), X, y)


# %% [markdown]
# Whether that matters shows in training: eight hidden layers, the same data, optimiser and number of epochs.
# `RecordGradientFlow` is the same diagnosis as a callback of `mm.fit`.


# %%
def trained(activation: str, init: str) -> tuple[list[float], RecordGradientFlow]:
    """The losses and the recorded gradients of training."""
    X, y = data()
    watch = RecordGradientFlow(X, y, every=20)
    mlp = mm.MLP(2, [16] * 8, 2, activation=activation, kernel_init=init)
    result = mm.fit(mlp, X, y, optimizer=mm.optimizers.sgd(0.1), epochs=60, batch_size=20, validation=None,
                    progress=False, callbacks=[watch])  # fmt: skip
    return result.history["loss"], watch


# %% [markdown]
# ## What to look at
#
# * Left: over 20 layers the sigmoid's gradient falls by many orders of magnitude; ReLU's with He's
#   initialisation stays level.
# * ReLU with Glorot's initialisation is level too, and a thousand times smaller: there it is the signal that
#   shrinks on its way forward.
# * Middle: the deeper, the worse, exponentially.
# * Right: the deep sigmoid network does not learn at all, its loss stays at $\log 2 \approx 0.693$, the
# loss of   a coin; the ReLU network of the same shape does.


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Gradients per layer over activation, initialiser and depth; and what training makes of it."""
    flows = {f"{act}, {init}": {d: flow(act, init, d) for d in DEPTHS} for act, init in SETTINGS}
    picture, axes = plotting.figure(1, 3, size=(12.5, 3.8))
    plotting.plot_gradient_flow({name: by_depth[20] for name, by_depth in flows.items()}, axes[0])
    axes[0].set_title("20 hidden layers")
    for (name, by_depth), marker in zip(flows.items(), "os^D", strict=True):
        axes[1].plot(
            DEPTHS, [one.ratio for one in by_depth.values()], marker=marker, markersize=4, label=name
        )
    axes[1].set(
        xlabel="hidden layers", ylabel="first layer's gradient / last layer's", yscale="log", xticks=DEPTHS
    )
    axes[1].legend()
    numbers = {f"first / last, 20 layers, {name}": by_depth[20].ratio for name, by_depth in flows.items()}
    for activation, init in (SETTINGS[0], SETTINGS[3]):
        loss, watch = trained(activation, init)
        axes[2].plot(range(1, len(loss) + 1), loss, label=f"{activation}, {init}")
        numbers[f"loss after training, {activation}"] = loss[-1]
        numbers[f"first / last after training, {activation}"] = watch.records[-1].ratio
    axes[2].set(xlabel="epoch", ylabel="loss", title="8 hidden layers, trained")
    axes[2].legend()
    return LessonResult(
        numbers,
        {"gradients": picture},
        "Of the last layer's gradient norm the first of 20 layers gets "
        f"{numbers['first / last, 20 layers, sigmoid, glorot_uniform']:.1e} with sigmoids and "
        f"{numbers['first / last, 20 layers, relu, he_normal']:.1e} with ReLU. Trained, 8 layers of sigmoids "
        f"end at a loss of {numbers['loss after training, sigmoid']:.3f}, of ReLU at "
        f"{numbers['loss after training, relu']:.3f}.",
    )
