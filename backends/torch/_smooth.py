"""Element-wise functions whose derivative is computed beside their values, as autograd and `torch.func` see them.

What autograd differentiates by the rules of its operations reads and writes an array for each of them. Here values and slopes are
computed together, in pieces, and the slopes are kept: one product goes back. They are an *output* of the function, with the derivative
of the closed form, so that derivatives of every order, forward and backward, are those of the portable definitions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.autograd import forward_ad

from multimlp.backends.torch._pieces import filled

Function = Callable[[torch.Tensor], torch.Tensor]


def is_recorded(x: torch.Tensor) -> bool:
    """Whether autograd, a transform of `torch.func` or a forward derivative sees what is done to x."""
    return (
        (x.requires_grad and torch.is_grad_enabled())
        or torch._C._are_functorch_transforms_active()
        or (forward_ad._current_level >= 0 and forward_ad.unpack_dual(x).tangent is not None)
    )


def is_recorded_by_autograd_alone() -> bool:
    """Whether neither `torch.func`, nor forward derivatives, nor what records operations sees what is done."""
    return not (
        torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or torch._C._len_torch_dispatch_stack() > 0
    )


def forward_derivatives_nest() -> bool:
    """Whether `torch.func.jvp` runs inside itself: torch (2.13) gives functions with a `jvp` of their own a derivative of zero there."""
    if not torch._C._are_functorch_transforms_active():
        return False
    functorch = torch._C._functorch
    kinds = [interpreter.key() for interpreter in functorch.get_interpreter_stack() or ()]
    return kinds.count(functorch.TransformType.Jvp) > 1


def smooth(both: Callable[..., Any], scratch: int, slope: Function) -> Function:
    """A function that can be differentiated.

    Parameters
    ----------
    both : callable
        ``both(x, y, d, *scratch)`` writes the values into ``y`` and the slopes into ``d``.
    scratch : int
        How many more arrays it needs.
    slope : callable
        The derivative, made of operations that torch differentiates.
    """

    class Smooth(torch.autograd.Function):
        @staticmethod
        def forward(x: torch.Tensor) -> Any:
            return tuple(filled(both, x, 2, scratch))

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(inputs[0], output[1])
            ctx.save_for_forward(inputs[0])

        @staticmethod
        def backward(ctx: Any, *cotangents: Any) -> Any:
            of_value, of_slope = cotangents
            x, d = ctx.saved_tensors
            back = None if of_value is None else _product(of_value, d)
            if of_slope is None:
                return back
            further = torch.func.vjp(slope, x)[1](of_slope)[0]
            return further if back is None else back + further

        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            # Forward derivatives of ours may nest, those of torch may not; and each slope stands on the diagonal.
            (t,) = tangents
            d, pullback = torch.func.vjp(slope, ctx.saved_tensors[0])  # type: ignore[misc]
            return t * d, pullback(t)[0]

        @staticmethod
        def vmap(info: Any, in_dims: Any, x: torch.Tensor) -> Any:
            return record(x), (in_dims[0], in_dims[0])

    record: Any = Smooth.apply
    # The public `apply` binds defaults by the signature, anew in each call, which takes longer than the rest.
    directly: Any = super(torch.autograd.Function, Smooth).apply

    def apply(x: torch.Tensor) -> torch.Tensor:
        if torch._C._are_functorch_transforms_active():
            value: torch.Tensor = record(x)[0]
        else:
            value = directly(torch._C._functorch.unwrap_if_dead(x))[0]
        return value

    return apply


def _product(cotangent: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    """Into the memory of the slopes where nobody needs them again: a new array takes longer than the product."""
    if is_watched(cotangent) or torch._C._autograd._get_current_graph_task_keep_graph():
        return cotangent * d
    return d.detach().mul_(cotangent)


def is_watched(cotangent: torch.Tensor) -> bool:
    """Whether the way back is itself differentiated, or batched."""
    return (
        torch.is_grad_enabled()
        or torch._C._are_functorch_transforms_active()
        or torch._C._functorch.is_legacy_batchedtensor(cotangent)
    )
