"""Activations here, operators there: one table for writing and reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SELU = {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}


@dataclass(frozen=True)
class Operator:
    """One ONNX operator for an activation: its attributes, fixed and by option."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    """Option here to attribute there."""
    fixed: Mapping[str, Any] = field(default_factory=dict)


OPERATORS: dict[str, Operator] = {
    "identity": Operator("Identity"),
    "relu": Operator("Relu"),
    "leaky_relu": Operator("LeakyRelu", {"negative_slope": "alpha"}),
    "elu": Operator("Elu", {"alpha": "alpha"}),
    "celu": Operator("Celu", {"alpha": "alpha"}),
    "selu": Operator("Selu", fixed=SELU),
    "sigmoid": Operator("Sigmoid"),
    "tanh": Operator("Tanh"),
    "softplus": Operator("Softplus"),
    "softsign": Operator("Softsign"),
    "hard_sigmoid": Operator("HardSigmoid", fixed={"alpha": 1 / 6, "beta": 0.5}),
    "hard_swish": Operator("HardSwish"),
    "gelu": Operator("Gelu", {"approximate": "approximate"}),
    "mish": Operator("Mish"),
    "softmax": Operator("Softmax", fixed={"axis": -1}),
    "log_softmax": Operator("LogSoftmax", fixed={"axis": -1}),
    "hardshrink": Operator("Shrink", {"lambd": "lambd"}, {"bias": 0.0}),
    "exponential": Operator("Exp"),
    "sine": Operator("Sin"),
}

CLIPS = {"relu6": (0.0, 6.0), "hard_tanh": (-1.0, 1.0)}
_SPECIAL = ("prelu", "softshrink", "threshold", "silu", "swish", *CLIPS)


def supported_activations() -> tuple[str, ...]:
    """The names of the activations that can be written."""
    return (*OPERATORS, *_SPECIAL)
