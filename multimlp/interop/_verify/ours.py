"""``(model, params)`` of multimlp, an `MLP` or a chain of blocks, on the library of the parameters."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Array, array_namespace, owner
from multimlp.blocks import Chain, Dense
from multimlp.errors import InputError
from multimlp.interop._ensembles import check_combination, combined, in_rows, one_below_the_other
from multimlp.interop._verify.run import Opened, Run, Seen
from multimlp.mlp import MLP, named_arrays
from multimlp.mlp import dense as affine
from multimlp.transforms import grad


def opened(name: str, model: Any, combine: str = "members") -> Opened:
    """See `multimlp.interop._verify.opened`."""
    if not (isinstance(model, tuple) and len(model) == 2 and isinstance(model[0], (MLP, Chain))):
        raise InputError(f"{name}: expected (mlp, params), got {type(model).__name__}")
    mlp, params = model
    mlp.check_params(params)
    members = mlp.members(params)
    if members is not None:
        check_combination(mlp, combine)
    if isinstance(mlp, Chain):
        if members is not None:
            raise InputError(f"{name}: the parameters are an ensemble's; give those of one member")
        if mlp.in_features is None:
            raise InputError(
                f"{name}: the chain does not say how many features come in; give its first block in_features="
            )
    leaf = tree.leaves(params)[0]
    backend = owner(leaf)
    dtype = backend.dtype_name(leaf.dtype)
    device = backend.device_name(leaf)

    def place(values: np.ndarray) -> Array:
        return backend.asarray(values, dtype=dtype, device=device)

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        with backend.scope(dtype):
            found = (_run if isinstance(mlp, MLP) else _run_chain)(mlp, params, place(X))
            if members is not None:
                found = _of_members(found, combined(place(found.outputs), combine))
            if cotangent is not None and (members is None or combine != "vote"):
                along = cotangent
                if members is not None and combine == "members":
                    along = np.ascontiguousarray(cotangent.reshape(len(X), members, -1).transpose(1, 0, 2))
                found.gradients = _gradients(
                    mlp, params, place(X), place(along), "members" if members is None else combine
                )
        return found

    return Opened(f"multimlp on {backend.name}", int(mlp.in_features or 0), dtype, run)


def _host(array: Array) -> np.ndarray:
    return np.asarray(owner(array).to_numpy(array))


def _run(mlp: MLP, params: Any, X: Array) -> Run:
    before, inputs = [], []
    hidden = X
    for row, layer in zip(mlp.layers, params, strict=True):
        inputs.append(_host(hidden))
        hidden = affine(hidden, layer.weight, layer.bias)
        before.append(_host(hidden))
        if row.activation is not None:
            hidden = row.activation(hidden, getattr(layer, "activation", None))
    names = [row.label for row in mlp.layers]
    return Run(_host(mlp(params, X))).chain(names, [*before], inputs)


def _run_chain(model: Chain, params: Any, X: Array) -> Run:
    names: list[str] = []
    before: list[np.ndarray | None] = []
    inputs: list[np.ndarray] = []

    def through(block: Any, held: Any, hidden: Array, place: str) -> Array:
        if isinstance(block, Chain):
            called = block.block_names or (None,) * len(block.blocks)
            for i, (part, own) in enumerate(zip(block.blocks, called, strict=True)):
                hidden = through(part, held[i], hidden, f"{place}.{own or i}" if place else own or str(i))
            return hidden
        if block.name == "residual":
            return hidden + through(block.parts[0], held[0], hidden, f"{place}.0")
        if isinstance(block, Dense):
            names.append(f"dense {place!r}")
            inputs.append(_host(hidden))
            before.append(_host(dataclasses.replace(block, activation=None).apply(held, hidden, None)))
        given: Array = block.apply(held, hidden, None)
        return given

    through(model, params, X, "")
    return Run(_host(model(params, X))).chain(names, before, inputs)


def _layers_in(block: Any, held: Any) -> list[Any]:
    """The parameters of the fully connected layers, in the order in which `_run_chain` comes to them."""
    if isinstance(block, MLP):
        return list(held)
    if isinstance(block, Chain) or block.name == "residual":
        return [layer for part, own in zip(block.parts, held, strict=True) for layer in _layers_in(part, own)]
    return [held] if isinstance(block, Dense) else []


def _of_members(run: Run, outputs: Array) -> Run:
    """The run of an ensemble with its units as rows, one member below the other, and what is made of its outputs."""
    last = max(run.layers, key=lambda place: place.order)
    for place, seen in run.layers.items():
        run.layers[place] = Seen(seen.name, one_below_the_other(seen.values))
    run.outputs = in_rows(_host(outputs))
    run.layers[last] = Seen(run.layers[last].name, run.outputs)
    return run


def _gradients(mlp: Any, params: Any, X: Array, cotangent: Array, combine: str) -> dict[str, np.ndarray]:
    def value(params: Any, X: Array) -> Array:
        xp = array_namespace(X)
        return xp.sum(combined(mlp(params, X), combine) * cotangent)

    in_params, in_inputs = grad(value, argnums=(0, 1))(params, X)
    found = {"inputs": _host(in_inputs)}
    for i, layer in enumerate(_layers_in(mlp, in_params)):
        found |= {f"{part} {i}": _host(values) for part, values in named_arrays(layer).items()}
    return found
