"""Equinox: ``eqx.nn.MLP`` and ``eqx.nn.Sequential`` both ways.

Equinox's modules take one example (use `jax.vmap` for a batch) and hold weights as (out, in); values are
equal to the bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backend import Backend
from multimlp.errors import InputError, missing_dependency
from multimlp.interop._equinox_files import from_leaves, read_leaves, with_leaves, write_leaves
from multimlp.interop._jax import function_of, jax_layers, spec_of, supported_activations
from multimlp.interop._layers import Builder, unsupported_layer
from multimlp.mlp import MLP, Params

try:
    import equinox as eqx
    import jax
except ImportError:
    raise missing_dependency("equinox", "multimlp.interop.equinox", "equinox") from None

__all__ = [
    "from_equinox",
    "from_leaves",
    "read_leaves",
    "supported_activations",
    "to_equinox",
    "with_leaves",
    "write_leaves",
]


def to_equinox(mlp: MLP, params: Params) -> eqx.nn.Sequential:
    """The model as ``eqx.nn.Sequential`` of Linear, Lambda and (inference-mode) Dropout.

    Parameters
    ----------
    mlp : MLP
    params : tuple of Dense
        Of any backend; no ensemble.

    Raises
    ------
    InputError
        For an activation that JAX has no function for; names those that it has.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.equinox import from_equinox, to_equinox
    >>> mlp = mm.MLP(2, 3, 1)
    >>> from_equinox(to_equinox(mlp, mlp.init(seed=0)))[0] == mlp
    True
    """
    parts: list[Any] = []
    for host, layer in jax_layers(mlp, params, "Equinox"):
        fan_in, fan_out = host.weight.shape
        linear = eqx.nn.Linear(
            fan_in, fan_out, host.bias is not None, dtype=layer.weight.dtype, key=jax.random.key(0)
        )
        linear = eqx.tree_at(lambda module: module.weight, linear, layer.weight.T)
        if layer.bias is not None:
            linear = eqx.tree_at(lambda module: module.bias, linear, layer.bias)
        parts.append(linear)
        if host.activation is not None:
            parts.append(eqx.nn.Lambda(function_of(host.activation, "Equinox")))
        if host.dropout is not None:
            parts.append(eqx.nn.Dropout(host.dropout, inference=True))
    return eqx.nn.Sequential(parts)


def from_equinox(
    model: eqx.nn.MLP | eqx.nn.Sequential,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
) -> tuple[MLP, Params]:
    """An MLP and its parameters from ``eqx.nn.MLP`` or ``eqx.nn.Sequential``; parameters default to JAX, as
    they are.

    Raises
    ------
    InputError
        For a layer or a function that no MLP has; names it.
    """
    reading = Builder("Equinox model")
    weights: list[Any] = []

    def dense(linear: Any) -> None:
        weights.append(linear.weight)
        reading.dense(np.asarray(linear.weight).T, None if linear.bias is None else np.asarray(linear.bias))

    if isinstance(model, eqx.nn.MLP):
        *hidden, last = model.layers
        for linear in hidden:
            dense(linear)
            reading.activation(spec_of(_plain(model.activation), "Equinox"))
        dense(last)
        if not _is_identity(model.final_activation):
            reading.activation(spec_of(_plain(model.final_activation), "Equinox"))
    elif isinstance(model, eqx.nn.Sequential):
        for part in model.layers:
            if isinstance(part, eqx.nn.Linear):
                dense(part)
            elif isinstance(part, eqx.nn.Lambda):
                reading.activation(spec_of(part.fn, "Equinox"))
            elif isinstance(part, eqx.nn.Dropout):
                reading.dropout(part.p)
            else:
                raise unsupported_layer("Equinox model", type(part).__name__, ("Linear", "Lambda", "Dropout"))
    else:
        raise InputError(f"model: expected eqx.nn.MLP or eqx.nn.Sequential, got {type(model).__name__}")
    return reading.build(backend, device, dtype, weights, str(weights[0].dtype) if weights else None)


def _plain(activation: Any) -> Any:
    """`eqx.nn.MLP` wraps its activation in a module of one member a unit."""
    return getattr(activation, "fn", activation)


def _is_identity(activation: Any) -> bool:
    function = _plain(activation)
    return getattr(function, "__qualname__", "") in ("_identity", "<lambda>") and float(function(1.5)) == 1.5
