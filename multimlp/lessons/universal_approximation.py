"""Universal approximation: the numbers and pictures. What is read is in universal_approximation.md."""

# %%
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import multimlp as mm
from multimlp import plotting
from multimlp.backend import Backend
from multimlp.lessons import LessonResult, array, lesson

WIDTHS = (2, 4, 8, 16, 32, 64, 128, 256, 512)
DEPTHS = (1, 2, 3, 4)
PARAMETERS = 1500


def curve(x: np.ndarray) -> np.ndarray:
    """A target with slow and fast parts."""
    return np.sin(3 * x) + 0.4 * np.sin(13 * x) * (x > 0)


def picture(places: np.ndarray) -> np.ndarray:
    """Grey values of a picture, at places in the square [-1, 1]^2: a disc, a bar and a slope."""
    x, y = places[:, 0], places[:, 1]
    disc = 1 / (1 + np.exp(25 * (np.hypot(x + 0.3, y - 0.2) - 0.4)))
    bar = 1 / (1 + np.exp(25 * (np.abs(x - y - 0.9) - 0.2)))
    return np.clip(disc + 0.7 * bar + 0.15 * (y + 1), 0, 1.2)[:, None]


def fitted(X: np.ndarray, y: np.ndarray, hidden: list[int], epochs: int) -> np.ndarray:
    """What a ReLU network of these hidden layers learns to answer at X."""
    spread = {"name": "uniform", "options": {"scale": 1.0}}
    mlp = mm.MLP(X.shape[1], hidden, 1, kernel_init="he_normal", bias_init=spread)
    rate = mm.schedules.cosine(0.01, steps=epochs * (len(X) // 64))
    result = mm.fit(mlp, X, y, loss="mse", optimizer=mm.optimizers.adam(rate), epochs=epochs, batch_size=64,
                    validation=None, progress=False)  # fmt: skip
    return mm.convert(mm.predict(mlp, result.params, X), "numpy")


def error(got: np.ndarray, wanted: np.ndarray) -> float:
    """Root mean square error."""
    return float(np.sqrt(np.mean((got - wanted) ** 2)))


# %%
def interpolation_error(units: int) -> float:
    """How far the network that joins points of sin(3 x) by straight lines is from it, its weights written down."""
    knots = np.linspace(-1, 1, units + 1)
    slopes = np.diff(np.sin(3 * knots)) / np.diff(knots)
    first = mm.Dense(array(np.ones((1, units))), array(-knots[:-1]))
    second = mm.Dense(array(np.diff(slopes, prepend=0)[:, None]), array(np.sin(3 * knots[:1])))
    x = np.linspace(-1, 1, 1001)[:, None]
    got = mm.convert(mm.predict(mm.MLP(1, units, 1), (first, second), x), "numpy")
    return float(np.max(np.abs(got - np.sin(3 * x))))


def width_for(depth: int, parameters: int = PARAMETERS) -> int:
    """The width whose number of parameters is nearest."""
    counts = {
        w: abs(mm.MLP(1, [w] * depth, 1).num_parameters - parameters) for w in range(2, parameters // 3)
    }
    return min(counts, key=counts.__getitem__)


# %%
@lesson
def run(backend: Backend, widths: Sequence[int] = WIDTHS, depths: Sequence[int] = DEPTHS) -> LessonResult:
    """Fit a curve with growing width and depth, and a picture with a narrow and a wide network."""
    X = np.linspace(-1, 1, 256)[:, None]
    y = curve(X)
    by_width = {width: fitted(X, y, [width], epochs=400) for width in widths}
    width_errors = {width: error(got, y) for width, got in by_width.items()}
    depth_errors = {depth: error(fitted(X, y, [width_for(depth)] * depth, epochs=400), y) for depth in depths}

    panels = {key: plotting.figure(size=(4.2, 3.2)) for key in ("curve", "widths", "depths")}
    axes = [ax for _, ax in panels.values()]
    axes[0].plot(X, y, color="0.75", linewidth=5, linestyle="-", label="target")
    for width in (widths[0], widths[len(widths) // 2], widths[-1]):
        axes[0].plot(X, by_width[width], label=f"{width} units")
    axes[0].set(xlabel="x", ylabel="output")
    axes[0].legend()
    axes[1].plot(widths, list(width_errors.values()), marker="o")
    axes[1].set(
        xlabel="width of one hidden layer", ylabel="root mean square error", xscale="log", yscale="log"
    )
    axes[2].bar(
        [str(depth) for depth in depths],
        list(depth_errors.values()),
        color="0.6",
        edgecolor="black",
        hatch="//",
    )
    axes[2].set(xlabel=f"hidden layers, about {PARAMETERS} parameters", ylabel="root mean square error")

    side = np.linspace(-1, 1, 32)
    places = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    wanted = picture(places)
    shown = {"target": wanted, "8 units": fitted(places, wanted, [8], epochs=60),
             "2 layers of 64": fitted(places, wanted, [64, 64], epochs=60)}  # fmt: skip
    images, axes = plotting.figure(1, 3, size=(4.4, 1.9))
    for ax, (name, values) in zip(axes, shown.items(), strict=True):
        ax.imshow(
            values.reshape(32, 32), cmap="gray", vmin=0, vmax=1.2, extent=(-1, 1, -1, 1), origin="lower"
        )
        ax.set(title=name, xticks=(), yticks=())
        ax.grid(False)
    return LessonResult(
        {
            **{f"error, width {width}": value for width, value in width_errors.items()},
            **{f"error, depth {depth}": value for depth, value in depth_errors.items()},
            "error without training, 64 units": interpolation_error(64),
            "picture: error, narrow": error(shown["8 units"], wanted),
            "picture: error, wide": error(shown["2 layers of 64"], wanted),
        },
        {**{key: drawn for key, (drawn, _) in panels.items()}, "picture": images},
        f"The error falls from {width_errors[widths[0]]:.3f} with {widths[0]} units to "
        f"{width_errors[widths[-1]]:.4f} with {widths[-1]}. At about {PARAMETERS} parameters it is "
        + ", ".join(f"{value:.4f} with {depth}" for depth, value in depth_errors.items())
        + " hidden layers.",
    )
