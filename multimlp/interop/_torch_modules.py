"""torch's modules and functions for what a model is made of: one table for writing and reading."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from multimlp.activations import Activation
from multimlp.errors import InputError
from multimlp.interop._layers import is_prelu, name_elsewhere, unsupported_activation

MODULES: dict[str, tuple[Callable[..., nn.Module], dict[str, str]]] = {
    "identity": (nn.Identity, {}),
    "relu": (nn.ReLU, {}),
    "leaky_relu": (nn.LeakyReLU, {"negative_slope": "negative_slope"}),
    "relu6": (nn.ReLU6, {}),
    "threshold": (nn.Threshold, {"threshold": "threshold", "value": "value"}),
    "hard_sigmoid": (nn.Hardsigmoid, {}),
    "hard_tanh": (nn.Hardtanh, {}),
    "hard_swish": (nn.Hardswish, {}),
    "softshrink": (nn.Softshrink, {"lambd": "lambd"}),
    "hardshrink": (nn.Hardshrink, {"lambd": "lambd"}),
    "elu": (nn.ELU, {"alpha": "alpha"}),
    "selu": (nn.SELU, {}),
    "celu": (nn.CELU, {"alpha": "alpha"}),
    "sigmoid": (nn.Sigmoid, {}),
    "log_sigmoid": (nn.LogSigmoid, {}),
    "tanh": (nn.Tanh, {}),
    "tanhshrink": (nn.Tanhshrink, {}),
    "softsign": (nn.Softsign, {}),
    "softplus": (nn.Softplus, {}),
    "gelu": (nn.GELU, {"approximate": "approximate"}),
    "silu": (nn.SiLU, {}),
    "mish": (nn.Mish, {}),
    "softmax": (nn.Softmax, {"axis": "dim"}),
    "log_softmax": (nn.LogSoftmax, {"axis": "dim"}),
    "softmin": (nn.Softmin, {"axis": "dim"}),
    "glu": (nn.GLU, {"axis": "dim"}),
}
"""Activation to module, and its options to the module's attributes."""

NAMES = {module: name for name, (module, _) in MODULES.items()}
FIXED: dict[type, dict[str, float]] = {
    nn.Hardtanh: {"min_val": -1.0, "max_val": 1.0},
    nn.Softplus: {"beta": 1.0},
}
"""Attributes that must have these values, because the activation here has no such option."""

_AT_LEAST: dict[type, dict[str, float]] = {nn.Softplus: {"threshold": 20.0}}
"""Attributes below which the activation here is another function: torch takes x for softplus above the threshold."""

_ATTRIBUTES: dict[str, dict[str, float]] = {"softplus": {"threshold": 40.0}}
"""Written with the module: above torch's own 20 it takes x for softplus, whose slope is off by 2e-9 there; from 37 on it is x in
float64."""

_ARGUMENTS: dict[type, tuple[str, ...]] = {
    nn.LeakyReLU: ("negative_slope",),
    nn.Threshold: ("threshold", "value"),
    nn.Hardtanh: ("min_val", "max_val"),
    nn.Softshrink: ("lambd",),
    nn.Hardshrink: ("lambd",),
    nn.ELU: ("alpha",),
    nn.CELU: ("alpha",),
    nn.Softplus: ("beta", "threshold"),
    nn.GELU: ("approximate",),
    nn.Softmax: ("dim",),
    nn.LogSoftmax: ("dim",),
    nn.Softmin: ("dim",),
    nn.GLU: ("dim",),
}
"""Of a module's function, what follows the inputs, in torch's order."""

_FUNCTION_NAMES = {
    nn.ReLU: "relu", nn.LeakyReLU: "leaky_relu", nn.ReLU6: "relu6", nn.Threshold: "threshold", nn.Hardsigmoid: "hardsigmoid",
    nn.Hardtanh: "hardtanh", nn.Hardswish: "hardswish", nn.Softshrink: "softshrink", nn.Hardshrink: "hardshrink", nn.ELU: "elu",
    nn.SELU: "selu", nn.CELU: "celu", nn.Sigmoid: "sigmoid", nn.LogSigmoid: "logsigmoid", nn.Tanh: "tanh",
    nn.Tanhshrink: "tanhshrink", nn.Softsign: "softsign", nn.Softplus: "softplus", nn.GELU: "gelu", nn.SiLU: "silu", nn.Mish: "mish",
    nn.Softmax: "softmax", nn.LogSoftmax: "log_softmax", nn.Softmin: "softmin", nn.GLU: "glu",
}  # fmt: skip
METHODS = {name: module for module, name in _FUNCTION_NAMES.items()}
"""Names of methods and functions of a tensor, to the module that does the same."""
FUNCTIONS = {
    function: module
    for name, module in METHODS.items()
    for home in (functional, torch, torch.special)
    if (function := getattr(home, name, None)) is not None
}

