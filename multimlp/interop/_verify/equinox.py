"""Equinox: ``eqx.nn.Sequential`` and ``eqx.nn.MLP``; any other module is run, and its layers are not seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import numpy as np

from multimlp.backend import load_backend
from multimlp.errors import InputError
from multimlp.interop._verify.run import Opened, Run


def opened(name: str, model: Any) -> Opened:
    """See `multimlp.interop._verify.opened`."""
    linears = _linears(model) if isinstance(model, eqx.Module) else []
    if not linears:
        raise InputError(
            f"{name}: expected an equinox Module with a Linear layer, got {type(model).__name__}"
        )
    model = eqx.nn.inference_mode(model)
    dtype = str(linears[0].weight.dtype)

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        with load_backend("jax").scope(dtype):
            return _run(model, jax.numpy.asarray(X, dtype), cotangent)

    return Opened("Equinox", int(linears[0].in_features), dtype, run)


def _linears(model: Any) -> list[eqx.nn.Linear]:
    leaves = jax.tree.leaves(model, is_leaf=lambda node: isinstance(node, eqx.nn.Linear))
    return [leaf for leaf in leaves if isinstance(leaf, eqx.nn.Linear)]


def _run(model: Any, X: jax.Array, cotangent: np.ndarray | None) -> Run:
    found = Run(np.asarray(jax.vmap(model)(X)))
    names: list[str] = []
    before: list[np.ndarray | None] = []
    inputs: list[np.ndarray] = []
    hidden = X
    for i, (part, linear) in enumerate(_parts(model)):
        out = jax.vmap(part)(hidden)
        if linear:
            names.append(f"Linear {i}")
            inputs.append(np.asarray(hidden))
            before.append(np.asarray(out))
        hidden = out
    if names:
        found.chain(names, before, inputs)
    if cotangent is not None:
        found.gradients = _gradients(model, X, cotangent)
    return found


def _parts(model: Any) -> Iterator[tuple[Any, bool]]:
    """What is applied to an example, in turn, and whether it is a Linear layer."""
    if isinstance(model, eqx.nn.Sequential):
        for part in model.layers:
            yield part, isinstance(part, eqx.nn.Linear)
    elif isinstance(model, eqx.nn.MLP):
        for i, layer in enumerate(model.layers):
            yield layer, True
            yield _activation(model, i), False


def _activation(model: eqx.nn.MLP, i: int) -> Any:
    if i == len(model.layers) - 1:
        return model.final_activation
    # It is kept as one function a unit, which are vmapped.
    return lambda x: (
        eqx.filter_vmap(lambda function, value: function(value))(model.activation[i], x)
        if (isinstance(model.activation, (list, tuple)))
        else model.activation(x)
    )


def _gradients(model: Any, X: jax.Array, cotangent: np.ndarray) -> dict[str, np.ndarray]:
    along = jax.numpy.asarray(cotangent, X.dtype)
    arrays, rest = eqx.partition(model, eqx.is_inexact_array)

    def value(arrays: Any, X: jax.Array) -> Any:
        return (jax.vmap(eqx.combine(arrays, rest))(X) * along).sum()

    in_arrays, in_inputs = jax.grad(value, argnums=(0, 1))(arrays, X)
    gradients = {"inputs": np.asarray(in_inputs)}
    for i, linear in enumerate(_linears(in_arrays)):
        gradients[f"weight {i}"] = np.asarray(linear.weight).T
        if linear.bias is not None:
            gradients[f"bias {i}"] = np.asarray(linear.bias)
    return gradients
