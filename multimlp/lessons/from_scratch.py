"""An MLP from scratch, and concisely."""

# %% [markdown]
# # An MLP from scratch, and concisely
#
# The next step of *Dive into Deep Learning* (section 5.2): the same network and the same training, once with
# raw parameters and once with the library. The text's network is 784-256-10 on Fashion-MNIST. Here it is
# 64-256-10 on the digits that scikit-learn brings along; with the four files of Fashion-MNIST at hand,
# `run(data="fashion_mnist", folder=...)` is the text's own.
#
# $$\mathbf{H} = \mathrm{ReLU}(\mathbf{X} \mathbf{W}_1 + \mathbf{b}_1), \quad
#   \mathbf{O} = \mathbf{H} \mathbf{W}_2 + \mathbf{b}_2, \quad
#   L = -\frac{1}{n} \sum_i \log \frac{\exp o_{i y_i}}{\sum_k \exp o_{ik}}, \quad
#   \mathbf{W} \leftarrow \mathbf{W} - \eta \frac{\partial L}{\partial \mathbf{W}} .$$

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


# %% [markdown]
# ## From scratch
#
# The formulas, on arrays of any library: `xp` is the arrays' own namespace.


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


# %% [markdown]
# ## Concisely


# %%
def train_concisely(
    mlp: mm.MLP, X: np.ndarray, y: np.ndarray, test: tuple[np.ndarray, np.ndarray], epochs: int
) -> mm.FitResult:
    return mm.fit(mlp, X, y, loss="cross_entropy", optimizer=mm.optimizers.sgd(RATE), epochs=epochs,
                  batch_size=BATCH, validation=test, seed=0, progress=False)  # fmt: skip


# %% [markdown]
# ## What to look at
#
# * The two start from the same parameters and see the same batches in the same order, so they end with the
#   same parameters: the library does nothing else than the formulas.
# * Training loss falls throughout; the accuracy on digits that were not trained on levels off.


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
    picture, ax = plotting.figure(size=(6.4, 3.8))
    plotting.plot_history({key: history[key] for key in ("loss", "val_loss", "val_accuracy")}, ax)
    ax.plot(range(1, epochs + 1), losses, "o", markersize=4, fillstyle="none", color="black")
    ax.set_title(f"{mlp.in_features}-{HIDDEN}-10 on {data}; circles: from scratch")
    return LessonResult(
        {
            "accuracy from scratch": float(np.mean(right)),
            "accuracy concisely": concise.history["val_accuracy"][-1],
            "first loss": losses[0],
            "last loss": losses[-1],
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
