"""``(mlp, params)`` of multimlp, on the library of the parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Array, array_namespace, owner
from multimlp.blocks import Chain
from multimlp.errors import InputError
from multimlp.interop._arrays import on_host
from multimlp.interop._layers import check_single
from multimlp.interop._verify.run import Opened, Run
from multimlp.mlp import MLP, dense, named_arrays
from multimlp.transforms import grad


def opened(name: str, model: Any) -> Opened:
    """See `multimlp.interop._verify.opened`."""
    if not (isinstance(model, tuple) and len(model) == 2 and isinstance(model[0], (MLP, Chain))):
        raise InputError(f"{name}: expected (mlp, params), got {type(model).__name__}")
    mlp, params = model
    check_single(mlp, params)
    if mlp.in_features is None:
        raise InputError(
            f"{name}: it does not say how many features come in; give its first block in_features="
        )
    leaf = tree.leaves(params)[0]
    backend = owner(leaf)
    dtype = backend.dtype_name(leaf.dtype)
    device = backend.device_name(leaf)

    def place(values: np.ndarray) -> Array:
        return backend.asarray(values, dtype=dtype, device=device)

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        with backend.scope(dtype):
            found = _run(mlp, params, place(X))
            if cotangent is not None:
                found.gradients = _gradients(mlp, params, place(X), place(cotangent))
        return found

    return Opened(f"multimlp on {backend.name}", mlp.in_features, dtype, run)


def _run(mlp: MLP | Chain, params: Any, X: Array) -> Run:
    if isinstance(mlp, Chain):
        return Run(on_host(mlp(params, X)))
    before, inputs = [], []
    hidden = X
    for row, layer in zip(mlp.layers, params, strict=True):
        inputs.append(on_host(hidden))
        hidden = dense(hidden, layer.weight, layer.bias)
        before.append(on_host(hidden))
        if row.activation is not None:
            hidden = row.activation(hidden, getattr(layer, "activation", None))
    names = [row.label for row in mlp.layers]
    return Run(on_host(mlp(params, X))).chain(names, [*before], inputs)


def _gradients(mlp: MLP | Chain, params: Any, X: Array, cotangent: Array) -> dict[str, np.ndarray]:
    def value(params: Any, X: Array) -> Array:
        xp = array_namespace(X)
        return xp.sum(mlp(params, X) * cotangent)

    in_params, in_inputs = grad(value, argnums=(0, 1))(params, X)
    found = {"inputs": on_host(in_inputs)}
    for i, layer in enumerate(in_params if isinstance(mlp, MLP) else ()):
        found |= {f"{part} {i}": on_host(values) for part, values in named_arrays(layer).items()}
    return found
