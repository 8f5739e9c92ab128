"""What a checkpoint must agree on with the run that goes on from it: all that decides the course of training, and nothing else.

The backend and the device are not among it, nor is the library that the data come in, nor their dtype: what counts is their values in
the dtype of training. On another backend a run goes on with the same numbers up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from multimlp.callbacks import Callback
from multimlp.errors import InputError
from multimlp.errors.checks import refuse
from multimlp.losses import Loss
from multimlp.training._described import described, mark, mark_tree
from multimlp.training._examples import Examples
from multimlp.training._sources import Rows, target_dtype
from multimlp.training.engines import Problem, master_dtype
from multimlp.tree import Tree


def settings_of(
    problem: Problem,
    start: Tree,
    examples: Examples,
    held: Rows | None,
    metrics: Sequence[Any],
    callbacks: Sequence[Callback],
    shuffle: bool | str,
    last_batch: str,
    described: Callable[[Any], Any] = described,
    **more: Any,
) -> dict[str, Any]:
    """By the names of the arguments of `fit`, as plain values; ``held`` is what is validated on, already checked.

    ``shuffle`` says more of the order of rows than whether they are shuffled, where there is more to say. How many processes share the
    work is not among them, unlike the shards that batches are cut into.
    """
    group = problem.group
    return {
        **more,
        "mlp": described(problem.model),
        "loss": described(problem.loss),
        "optimizer": described(problem.optimizer),
        "seed": problem.seed,
        "dtype": problem.dtype,
        "batch_size": int(problem.batch_size),
        "shuffle": shuffle,
        "last_batch": last_batch,
        "regularizer": described(problem.regularizer),
        **_data(examples, held, problem.loss, master_dtype(problem.dtype)),
        "params": mark_tree(start, master_dtype(problem.dtype)),
        "metrics": described(list(metrics)),
        "shards": None if group is None else group.shards,
        "callbacks": [
            {"type": type(c).__qualname__, **described(_own_settings(c, i))} for i, c in enumerate(callbacks)
        ],
    }


def _own_settings(callback: Callback, place: int) -> Mapping[str, Any]:
    found = callback.settings()
    if not isinstance(found, Mapping):
        raise refuse(f"callbacks[{place}].settings()", "a dict of plain values", found)
    return found


def described_if_possible(value: Any) -> Any:
    """As `described`; of what cannot be described its type alone."""
    try:
        return described(value)
    except InputError:
        return {"type": type(value).__qualname__}


def compared(arrays: Mapping[str, Any], options: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """What the processes of a group compare before training, as plain values: arrays, or trees of them, by their marks."""
    kind = master_dtype(dtype)
    marks = {name: mark_tree(value() if callable(value) else value, kind) for name, value in arrays.items()}
    return {**marks, **{name: described_if_possible(value) for name, value in options.items()}}


def _data(examples: Examples, held: Rows | None, loss: Loss, dtype: str) -> dict[str, Any]:
    """Marks of the arrays. Of batches nothing is known before they come, and they need not come in the same order."""
    given = examples.validation
    validation: Any = None if examples.streamed else given or None
    if isinstance(given, (tuple, list)) and held is not None:
        X, y, weights = held
        validation = {"X": mark(X, dtype), "y": mark(y, target_dtype(loss, y, dtype))}
        if weights is not None:
            validation["sample_weight"] = mark(weights, dtype)
    if examples.streamed:
        return {"X": "batches", "validation": validation}
    X, y, weights = examples.X, examples.y, examples.weights
    return {
        "X": mark(X, dtype),
        "y": mark(y, target_dtype(loss, y, dtype)),
        "sample_weight": None if weights is None else mark(weights, dtype),
        "validation": validation,
    }
