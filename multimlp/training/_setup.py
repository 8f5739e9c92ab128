"""Setting up a run of `fit`: its arguments checked against each other, and everything moved to where training runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from multimlp import metrics as metric_table
from multimlp import random, tree
from multimlp.backend import Array, Backend, Target, owner
from multimlp.errors import CapabilityError, InputError, MultimlpError, ShapeError
from multimlp.errors.checks import check_choice, check_items, check_whole, refuse
from multimlp.losses import Loss
from multimlp.metrics import Metric
from multimlp.mlp import Model as Network
from multimlp.training._examples import Examples, check_rows
from multimlp.training._figures import metric_name
from multimlp.training._on_disk import OnDisk
from multimlp.training._orders import Ordering
from multimlp.training._rows import in_parts
from multimlp.training._sources import Batches, InMemory, Rows, Source, place
from multimlp.training.engines import Chunk
from multimlp.tree import Tree

Model = Network[Any] | Callable[..., Array]
_ROWS_TRIED, _KEYS_TRIED = 32, 3


def check_batches(batch_size: Any, last_batch: Any) -> int | None:
    """The batch size; `InputError` for what cannot say how an epoch goes through the rows; a batch size of None is all of them at once."""
    check_choice("last_batch", last_batch, ("keep", "drop"))
    if batch_size is None:
        return None
    try:
        return check_whole("batch_size", batch_size, low=1)
    except InputError:
        raise refuse("batch_size", "a positive integer or None", batch_size) from None


def check_stream(last_batch: str, optimizer: Any) -> None:
    """`InputError` for what batches of the user's cannot be: left out by their size, or all data at once."""
    if last_batch == "drop":
        raise InputError(
            "last_batch: 'drop' leaves out rows that make no whole batch, and batches come as they are; leave small ones out where they "
            "are made"
        )
    if optimizer.full_batch:
        raise InputError(
            f"optimizer: {optimizer.name!r} needs all data in memory at once, and X is batches; give arrays, or take a first-order "
            "optimizer such as 'adam'"
        )


def check_compile(compile: Any, backend: Backend) -> None:  # noqa: A002 - as in `fit`
    """``"numba"`` is an engine's and for it to refuse; `CapabilityError` for what is no compiler of the backend's either."""
    if not (isinstance(compile, str) and compile == "numba"):
        backend.check_compiler(compile, "compile")


def default_figures(loss: Loss, model: Any) -> list[Any]:
    """The metrics that a loss brings; where its outputs are decisions of their own, of each of them."""
    several = loss.decides in ("binary", "sign") and (getattr(model, "out_features", None) or 1) > 1
    return [metric_table.with_options(name, each=True) if several else name for name in loss.default_metrics]


def check_metrics(metrics: Any) -> list[Any]:
    """The metrics to report, each a name or a callable; `InputError` for anything else, and for two of one name, before training."""
    found = check_items("metrics", metrics, "of names or callables")
    names = ["loss", *map(metric_name, found)]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"metrics: two figures would be called {f'val_{name}'!r}; give one as a function (outputs, targets) of another name"
            )
    return found


def source_and_rows(
    mlp: Model,
    loss: Loss,
    examples: Examples,
    target: Target,
    batch_size: int | None,
    shuffle: bool,
    drop_last: bool,
    seed: int,
) -> tuple[Source, Rows, Rows | None]:
    """The training data on the device, rows of it as they were given (of a stream the first batch), and what to validate on."""

    def put(X: Array, y: Array, weights: Array | None = None) -> Chunk:
        return place(target, loss, X, y, weights)

    features = getattr(mlp, "in_features", None)

    def check(batch: Rows, where: str) -> None:
        check_rows(*batch, features, where)
        if isinstance(mlp, Network) and mlp.out_features is not None:
            _check_targets(loss, mlp.out_features, batch[1], where)

    if examples.streamed:
        batches = Batches(examples.X, put, check)
        return batches, batches.example, examples.validation_rows(features, batches.layout)
    rows, left_out, held = examples.split(features, seed)
    count = int(rows[0].shape[0]) - len(left_out)
    ordering = Ordering(seed, count if batch_size is None else min(batch_size, count), shuffle, drop_last)
    if isinstance(rows[0], np.memmap):
        return OnDisk(*rows, left_out, ordering, put), rows, held
    return InMemory(put(*rows), ordering), rows, held


def initial_params(mlp: Model, params: Tree | None, seed: int, target: Target) -> Tree:
    """Where training starts: the parameters given, moved, or the model's own."""
    if isinstance(mlp, Network):
        if params is None:
            return mlp.init(seed, target.backend, target.dtype, target.device)
        mlp.check_params(params)

    def move(leaf: Any) -> Array:
        library = owner(leaf)
        values = leaf if library is target.backend else library.to_numpy(leaf)
        return target.backend.asarray(values, dtype=target.dtype, device=target.device)

    return tree.map(move, params)


