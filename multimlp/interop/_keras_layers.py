"""Steps as Keras layers: the table of activations, and what is written."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from multimlp.activations import Activation
from multimlp.interop._layers import is_prelu, name_elsewhere, unsupported_activation
from multimlp.interop._names import Names
from multimlp.interop._parts import (
    Affine,
    Dropout,
    LayerNorm,
    Linear,
    Part,
    Path,
    Pointwise,
    Residual,
    RMSNorm,
)

BY_NAME: dict[str, tuple[str, dict[str, Any]]] = {
    "identity": ("linear", {}),
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "elu": ("elu", {"alpha": 1.0}),
    "selu": ("selu", {}),
    "celu": ("celu", {"alpha": 1.0}),
    "gelu": ("gelu", {"approximate": "none"}),
    "hard_sigmoid": ("hard_sigmoid", {}),
    "hard_swish": ("hard_silu", {}),
    "hard_tanh": ("hard_tanh", {}),
    "hardshrink": ("hard_shrink", {"lambd": 0.5}),
    "softshrink": ("soft_shrink", {"lambd": 0.5}),
    "leaky_relu": ("leaky_relu", {"negative_slope": 0.2}),
    "log_sigmoid": ("log_sigmoid", {}),
    "log_softmax": ("log_softmax", {"axis": -1}),
    "mish": ("mish", {}),
    "sigmoid": ("sigmoid", {}),
    "silu": ("silu", {}),
    "softmax": ("softmax", {"axis": -1}),
    "softplus": ("softplus", {}),
    "softsign": ("softsign", {}),
    "sparse_plus": ("sparse_plus", {}),
    "sparse_sigmoid": ("sparse_sigmoid", {}),
    "squareplus": ("squareplus", {"b": 4.0}),
    "tanh": ("tanh", {}),
    "tanhshrink": ("tanh_shrink", {}),
    "exponential": ("exponential", {}),
}
"""Activation to Keras's name, and the options with which it is the same function."""


MEMBERS = "nmi,mio->nmo"
"""The equation of a layer of an ensemble: rows, members, features."""


def supported_activations() -> tuple[str, ...]:
    """The names of the activations that Keras has."""
    return (*BY_NAME, "prelu")


