"""A nonlinearity over the mini-batch: the numbers and pictures. What is read is in batch_nonlinearity.md."""

# %%
from __future__ import annotations

from typing import Any

import numpy as np

import multimlp as mm
from multimlp import plotting
from multimlp.backend import Backend
from multimlp.lessons import LessonResult, array, lesson

BATCH = 50


def over_the_batch(H: Any) -> Any:
    """Batch normalisation: standardise each unit over the rows."""
    xp = mm.array_namespace(H)
    mean = xp.mean(H, axis=-2, keepdims=True)
    centred = H - mean
    return centred / xp.sqrt(xp.mean(centred * centred, axis=-2, keepdims=True) + 1e-5)


def clouds(rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of points that overlap a little."""
    labels = np.arange(rows) % 2
    noise = mm.random.host_generator(10).normal(size=(rows, 2))
    return noise + 2.4 * labels[:, None] - 1.2, labels


# %%
def accuracy(mlp: mm.MLP, params: Any, X: np.ndarray, y: np.ndarray, size: int) -> float:
    """The share that is right when examples come in this order in batches of this size."""
    right = 0
    for start in range(0, len(X), size):
        rows = array(X[start : start + size])
        outputs = mm.convert(mlp(params, rows), "numpy")
        right += int(np.sum(np.argmax(outputs, axis=1) == y[start : start + size]))
    return right / len(X)


def influence(mlp: mm.MLP, params: Any, X: np.ndarray) -> np.ndarray:
    """How much the first example's outputs change with each example's inputs: the norm of the Jacobian."""
    rows = array(X)
    jacobian = mm.jacobian(lambda points: mlp(params, points)[0, :])(rows)
    return np.linalg.norm(mm.convert(jacobian, "numpy"), axis=(0, 2))


# %%
@lesson
def run(backend: Backend) -> LessonResult:
    """Train with BN in place of an activation, and look at its answers in different company."""
    X, y = clouds()
    mlp = mm.MLP(2, 16, 2, activation=over_the_batch)
    fitted = mm.fit(mlp, X, y, optimizer=mm.optimizers.adam(0.02), epochs=20, batch_size=BATCH,
                    validation=None, progress=False)  # fmt: skip
    relu = mm.MLP(2, 16, 2, activation="relu")
    by_class = np.argsort(y, kind="stable")
    accuracies = {
        "shuffled batches": accuracy(mlp, fitted.params, X, y, BATCH),
        "batches of one class": accuracy(mlp, fitted.params, X[by_class], y[by_class], BATCH),
        "batches of one": accuracy(mlp, fitted.params, X, y, 1),
    }
    batch = X[:BATCH]  # rows 1 to 49 are moved away below, row 0 stays
    outputs = mm.convert(mlp(fitted.params, array(batch)), "numpy")
    moved = np.concatenate([batch[:1], batch[1:] + 3.0])
    elsewhere = mm.convert(mlp(fitted.params, array(moved)), "numpy")
    change = float(np.max(np.abs(outputs[0] - elsewhere[0])))
    features = np.concatenate([batch, np.ones((BATCH, 1))], axis=1)
    affine = features @ np.linalg.lstsq(features, outputs, rcond=None)[0]
    of_bn = influence(mlp, fitted.params, batch[:12])
    three = mm.grad(lambda H: over_the_batch(H)[0, 0])(array([[-1.0], [0.5], [2.0]]))
    of_relu = influence(relu, relu.init(seed=0), batch[:12])

    panels = {key: plotting.figure(size=(4.2, 3.3)) for key in ("influence", "accuracy")}
    axes = [ax for _, ax in panels.values()]
    places = np.arange(1, 13)
    axes[0].bar(
        places - 0.2, of_bn, 0.4, color="0.3", edgecolor="black", label="BN in place of an activation"
    )
    axes[0].bar(places + 0.2, of_relu, 0.4, color="0.9", edgecolor="black", hatch="///", label="ReLU")
    axes[0].set(xlabel="example in the batch", ylabel="influence on the output for example 1", xticks=places)
    axes[0].legend()
    axes[1].bar(list(accuracies), list(accuracies.values()), color="0.6", edgecolor="black")
    axes[1].axhline(0.5, color="black", linestyle="--", linewidth=1, label="a coin")
    axes[1].set(ylabel="accuracy", ylim=(0, 1.05))
    axes[1].legend()
    return LessonResult(
        {
            **{f"accuracy, {name}": value for name, value in accuracies.items()},
            "same example, other company: change of output": change,
            "influence of the others, BN": float(of_bn[1:].max()),
            "influence of the others, ReLU": float(of_relu[1:].max()),
            "influence of the third of three numbers": float(mm.convert(three, "numpy")[2, 0]),
            "distance from an affine map of the batch": float(np.max(np.abs(outputs - affine))),
        },
        {key: picture for key, (picture, _) in panels.items()},
        "Of the examples the network classifies rightly "
        + ", ".join(f"{value:.0%} in {name}" for name, value in accuracies.items())
        + f". The first example's output changes by {change:.2f} when only the others of its batch do.",
    )