def check_outputs(
    mlp: Model,
    params: Tree,
    loss: Loss,
    rows: Rows,
    held: Rows | None,
    target: Target,
    metrics: Sequence[Any],
) -> None:
    """A row or two through model and loss, and their own checks, and the metrics', on all targets, so that errors come before training."""
    X, y, _ = rows
    few = min(2, int(y.shape[0]))
    width = getattr(mlp, "out_features", None) if isinstance(mlp, Network) else None
    if width is None or not loss.is_known:
        chunk = place(target, loss, X[:few], y[:few])
        with target.backend.scope_of(chunk.inputs):
            outputs = mlp(params, chunk.inputs)
            width = int(outputs.shape[-1])
            if not loss.is_known:
                _check_losses(loss, tuple(outputs.shape), loss(outputs, chunk.targets))
    _check_targets(loss, width, y, "")
    if held is not None:
        rules: list[Loss | Metric] = [loss, *map(metric_table.get, metrics)]
        for rule in rules:
            _check_targets(rule, width, held[1], "validation ")


def check_rows_apart(mlp: Model, params: Tree, loss: Loss, rows: Rows, target: Target) -> None:
    """`CapabilityError` for a model, an activation or a loss of the user's own in which a row's loss hangs on the other rows or on numbers
    drawn for the batch, so that a batch cannot be cut."""
    if isinstance(mlp, Network) and mlp.rows_apart and loss.is_known:
        return
    backend = target.backend
    few = min(_ROWS_TRIED, int(rows[1].shape[0]))
    chunk = place(target, loss, rows[0][:few], rows[1][:few])
    draw = random.host_generator(0, "rows apart").normal
    moved = (
        tree.map(  # parameters that are all alike, as at many a start, hide what a model does with its inputs
            lambda p: (
                p + backend.asarray(draw(size=tuple(p.shape)), dtype=target.dtype, device=target.device)
            ),
            params,
        )
    )

    def figures(rows: slice, key: int) -> tuple[np.ndarray, np.ndarray]:
        keys = {} if isinstance(mlp, Network) else {"key": random.key(key, like=chunk.inputs)}
        outputs = mlp(moved, chunk.inputs[rows, :], **keys)
        losses = loss(outputs, chunk.targets[rows, ...])
        return np.array(backend.to_numpy(outputs)), np.array(backend.to_numpy(losses))

    everything = slice(0, few)
    with backend.scope_of(chunk.inputs):
        outputs, losses = whole = figures(everything, 0)
        others = [figures(everything, key) for key in range(1, _KEYS_TRIED)]
        halves = [figures(half, 0) for half in (slice(0, few // 2), slice(few // 2, few)) if few > 1]
    if not all(
        np.array_equal(a, b, equal_nan=True) for other in others for a, b in zip(whole, other, strict=True)
    ):
        raise CapabilityError(
            "devices, shards: the model draws random numbers for a batch, which its rows cannot be given apart; dropout by MLP(dropout=) "
            "can, or train on one device without shards"
        )
    if halves:
        joined = (
            np.concatenate(parts, axis=axis)
            for parts, axis in zip(zip(*halves, strict=True), (-2, -1), strict=True)
        )
        if not all(
            np.allclose(a, b, 1e-3, 1e-5, equal_nan=True)
            for a, b in zip(joined, (outputs, losses), strict=True)
        ):
            raise CapabilityError(
                "devices, shards: in this model or loss an example's loss depends on the other rows of its batch, so that the batch cannot "
                "be cut; train on one device without shards"
            )


def _check_losses(loss: Loss, outputs: tuple[int, ...], losses: Any) -> None:
    found = tuple(getattr(losses, "shape", ())) if hasattr(losses, "shape") else type(losses).__name__
    if found != outputs[:-1]:
        raise ShapeError(
            f"loss: {loss.name} must give one number an example, shape {outputs[:-1]} for outputs {outputs}, got {found}"
        )


def _check_targets(rule: Loss | Metric, width: int, y: Array, where: str) -> None:
    try:
        for part in in_parts(y):
            rule.validate((int(part.shape[0]), width), part)
    except MultimlpError as error:
        if not where:
            raise
        raise type(error)(f"{where}{error}") from None


def check_regularizer(regularizer: Any, params: Tree, members: int | None, target: Target) -> None:
    """`ShapeError` unless the penalty is one number, or one a member."""
    if regularizer is None:
        return
    with target.backend.scope_of(*tree.leaves(params)):
        penalty = regularizer(params)
    found = tuple(penalty.shape) if hasattr(penalty, "shape") else None
    if found != () and (members is None or found != (members,)):
        allowed = "()" if members is None else f"() or ({members},)"
        got = f"shape {found}" if found is not None else f"{penalty!r} of type {type(penalty).__name__}"
        raise ShapeError(f"regularizer: expected an array of shape {allowed}, got {got}")
