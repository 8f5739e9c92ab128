"""Equinox: ``eqx.nn.Sequential`` and ``eqx.nn.MLP``; any other module is run, and its layers are not seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import numpy as np

from multimlp.backend import load_backend
from multimlp.errors import InputError
from multimlp.interop._ensembles import one_below_the_other
from multimlp.interop._verify.run import Opened, Run
from multimlp.interop.equinox import EquinoxMembersLinear, EquinoxNamed

_LINEAR = (eqx.nn.Linear, EquinoxMembersLinear)


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

    return Opened("Equinox", int(linears[0].weight.shape[-1]), dtype, run)


def _linears(model: Any) -> list[Any]:
    leaves = jax.tree.leaves(model, is_leaf=lambda node: isinstance(node, _LINEAR))
    return [leaf for leaf in leaves if isinstance(leaf, _LINEAR)]


def _units(values: jax.Array) -> np.ndarray:
    """Of all members one below the other; rows are in front."""
    host = np.asarray(values)
    return one_below_the_other(host.swapaxes(0, 1)) if host.ndim == 3 else host


def _run(model: Any, X: jax.Array, cotangent: np.ndarray | None) -> Run:
    found = Run(np.asarray(jax.vmap(model)(X)).reshape(len(X), -1))
    names: list[str] = []
    before: list[np.ndarray | None] = []
    inputs: list[np.ndarray] = []
    hidden = X
    for i, (part, linear) in enumerate(_parts(model)):
        out = jax.vmap(part)(hidden)
        if linear:
            own = model.names[i] if isinstance(model, EquinoxNamed) and i < len(model.names) else ""
            names.append(f"{type(part).__name__} {repr(own) if own else i}")
            inputs.append(_units(hidden))
            before.append(_units(out))
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
            yield part, isinstance(part, _LINEAR)
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
        outputs = jax.vmap(eqx.combine(arrays, rest))(X)  # of an ensemble rows in front
        return (outputs.reshape(len(X), -1) * along).sum()

    in_arrays, in_inputs = jax.grad(value, argnums=(0, 1))(arrays, X)
    gradients = {"inputs": np.asarray(in_inputs)}
    for i, linear in enumerate(_linears(in_arrays)):
        gradients[f"weight {i}"] = np.asarray(linear.weight).swapaxes(-1, -2)
        if linear.bias is not None:
            gradients[f"bias {i}"] = np.asarray(linear.bias)
    return gradients
