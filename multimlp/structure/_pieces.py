"""What line and plane regions share: a network on the host in float64, and its units' straight pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multimlp.activations import Activation
from multimlp.backend import owner
from multimlp.errors import InputError
from multimlp.mlp import MLP, Params, check_params, learned_by

PIECEWISE_LINEAR = (
    "identity",
    "relu",
    "leaky_relu",
    "prelu",
    "relu6",
    "hard_tanh",
    "hard_sigmoid",
    "softshrink",
)
"""The activations that are continuous and piecewise linear."""


@dataclass(frozen=True)
class HostLayer:
    """One layer in float64 on the host."""

    weight: np.ndarray
    bias: np.ndarray
    rule: Activation | None
    learned: dict[str, np.ndarray]

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where its units bend."""
        return () if self.rule is None else self.rule.kinks

    def straight_piece(self, preactivation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Slope and value of each unit at a point inside a region, where it is affine."""
        if self.rule is None:
            return np.ones_like(preactivation), preactivation
        return (
            np.asarray(self.rule.derivative(preactivation, self.learned)),
            np.asarray(self.rule(preactivation, self.learned)),
        )


def host_layers(mlp: MLP, params: Params) -> list[HostLayer]:
    """The layers on the host; `InputError` unless the network is continuous and piecewise linear."""
    check_params(mlp, params, single=True)
    layers = []
    for row, layer in zip(mlp.layers, params, strict=True):
        rule = row.activation
        if rule is not None and rule.name not in PIECEWISE_LINEAR:
            raise InputError(
                f"mlp: layer {row.label!r} has the activation {rule.name!r}, not a continuous piecewise linear one; "
                f"these are: {', '.join(PIECEWISE_LINEAR)}"
            )
        to_host = owner(layer.weight).to_numpy
        weight = to_host(layer.weight).astype(np.float64)
        bias = np.zeros(weight.shape[1]) if layer.bias is None else to_host(layer.bias).astype(np.float64)
        learned = {name: to_host(value).astype(np.float64) for name, value in learned_by(layer).items()}
        layers.append(HostLayer(weight, bias, rule, learned))
    return layers


def own_outputs(mlp: MLP, params: Params, X: np.ndarray) -> np.ndarray:
    """What the network itself returns, on its own backend and in its own dtype, as float64 on the host."""
    backend = owner(params[0].weight)
    weight = params[0].weight
    inputs = backend.asarray(X, dtype=backend.dtype_name(weight.dtype), device=backend.device_name(weight))
    with backend.scope_of(weight):
        return backend.to_numpy(mlp(params, inputs)).astype(np.float64)