WITHOUT_MODULE = {torch.sin: "sine", "sin": "sine", torch.exp: "exponential", "exp": "exponential"}
"""Functions that torch has no module for, to the activation here."""

IN_PLACE = (operator.iadd, operator.isub, operator.imul, operator.itruediv)
"""Functions that change their first argument, beside those whose names end in an underscore."""
ADDING = (operator.add, operator.iadd, torch.add, "add", "add_")
SUBTRACTING = (operator.sub, operator.isub, torch.sub, torch.subtract, "sub", "sub_")
MULTIPLYING = (operator.mul, operator.imul, torch.mul, torch.multiply, "mul", "mul_")
DIVIDING = (operator.truediv, operator.itruediv, torch.div, torch.true_divide, "div", "div_")
NEGATING = (operator.neg, torch.neg, torch.negative, "neg")


def module_of_call(module: type, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> nn.Module:
    """The module that does what a call of its function does: the arguments behind the inputs."""
    names = _ARGUMENTS.get(module, ())
    given = dict(zip(names, arguments, strict=False)) | {
        name: value for name, value in keywords.items() if name in names
    }
    made: nn.Module = module(**given)
    return made


def activation_module(rule: Activation, learned: Mapping[str, Any]) -> nn.Module:
    """The module of an activation, with what it has learned."""
    if is_prelu(rule):
        ((_, slope),) = learned.items()
        values = torch.tensor(slope).reshape(-1)
        module = nn.PReLU(max(slope.size, 1), dtype=values.dtype)
        with torch.no_grad():
            module.weight.copy_(values)
        return module
    name = name_elsewhere(rule)
    if rule.parameters or name not in MODULES:
        raise unsupported_activation("torch", rule, supported_activations())
    make, attributes = MODULES[name]
    options = {attributes[option]: value for option, value in rule.options.items() if option in attributes}
    return make(**options, **_ATTRIBUTES.get(name, {}))


def activation_spec(module: nn.Module) -> dict[str, Any]:
    """What `multimlp.activations.parse` takes for a module of `NAMES`."""
    for attribute, value in FIXED.get(type(module), {}).items():
        if getattr(module, attribute) != value:
            raise InputError(f"torch model: {module} has no equivalent; only {attribute}={value:g} has")
    for attribute, least in _AT_LEAST.get(type(module), {}).items():
        if getattr(module, attribute) < least:
            raise InputError(
                f"torch model: {module} has no equivalent; {attribute} must be {least:g} or more, where the other branch is the same"
            )
    name = NAMES[type(module)]
    options = {option: getattr(module, attribute) for option, attribute in MODULES[name][1].items()}
    if "axis" in options:
        if options["axis"] not in (-1, 1):
            raise InputError(f"torch model: {module} must work along the last axis (dim=-1)")
        del options["axis"]
    return {"name": name, **options}


def supported_activations() -> tuple[str, ...]:
    """The names of the activations that have a module."""
    return (*MODULES, "prelu", "swish")


def on_the_host(tensor: torch.Tensor) -> Any:
    """A tensor as NumPy's array; bfloat16, which NumPy lacks, as float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).contiguous().numpy()


class TorchResidual(nn.Module):
    """What comes in, added to what a module makes of it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        summed: torch.Tensor = x + self.inner(x)
        return summed


class TorchMembersLinear(nn.Module):
    """A fully connected layer of each member of an ensemble: weight (members, in, out), bias (members, 1, out) or None."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.expand(len(self.weight), *x.shape) if x.ndim == 2 else x
        return (
            torch.bmm(rows, self.weight) if self.bias is None else torch.baddbmm(self.bias, rows, self.weight)
        )

    def extra_repr(self) -> str:
        members, fan_in, fan_out = self.weight.shape
        return (
            f"members={members}, in_features={fan_in}, out_features={fan_out}, bias={self.bias is not None}"
        )


class TorchCombine(nn.Module):
    """What is made of the outputs of all members, (members, n, k): their mean, that of their probabilities, or their votes."""

    def __init__(self, combine: str) -> None:
        super().__init__()
        self.combine = combine

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        lone = x.shape[-1] == 1
        if self.combine == "probabilities":
            x = torch.sigmoid(x) if lone else torch.softmax(x, -1)
        elif self.combine == "vote":
            x = (x > 0).to(x.dtype) if lone else functional.one_hot(x.argmax(-1), x.shape[-1]).to(x.dtype)
        mean = x.mean(0)
        return torch.cat([1 - mean, mean], -1) if lone and self.combine != "mean" else mean

    def extra_repr(self) -> str:
        return repr(self.combine)


class TorchScale(nn.Module):
    """A learned scale and shift of each feature, ``x * weight + bias``."""

    def __init__(self, scale: np.ndarray, shift: np.ndarray) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(scale))
        self.bias = nn.Parameter(torch.tensor(shift))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight + self.bias