class Writing:
    """Makes Keras layers of steps; their numbers are filled in when the model is built.

    Parameters
    ----------
    dtype : str
    """

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype
        self._values: list[tuple[Any, list[np.ndarray]]] = []
        self._names = Names(lambda name: name.replace("/", "_"))
        self._of: dict[Part, str | None] = {}

    def layers(self, parts: Path) -> list[Any]:
        """The layers of steps without residual additions."""
        self._name(parts)
        return [layer for group in _groups(parts) for layer in self._made(group)]

    def connect(self, parts: Path, value: Any) -> Any:
        """The outputs of the steps for a value of a functional model."""
        self._name(parts)
        for group in _groups(parts):
            if isinstance(group[0], Residual):
                add = keras.layers.Add(dtype=self._dtype, name=self._of[group[0]])
                value = add([value, self.connect(group[0].inner, value)])
            else:
                for layer in self._made(group):
                    value = layer(value)
        return value

    def connect_members(self, parts: Path, value: Any, members: int, combine: str) -> Any:
        """The outputs of an ensemble, each row repeated for every member."""
        layers, kind = keras.layers, {"dtype": self._dtype}
        value = self.connect(parts, layers.RepeatVector(members, **kind)(value))
        if combine == "members":
            return value
        lone = value.shape[-1] == 1
        if combine == "probabilities":
            value = layers.Activation("sigmoid" if lone else "softmax", **kind)(value)
        value = layers.GlobalAveragePooling1D(**kind)(value)
        if combine == "mean" or not lone:
            return value
        return layers.Concatenate(**kind)([layers.Rescaling(-1.0, 1.0, **kind)(value), value])

    def fill(self) -> None:
        """Give the layers, which are built by now, their numbers."""
        for layer, values in self._values:
            for variable, value in zip(layer.weights, values, strict=True):
                variable.assign(np.broadcast_to(value, variable.shape))

    def _name(self, parts: Path) -> None:
        """Names are the model's in Keras, whatever its layers stand in."""
        self._of.update(zip(parts, self._names.of(parts), strict=True))

    def _common(self, part: Part) -> dict[str, Any]:
        """What every layer is told; without a name Keras gives one."""
        return {"dtype": self._dtype, "name": self._of[part]}

    def _made(self, group: Path) -> list[Any]:
        first, *rest = group
        if isinstance(first, Linear):
            name, extra = (
                self._activation(rest[0]) if rest and isinstance(rest[0], Pointwise) else ("linear", None)
            )
            biased = first.bias is not None
            if first.weight.ndim == 3:
                common = {"activation": name, "bias_axes": "mo" if biased else None, **self._common(first)}
                members, _, width = first.weight.shape
                dense = keras.layers.EinsumDense(MEMBERS, (members, width), **common)
                self._holds(dense, first.weight, first.bias)
                return [dense] if extra is None else [dense, extra]
            dense = keras.layers.Dense(first.weight.shape[1], name, biased, **self._common(first))
            self._holds(dense, first.weight, first.bias)
            return [dense] if extra is None else [dense, extra]
        if isinstance(first, Pointwise):
            name, extra = self._activation(first)
            return [keras.layers.Activation(name, **self._common(first)) if extra is None else extra]
        return [self._other(first)]

    def _other(self, part: Part) -> Any:
        common = self._common(part)
        if isinstance(part, Dropout):
            return keras.layers.Dropout(part.rate, **common)
        if isinstance(part, LayerNorm):
            layer = keras.layers.LayerNormalization(
                epsilon=part.epsilon, center=part.shift is not None, **common
            )
            return self._holds(layer, part.scale, part.shift)
        if isinstance(part, RMSNorm):
            return self._holds(keras.layers.RMSNormalization(epsilon=part.epsilon, **common), part.scale)
        assert isinstance(part, Affine)
        return keras.layers.Rescaling(part.scale.tolist(), part.shift.tolist(), **common)

    def _holds(self, layer: Any, *values: np.ndarray | None) -> Any:
        self._values.append((layer, [value for value in values if value is not None]))
        return layer

    def _activation(self, part: Pointwise) -> tuple[str, Any]:
        """The name that a Dense layer takes, and the layer that follows it where a name does not say it all."""
        rule, common = part.rule, self._common(part)
        if is_prelu(rule):
            shared = None if rule.parameters[0].per_unit else [1]
            layer = keras.layers.PReLU(shared_axes=shared, **common)
            return "linear", self._holds(layer, *part.learned.values())
        if not rule.parameters and rule.name == "leaky_relu":
            slope = rule.options["negative_slope"]
            return "linear", keras.layers.LeakyReLU(negative_slope=slope, **common)
        if not rule.parameters and rule.name == "elu" and rule.options["alpha"] != 1:
            return "linear", keras.layers.ELU(rule.options["alpha"], **common)
        return _name(rule), None


def _groups(parts: Path) -> list[Path]:
    """The steps, each fully connected one with the activation that follows it."""
    groups: list[Path] = []
    for part in parts:
        if (
            isinstance(part, Pointwise)
            and groups
            and len(groups[-1]) == 1
            and isinstance(groups[-1][0], Linear)
        ):
            groups[-1] = (*groups[-1], part)
        else:
            groups.append((part,))
    return groups


def _name(rule: Activation) -> str:
    theirs, needed = BY_NAME.get(name_elsewhere(rule), ("", {}))
    if (
        rule.parameters
        or not theirs
        or any(rule.options.get(option) != value for option, value in needed.items())
    ):
        raise unsupported_activation("Keras", rule, supported_activations())
    return theirs
