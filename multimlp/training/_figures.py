"""Losses and metrics of changing parameters on the same rows, between epochs."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from multimlp import metrics as metric_table
from multimlp import tree
from multimlp.backend import Array, Backend, array_namespace, is_array, when_kernels_change
from multimlp.losses import batch_mean
from multimlp.mlp import Model
from multimlp.training._evaluation import PREDICT_ROWS
from multimlp.training._loop import mean_loss
from multimlp.training.engines import Chunk
from multimlp.training.engines.own_functions import has_own_functions
from multimlp.training.engines.skeleton import Skeleton
from multimlp.tree import Tree

_FEW_OPERATIONS = 1 << 32
"""At most some 40 ms on one thread: about as long as OpenBLAS's threads keep a core busy after a product, looking for more work (784-256-10
with a tenth held out, NumPy and two cores: steps took 1.1 ms instead of 0.67)."""

Figures = Callable[[Tree, tuple[Array, ...]], tuple[Array, ...]]
"""Mean loss and metrics of parameters on inputs, targets, and weights if there are any."""


class Evaluator:
    """Mean loss and metrics of changing parameters on one fixed chunk, compiled once; evaluators of the same model, loss and metrics share
    what was compiled, unless functions of the user's are part of it.

    Parameters
    ----------
    model : callable ``(params, X) -> outputs``
    loss : Loss
    metrics : sequence of str or callable
        Each ``metric(outputs, targets)``; see `multimlp.metrics`.
    backend : Backend
    chunk : Chunk
    """

    def __init__(
        self, model: Callable[..., Array], loss: Any, metrics: Sequence[Any], backend: Backend, chunk: Chunk
    ) -> None:
        self.names = ["loss", *(metric_name(metric) for metric in metrics)]
        self._backend = backend
        self._data = tuple(tree.leaves(chunk))
        self._parts = model, loss, tuple(metric_table.get(metric) for metric in metrics)
        self._own = has_own_functions(self._parts)
        self._run: Figures | None = None

    def __call__(self, params: Tree, own_threads: bool = False) -> dict[str, float]:
        """The figures by name; an ensemble's are averaged over those of its members that have not diverged. ``own_threads``: of the engine
        that trains in between."""
        return {name: average(self._backend, value) for name, value in self._figures(params, own_threads)}

    def of_members(self, params: Tree) -> dict[str, np.ndarray]:
        """The figures by name, one number for each member of an ensemble."""
        return {
            name: np.asarray(self._backend.to_numpy(value), dtype=np.float64)
            for name, value in self._figures(params, False)
        }

    def _figures(self, params: Tree, own_threads: bool) -> list[tuple[str, Any]]:
        leaves = tree.leaves(params)
        if self._run is None:
            self._run = self._made(params)
        with self._threads(leaves, own_threads), self._backend.scope_of(*leaves):
            return list(zip(self.names, self._run(params, self._data), strict=True))

    def _made(self, params: Tree) -> Figures:
        if self._backend.capabilities.epoch == "compiled":
            skeleton = Skeleton(params)
            if not self._own:
                with contextlib.suppress(TypeError):  # something has no hash
                    return _shared(*self._parts, self._backend, skeleton)
            return _compiled(*self._parts, self._backend, skeleton)
        model, loss, metrics = self._parts
        forward = (
            functools.partial(_in_parts, model) if isinstance(model, Model) and model.rows_apart else model
        )
        return functools.partial(_of_rows, forward, loss, metrics)

    def _threads(self, leaves: Sequence[Array], own_threads: bool) -> contextlib.AbstractContextManager[None]:
        operations = 2 * int(self._data[0].shape[0]) * sum(math.prod(leaf.shape) for leaf in leaves)
        if own_threads and operations < _FEW_OPERATIONS:
            return self._backend.one_thread()
        return self._backend.all_threads()


def _of_rows(
    model: Any, loss: Any, metrics: Sequence[Any], params: Tree, data: tuple[Array, ...]
) -> tuple[Array, ...]:
    X, y, *weight = data
    outputs = model(params, X)
    mean = batch_mean(loss(outputs, y), weight[0] if weight else None)
    return (mean, *(metric(outputs, y) for metric in metrics))


def _compiled(model: Any, loss: Any, metrics: Sequence[Any], backend: Backend, skeleton: Skeleton) -> Figures:
    count, rebuild = len(tree.leaves(skeleton.tree)), tree.rebuilder(skeleton.tree)
    program = backend.compile(
        lambda arrays: _of_rows(model, loss, metrics, rebuild(arrays[:count]), tuple(arrays[count:]))
    )
    return lambda params, data: program((*tree.leaves(params), *data))


_shared = functools.lru_cache(maxsize=32)(_compiled)
when_kernels_change(_shared.cache_clear)


def _in_parts(model: Callable[..., Array], params: Tree, X: Array) -> Array:
    """The outputs of many rows, part by part, so that memory holds what the layers make of some of them alone."""
    starts = range(0, int(X.shape[0]), PREDICT_ROWS)
    if len(starts) < 2:
        return model(params, X)
    parts = [model(params, X[i : i + PREDICT_ROWS, ...]) for i in starts]
    return array_namespace(parts[0]).concat(parts, axis=-2)


def metric_name(metric: Any) -> str:
    """What the figures of a metric are called; `InputError` for what is none."""
    found = metric_table.get(metric)
    return metric if isinstance(metric, str) else found.name


def average(backend: Backend, value: Any) -> float:
    """The mean over ensemble members as a float, by `mean_loss`, so that one that has diverged does not hide the others."""
    return mean_loss(np.atleast_1d(backend.to_numpy(value))) if is_array(value) else float(value)
