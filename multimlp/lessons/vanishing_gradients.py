"""Vanishing gradients: the numbers and pictures. What is read is in vanishing_gradients.md."""

# %%
from __future__ import annotations

from typing import Any

import numpy as np

import multimlp as mm
from multimlp import plotting
from multimlp.backend import Backend
from multimlp.lessons import LessonResult, array, lesson
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


# %%
def slope_of_a_chain(length: int) -> float:
    """The derivative of that many sigmoids, each applied to the last one's value, at 0.5."""

    def chain(x: Any) -> Any:
        for _ in range(length):
            x = mm.activations.sigmoid(x)
        return x

    return float(mm.convert(mm.grad(chain)(array(0.5)), "numpy"))


def flow(activation: str, init: str, depth: int) -> GradientFlow:
    """The gradients in a fresh network of that many hidden layers."""
    X, y = data()
    mlp = mm.MLP(2, [WIDTH] * depth, 2, activation=activation, kernel_init=init)
    return gradient_flow(mlp, mlp.init(seed=0), X, y)


# %%
def trained(activation: str, init: str) -> tuple[list[float], RecordGradientFlow]:
    """The losses and the recorded gradients of training."""
    X, y = data()
    watch = RecordGradientFlow(X, y, every=20)
    mlp = mm.MLP(2, [16] * 8, 2, activation=activation, kernel_init=init)
    result = mm.fit(mlp, X, y, optimizer=mm.optimizers.sgd(0.1), epochs=60, batch_size=20, validation=None,
                    progress=False, callbacks=[watch])  # fmt: skip
    return result.history["loss"], watch


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Gradients per layer over activation, initialiser and depth; and what training makes of it."""
    flows = {f"{act}, {init}": {d: flow(act, init, d) for d in DEPTHS} for act, init in SETTINGS}
    panels = {key: plotting.figure(size=(4.2, 3.3)) for key in ("layers", "depths", "losses", "ratios")}
    by_layer, by_number, losses, ratios = (ax for _, ax in panels.values())
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
    numbers["derivative of 20 sigmoids in a row"] = slope_of_a_chain(20)
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
        {key: picture for key, (picture, _) in panels.items()},
        "In a fresh network of 20 hidden layers the first layer's gradient is "
        f"{numbers['first / last, 20 layers, sigmoid, glorot_uniform']:.1e} times the last layer's with sigmoids and "
        f"{numbers['first / last, 20 layers, relu, he_normal']:.1f} times with ReLU. Training ends at a loss of "
        f"{numbers['loss after training, sigmoid']:.3f} with 8 hidden layers of sigmoids and of "
        f"{numbers['loss after training, relu']:.1e} with ReLU.",
    )
