"""A sweep of many small blocks, for tests that kill it."""

from __future__ import annotations

import sys

import numpy as np

import multimlp as mm


def long_sweep(folder, devices=None):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 4)), rng.integers(0, 2, 200)
    grid = {"seed": range(20), "learning_rate": [0.1, 0.01]}
    given = {"epochs": 30, "batch_size": 8, "dtype": "float64", "progress": False, "backend": "numpy"}
    return mm.sweep(
        mm.MLP(4, 3, 2),
        grid,
        X,
        y,
        devices,
        checkpoint=folder,
        members_per_program=1,
        compile="none",
        **given,
    )


if __name__ == "__main__":
    long_sweep(sys.argv[1])
