"""Values with known derivatives: a function of autograd, and what stands in for it under `torch.func`.

Under `torch.func` the derivatives of such functions cannot be differentiated twice, and forward mode takes the tangents of another
level for its own (torch 2.13). A polynomial in differences that are zero has the same derivatives, to the order that is written down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from multimlp.backend import Array, Arrays
from multimlp.errors import CapabilityError


class _WithSlopes(torch.autograd.Function):
    @staticmethod
    def forward(value: Array, slopes: Callable[..., Arrays], *parameters: Array) -> Array:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Array) -> None:
        _, ctx.slopes, *parameters = inputs
        ctx.save_for_backward(output, *parameters)

    @staticmethod
    def backward(ctx: Any, g: Array) -> Any:
        return (None, None, *(g * slope for slope in ctx.slopes(*ctx.saved_tensors)))


def with_slopes(value: Array, slopes: Callable[..., Arrays], *parameters: Array) -> Array:
    if not torch._C._are_functorch_transforms_active():
        result: Array = _WithSlopes.apply(value.detach(), slopes, *parameters)  # type: ignore[no-untyped-call]
        return result
    if _order() > 2:
        raise CapabilityError(
            "torch: in their parameters, numbers drawn by rejection have two derivatives under torch.func and the transforms made of it, "
            "such as grad(grad(f)); torch.autograd.grad(..., create_graph=True) takes more"
        )
    return _to_second_order(value.detach(), slopes, parameters)


def _order() -> int:
    """How many derivatives `torch.func` is taking."""
    stack = torch._C._functorch.get_interpreter_stack() or []
    return sum(level.key().name in ("Grad", "Jvp") for level in stack)


def _to_second_order(value: Array, slopes: Callable[..., Arrays], parameters: Arrays) -> Array:
    """v + sum h_i (s_i(v + sum h_j s_j) + s_i) / 2 for differences h of the parameters from what they are, which are 0."""
    constants = tuple(p.detach() for p in parameters)
    differences = [p - c for p, c in zip(parameters, constants, strict=True)]
    first = [slope.detach() for slope in slopes(value, *constants)]
    near = value + sum(h * slope for h, slope in zip(differences, first, strict=True))
    second = slopes(near, *parameters)
    terms = zip(differences, first, second, strict=True)
    result: Array = value + sum(h * (0.5 * (a + b)) for h, a, b in terms)
    return result
