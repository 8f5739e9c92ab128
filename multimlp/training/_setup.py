"""Setting up a run of `fit`: its arguments checked against each other, and everything moved to where training runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Array, Target, owner
from multimlp.errors import InputError
from multimlp.losses import Loss
from multimlp.mlp import MLP
from multimlp.training._examples import Examples, Pair
from multimlp.training._sources import Batches, InMemory, OnDisk, Ordering, Rows, Source, place
from multimlp.training.engines import Chunk
from multimlp.tree import Tree

Model = MLP | Callable[..., Array]


def check_batches(batch_size: Any, last_batch: Any) -> None:
    """`InputError` for what cannot say how an epoch goes through the rows; a batch size of None is all of them at once."""
    if last_batch not in ("keep", "drop"):
        raise InputError(f"last_batch: expected 'keep' or 'drop', got {last_batch!r}")
    if batch_size is None:
        return
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise InputError(f"batch_size: expected a positive integer or None, got {batch_size!r}")


def source_and_rows(
    mlp: Model,
    loss: Loss,
    examples: Examples,
    target: Target,
    batch_size: int | None,
    shuffle: bool,
    drop_last: bool,
    seed: int,
) -> tuple[Source, Rows, Pair | None]:
    """The training data on the device, rows of it as they were given (of a stream the first batch), and what to validate on."""

    def put(X: Array, y: Array, weights: Array | None) -> Chunk:
        return place(target, loss, X, y, weights)

    if examples.streamed:
        batches = Batches(examples.X, put)
        return batches, batches.example, examples.validation_pair()
    rows, held = examples.split(getattr(mlp, "in_features", None), seed)
    count = int(rows[0].shape[0])
    ordering = Ordering(
        seed, count if batch_size is None else min(int(batch_size), count), shuffle, drop_last
    )
    if isinstance(rows[0], np.memmap):
        return OnDisk(*rows, ordering, put), rows, held
    return InMemory(put(*rows), ordering), rows, held


def initial_params(mlp: Model, params: Tree | None, seed: int, target: Target) -> Tree:
    """Where training starts: the parameters given, moved, or the model's own."""
    if isinstance(mlp, MLP):
        if params is None:
            return mlp.init(seed, target.backend, target.dtype, target.device)
        mlp.check_params(params)

    def move(leaf: Any) -> Array:
        library = owner(leaf)
        values = leaf if library is target.backend else library.to_numpy(leaf)
        return target.backend.asarray(values, dtype=target.dtype, device=target.device)

    return tree.map(move, params)


def check_outputs(mlp: Model, params: Tree, loss: Loss, rows: Rows, target: Target) -> None:
    """One row through the model and the loss's own checks on all targets, so that errors come before training."""
    X, y, _ = rows
    count = int(y.shape[0])
    if isinstance(mlp, MLP):
        shape: tuple[int, ...] = (count, mlp.out_features)
    else:
        chunk = place(target, loss, X[:1], y[:1])
        with target.backend.scope_of(chunk.inputs):
            shape = (count, *tuple(mlp(params, chunk.inputs).shape)[-1:])
    loss.validate(shape, y)
