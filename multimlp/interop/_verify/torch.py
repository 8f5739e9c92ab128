"""A ``torch.nn.Module``: what its Linear layers take and give is seen by hooks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from multimlp.errors import InputError
from multimlp.interop._ensembles import in_rows, one_below_the_other
from multimlp.interop._verify.run import Call, Opened, Run, first_width
from multimlp.interop.torch import TorchMembersLinear, TorchMLP

_LINEAR = (nn.Linear, TorchMembersLinear)


def opened(name: str, model: Any) -> Opened:
    """See `multimlp.interop._verify.opened`."""
    if not isinstance(model, nn.Module):
        raise InputError(f"{name}: expected a torch.nn.Module, got {type(model).__name__}")
    tensors = list(model.parameters())
    linear = next((m for m in model.modules() if isinstance(m, _LINEAR)), None)
    if not tensors or not (linear is not None or isinstance(model, TorchMLP)):
        raise InputError(f"{name}: the torch model has no Linear layer, so that its inputs are not known")
    dtype, device = tensors[0].dtype, tensors[0].device
    width = model.mlp.in_features if isinstance(model, TorchMLP) else _first_width(model, tensors[0])

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        with _evaluating(model):
            return _run(model, torch.tensor(X, dtype=dtype, device=device), cotangent)

    return Opened("torch", int(width), str(dtype).removeprefix("torch."), run)


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Dropout and the like off, frozen parameters differentiable, and each module as it was afterwards."""
    training = {module: module.training for module in model.modules()}
    frozen = [tensor for tensor in model.parameters() if not tensor.requires_grad]
    model.eval()
    try:
        for tensor in frozen:
            tensor.requires_grad_(True)
        yield
    finally:
        for module, was in training.items():
            module.training = was
        for tensor in frozen:
            tensor.requires_grad_(False)


def _first_width(model: nn.Module, like: torch.Tensor) -> int:
    """Inputs of the layer that is called first; widths are tried, since a module's layers need not stand in the order of calls."""
    widths = list(dict.fromkeys(_width(m) for m in model.modules() if isinstance(m, _LINEAR)))
    if len(widths) == 1:
        return widths[0]
    with torch.no_grad(), _evaluating(model):
        return first_width(widths, lambda width: model(like.new_zeros((2, width)))) or widths[0]


def _width(layer: Any) -> int:
    return int(layer.weight.shape[1])  # (out, in), and (members, in, out) of an ensemble


def _run(model: nn.Module, X: torch.Tensor, cotangent: np.ndarray | None) -> Run:
    linears: list[Any] = []
    layers: list[Call] = []
    normalised: list[Call] = []
    kept: list[torch.Tensor] = []  # or another tensor could get the id of one that is gone
    called = {
        module: name for name, module in model.named_modules() if isinstance(module, (*_LINEAR, _BatchNorm))
    }

    def watch(
        module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any], output: torch.Tensor
    ) -> None:
        source = next(iter((*arguments, *keywords.values())))
        kept.extend((source, output))
        name = f"{type(module).__name__} {called[module]!r}"  # type: ignore[index]
        taken, given = (one_below_the_other(_host(values)) for values in (source, output))
        call = Call(name, id(source), id(output), taken, given)
        if isinstance(module, _LINEAR):
            linears.append(module)
            layers.append(call)
        else:
            normalised.append(call)

    hooks = [module.register_forward_hook(watch, with_kwargs=True) for module in called]
    try:
        X.requires_grad_(cotangent is not None)
        outputs = model(X)
    finally:
        for hook in hooks:
            hook.remove()
    found = Run(in_rows(_host(outputs))).calls(layers, normalised)
    if cotangent is not None and outputs.requires_grad:  # votes have no gradient
        found.gradients = _gradients(X, outputs, linears, cotangent)
    return found


def _gradients(
    X: torch.Tensor, outputs: torch.Tensor, linears: list[Any], cotangent: np.ndarray
) -> dict[str, np.ndarray]:
    wanted = {"inputs": X}
    for i, linear in enumerate(linears):
        wanted[f"weight {i}"] = linear.weight
        if linear.bias is not None:
            wanted[f"bias {i}"] = linear.bias
    if outputs.ndim == 3:
        cotangent = cotangent.reshape(len(X), len(outputs), -1).transpose(1, 0, 2)
    along = torch.tensor(np.ascontiguousarray(cotangent), dtype=outputs.dtype, device=outputs.device)
    values = torch.autograd.grad(outputs, list(wanted.values()), along, allow_unused=True)
    return {
        name: _as_here(name, value) for name, value in zip(wanted, values, strict=True) if value is not None
    }


def _as_here(name: str, gradient: torch.Tensor) -> np.ndarray:
    """Weights as (in, out), with members in front of an ensemble's, whose biases are rows."""
    if name.startswith("weight") and gradient.ndim == 2:
        return _host(gradient.T)
    return _host(gradient.squeeze(1) if name.startswith("bias") and gradient.ndim == 3 else gradient)


def _host(tensor: torch.Tensor) -> np.ndarray:
    """A copy, since the next layer may change the values in place."""
    tensor = tensor.detach().cpu()
    return np.array((tensor.float() if tensor.dtype is torch.bfloat16 else tensor).contiguous().numpy())
