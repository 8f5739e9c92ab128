"""An MLP from scratch, and concisely: the numbers and pictures. What is read is in from_scratch.md."""

# %%
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import multimlp as mm
from multimlp import data as datasets
from multimlp import plotting
from multimlp.backend import Backend
from multimlp.lessons import LessonResult, array, lesson

HIDDEN, BATCH, RATE = 256, 64, 0.2


# %%
def relu(X: Any) -> Any:
    xp = mm.array_namespace(X)
    return xp.where(X <= 0, xp.zeros_like(X), X)


def net(params: list[Any], X: Any) -> Any:
    W1, b1, W2, b2 = params
    xp = mm.array_namespace(X, W1)
    return xp.matmul(relu(xp.matmul(X, W1) + b1), W2) + b2


def mean_cross_entropy(params: list[Any], X: Any, one_hot: Any) -> Any:
    outputs = net(params, X)
    xp = mm.array_namespace(outputs)
    outputs = outputs - mm.stop_gradient(xp.max(outputs, axis=1, keepdims=True))
    log_sum = xp.log(xp.sum(xp.exp(outputs), axis=1))
    return xp.mean(log_sum - xp.sum(outputs * one_hot, axis=1))


def train_from_scratch(
    params: list[Any], X: np.ndarray, y: np.ndarray, epochs: int
) -> tuple[list[Any], list[float]]:
    """Mini-batch stochastic gradient descent; the loss of each epoch is its batches' mean."""
    step = mm.jit(mm.value_and_grad(mean_cross_entropy))
    one_hot = np.eye(10)[y]
    losses = []
    for epoch in range(epochs):
        order = mm.random.host_permutation(0, epoch, len(X))
        total = 0.0
        for start in range(0, len(X), BATCH):
            rows = order[start : start + BATCH]
            batch = array(X[rows]), array(one_hot[rows])
            loss, gradients = step(params, *batch)
            params = [p - RATE * g for p, g in zip(params, gradients, strict=True)]
            total += float(loss) * len(rows)
        losses.append(total / len(X))
    return params, losses


# %%
def train_concisely(
    mlp: mm.MLP, X: np.ndarray, y: np.ndarray, test: tuple[np.ndarray, np.ndarray], epochs: int
) -> mm.FitResult:
    return mm.fit(mlp, X, y, loss="cross_entropy", optimizer=mm.optimizers.sgd(RATE), epochs=epochs,
                  batch_size=BATCH, validation=test, seed=0, progress=False)  # fmt: skip


def xor_loss(epochs: int = 100) -> float:
    """The last of the losses while a small network learns exclusive or, all four examples at once."""
    corners, exclusive = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [[0.0], [1.0], [1.0], [0.0]]
    mlp = mm.MLP(2, 8, 1, activation="tanh")
    result = mm.fit(mlp, corners, exclusive, loss="mse", optimizer=mm.optimizers.sgd(0.2), epochs=epochs,
                    batch_size=None, validation=None, progress=False)  # fmt: skip
    return result.history["loss"][-1]


# %%
@lesson
def run(
    backend: Backend, data: str = "digits", folder: str | Path | None = None, epochs: int = 15
) -> LessonResult:
    """Train both, and compare."""
    train, test = datasets.split(datasets.load(data, folder), seed=0)
    scale = float(train.X.max())
    X, test_X = train.X / scale, test.X / scale
    mlp = mm.MLP(X.shape[1], HIDDEN, 10)
    start = mlp.init(seed=0)
    concise = train_concisely(mlp, X, train.y, (test_X, test.y), epochs)
    scratch, losses = train_from_scratch(mm.tree.leaves(start), X, train.y, epochs)

    host = [mm.convert(array, "numpy") for array in scratch]
    difference = max(
        float(np.max(np.abs(mine - mm.convert(theirs, "numpy"))))
        for mine, theirs in zip(host, mm.tree.leaves(concise.params), strict=True)
    )
    right = np.argmax(net(host, test_X.astype(host[0].dtype)), axis=1) == test.y
    history = {**concise.history, "loss from scratch": losses}
    picture, ax = plotting.figure(size=(4.4, 3.4))
    plotting.plot_history({key: history[key] for key in ("loss", "val_loss", "val_accuracy")}, ax)
    ax.plot(range(1, epochs + 1), losses, "o", markersize=4, fillstyle="none", color="black")
    ax.set_title(f"{mlp.in_features}-{HIDDEN}-10 on {data}; circles: from scratch")
    return LessonResult(
        {
            "accuracy from scratch": float(np.mean(right)),
            "accuracy concisely": concise.history["val_accuracy"][-1],
            "first loss": losses[0],
            "last loss": losses[-1],
            "XOR: loss of epoch 100": xor_loss(),
            "largest difference of a loss": float(
                np.max(np.abs(np.asarray(losses) - concise.history["loss"]))
            ),
            "largest difference of a parameter": difference,
        },
        {"history": picture},
        f"After {epochs} epochs {float(np.mean(right)):.1%} of the test digits are right, from scratch and "
        f"concisely ({concise.history['val_accuracy'][-1]:.1%}); no parameter differs by more than "
        f"{difference:.1e}.",
    )
