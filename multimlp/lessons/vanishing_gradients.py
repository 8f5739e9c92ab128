"""Vanishing gradients."""

# %% [markdown]
# # Vanishing gradients
#
# The gradient reaches the first layer as a product over all layers after it:
#
# $$\frac{\partial L}{\partial \mathbf{h}_0} = \frac{\partial L}{\partial \mathbf{h}_L}
#   \prod_{l=L}^{1} \mathrm{diag}\bigl(\sigma'(\mathbf{z}_l)\bigr) \mathbf{W}_l^\top .$$
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
# * Top left: over 20 layers the sigmoid's gradient falls by many orders of magnitude; ReLU's with He's
#   initialisation stays level.
# * ReLU with Glorot's initialisation is level too, and a thousand times smaller: there it is the signal that
#   shrinks on its way forward.
# * Top right: the deeper, the worse, exponentially.
# * Bottom: the deep sigmoid network does not learn at all, its loss stays at $\log 2 \approx 0.693$, the
#   loss of a coin; the ReLU network of the same shape does. The gradient of the sigmoid network's first layer stays
#   below a thousandth of its last layer's.


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Gradients per layer over activation, initialiser and depth; and what training makes of it."""
    flows = {f"{act}, {init}": {d: flow(act, init, d) for d in DEPTHS} for act, init in SETTINGS}
    picture, axes = plotting.figure(2, 2, size=(9.0, 6.8))
    by_layer, by_number, losses, ratios = axes.flat
    plotting.plot_gradient_flow({name: by_depth[20] for name, by_depth in flows.items()}, by_layer)
    by_layer.set_title("20 hidden layers")
    for (name, by_depth), marker in zip(flows.items(), "os^D", strict=True):
        by_number.plot(
            DEPTHS, [one.ratio for one in by_depth.values()], marker=marker, markersize=4, label=name
        )
    by_number.set(
        xlabel="hidden layers", ylabel="first layer's gradient / last layer's", yscale="log", xticks=DEPTHS
    )
    by_number.legend()
    numbers = {f"first / last, 20 layers, {name}": by_depth[20].ratio for name, by_depth in flows.items()}
    for activation, init in (SETTINGS[0], SETTINGS[3]):
        loss, watch = trained(activation, init)
        losses.plot(range(1, len(loss) + 1), loss, label=f"{activation}, {init}")
        ratios.plot(
            watch.epochs, [one.ratio for one in watch.records], marker="o", markersize=4,
            label=f"{activation}, {init}",
        )  # fmt: skip
        numbers[f"loss after training, {activation}"] = loss[-1]
        numbers[f"first / last after training, {activation}"] = watch.records[-1].ratio
    losses.set(xlabel="epoch", ylabel="loss", title="8 hidden layers, trained")
    ratios.set(
        xlabel="epoch", ylabel="first layer's gradient / last layer's", yscale="log",
        title="8 hidden layers, trained",
    )  # fmt: skip
    losses.legend()
    ratios.legend()
    return LessonResult(
        numbers,
        {"gradients": picture},
        "Of the last layer's gradient norm the first of 20 layers gets "
        f"{numbers['first / last, 20 layers, sigmoid, glorot_uniform']:.1e} with sigmoids and "
        f"{numbers['first / last, 20 layers, relu, he_normal']:.1e} with ReLU. Trained, 8 layers of sigmoids "
        f"end at a loss of {numbers['loss after training, sigmoid']:.3f}, of ReLU at "
        f"{numbers['loss after training, relu']:.3f}.",
    )
