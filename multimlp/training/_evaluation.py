"""Outputs of a model on data, compiled where the backend compiles.

Compiled programs are specialised to shapes, so rows are padded up to a few sizes (powers of two up to the batch size): any stream of
batch sizes needs a handful of compilations, not one each.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import (
    Array,
    Backend,
    array_namespace,
    host,
    is_array,
    owner,
    owner_of_type,
    when_kernels_change,
)
from multimlp.errors import DTypeError
from multimlp.errors.checks import check_function, check_whole
from multimlp.mlp import MLP, Model, Params
from multimlp.training._prepared import PREPARED, prepare
from multimlp.training._several import Layout, is_several

PREDICT_ROWS = 65536
_SMALLEST_BUCKET = 16


def bucket(rows: int, largest: int) -> int:
    """The padded number of rows that a compiled program runs on: 1, or the next power of two from 16 to ``largest``.

    Examples
    --------
    >>> from multimlp.training._evaluation import bucket
    >>> bucket(1, 65536), bucket(2, 65536), bucket(100, 65536), bucket(70000, 65536)
    (1, 16, 128, 65536)
    """
    return 1 if rows == 1 else min(largest, max(_SMALLEST_BUCKET, 1 << (rows - 1).bit_length()))


def _is_bucket(rows: int, largest: int) -> bool:
    return rows == 1 or rows == bucket(rows, largest)


def predict(mlp: Callable[..., Array], params: Params, X: Any, batch_size: int = PREDICT_ROWS) -> Array:
    """Outputs for any number of rows, on the parameters' backend and device.

    Parameters
    ----------
    mlp : MLP or callable ``(params, X) -> outputs``
    params : tree of arrays
    X : array, list or data frame of shape (n, in_features); or a dict or tuple of arrays, as for `fit`
        Converted to the parameters' library and dtype; arrays of another framework than NumPy are an error.
    batch_size : int
        Rows per call of the model.

    Returns
    -------
    array, shape (n, out_features), or (members, n, out_features) for an ensemble

    Examples
    --------
    >>> import multimlp as mm
    >>> mlp = mm.MLP(4, 5, 3)
    >>> mm.predict(mlp, mlp.init(seed=0), [[0.0, 0.0, 0.0, 0.0]]).shape
    (1, 3)
    """
    ready = PREPARED.get(id(mlp))
    if ready is not None:
        outputs = ready(mlp, params, X, batch_size)
        if outputs is not None:
            return outputs
    if is_several(X) and not isinstance(mlp, MLP):
        layout = Layout.of(X)
        return predict(layout.model(mlp), params, layout.packed(X), batch_size)
    leaves = tree.leaves(params)
    check_function("mlp", mlp, "an MLP, or a function (params, X) -> outputs")
    backend = owner(*leaves)
    batch_size = check_whole("batch_size", batch_size, low=1)
    rows = _on_device(backend, leaves[0], X)
    if rows.ndim != 2:  # one example, or rows of each member's own
        return mlp(params, rows)
    if backend.capabilities.epoch != "compiled":
        if rows.shape[0] <= batch_size:
            outputs = mlp(params, rows)
            prepare(mlp, backend, params, X)
            return outputs
        count = int(rows.shape[0])
        starts = range(0, count, batch_size)
        pieces = [mlp(params, rows[i : min(i + batch_size, count), ...]) for i in starts]
        return array_namespace(pieces[0]).concat(pieces, axis=-2)
    program = _predictor(mlp, backend, params)
    with backend.scope_of(*leaves):
        outputs = _in_buckets(backend, lambda piece: program((*leaves, piece))[0], rows, batch_size)
        if backend.dtype_name(rows.dtype) != "float64":  # which may need the scope
            prepare(mlp, backend, params, X, program, _is_bucket)
        return outputs


def _on_device(backend: Backend, like: Array, X: Any) -> Array:
    if (
        type(X) is type(like)
        and X.dtype == like.dtype
        and backend.device_name(X) == backend.device_name(like)
    ):
        return X
    values = host(X, "X")
    if not is_array(like) or not backend.is_floating(like):
        raise DTypeError("params: expected a tree of floating arrays, as mlp.init makes it")
    library = owner_of_type(type(values))
    if library is not backend and library is not None and library.name != "numpy":
        owner(values, like)  # raises: arrays of two frameworks
    with np.errstate(over="ignore"):  # what becomes infinite is seen in the outputs
        return backend.asarray(values, dtype=backend.dtype_name(like.dtype), device=backend.device_name(like))


def _in_buckets(backend: Backend, run: Callable[[Array], Array], rows: Array, batch_size: int) -> Array:
    count = int(rows.shape[0])
    pieces = []
    for start in range(0, max(count, 1), batch_size):
        piece = rows if count <= batch_size else rows[start : start + batch_size, ...]
        size = int(piece.shape[0])
        padded = bucket(max(size, 1), batch_size)
        if padded == size:
            pieces.append(run(piece))
        else:
            pieces.append(backend.resize_rows(run(backend.resize_rows(piece, padded)), size))
    return pieces[0] if len(pieces) == 1 else array_namespace(rows).concat(pieces, axis=-2)


_predictors: dict[tuple[Model[Any], Backend], Callable[..., Any]] = {}
_of_objects: dict[tuple[int, Backend], tuple[weakref.ref[Model[Any]], Callable[..., Any]]] = {}
"""The same by identity: to hash an MLP takes as long as to run a small one."""
_MOST_PREDICTORS = 64
when_kernels_change(_predictors.clear)
when_kernels_change(_of_objects.clear)


def _predictor(mlp: Any, backend: Backend, params: Params) -> Callable[..., Any]:
    """The compiled forward pass, one per MLP and backend: parameters are inputs, so every set of them shares it.

    Another callable may hold state that changes between calls, so nothing is kept of it.
    """
    if not isinstance(mlp, Model):
        return _compile_forward(mlp, backend, params)
    known = _of_objects.get((id(mlp), backend))
    if known is not None and known[0]() is mlp:
        return known[1]
    found = _predictors.get((mlp, backend))
    if found is None:
        if len(_predictors) >= _MOST_PREDICTORS:
            _predictors.pop(next(iter(list(_predictors))), None)  # another thread may be doing the same
        found = _predictors[mlp, backend] = _compile_forward(mlp, backend, params)
    if len(_of_objects) >= _MOST_PREDICTORS:
        _of_objects.clear()
    _of_objects[id(mlp), backend] = weakref.ref(mlp), found
    return found


def _compile_forward(mlp: Any, backend: Backend, params: Params) -> Callable[..., Any]:
    rebuild = tree.rebuilder(params)
    return backend.compile(lambda arrays: (mlp(rebuild(arrays[:-1]), arrays[-1]),))
