"""Derivatives of a user's own, by `torch.autograd.Function`, and memory for time.

To torch, what such a function saved beside its arguments and results is a constant of second derivatives. So where somebody may take them,
the backward pass works out what it needs from the arguments again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.utils.checkpoint

from multimlp.backend import Array, Arrays, Function
from multimlp.backends.torch._tracing import is_seen, is_tracing, seen
from multimlp.errors import CapabilityError, DifferentiationError

_functorch: Any = torch._C._functorch


class _Rule:
    """A function and its derivative."""

    def __init__(
        self,
        pulled: Callable[[Arrays], tuple[Arrays, Arrays]],
        pullback: Callable[[Arrays, Arrays, Arrays], Arrays],
        pushed: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]] | None,
    ) -> None:
        self.pulled = pulled
        """From arrays to outputs, and what the pullback needs beside them."""
        self.pullback = pullback
        """From arrays, what it needs, and cotangents."""
        self.pushed = pushed
        """From arrays and tangents to outputs and theirs; None for no forward mode."""
        self.outputs = 0


class _Custom(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(rule: _Rule, *arrays: Array) -> Arrays:
        # Nothing that comes in is followed here; a result that is rests on what the function closes over.
        arrays = tuple([x.detach() for x in arrays])
        with torch.enable_grad():
            outputs, residuals = rule.pulled(arrays)
        if any(y.requires_grad for y in (*outputs, *residuals)):
            raise _closes_over()
        rule.outputs = len(outputs)
        return tuple([y.clone() if any(y is x for x in arrays) else y for y in (*outputs, *residuals)])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Arrays) -> None:
        rule, *arrays = inputs
        ctx.rule, ctx.size = rule, len(arrays)
        ctx.save_for_backward(*arrays, *output[rule.outputs :])
        ctx.save_for_forward(*arrays, *output[rule.outputs :])
        ctx.mark_non_differentiable(*(y for y in output if not y.is_floating_point()))

    @staticmethod
    def backward(ctx: Any, *cotangents: Array) -> Any:
        rule, saved = ctx.rule, ctx.saved_tensors
        arrays, residuals = saved[: ctx.size], saved[ctx.size :]
        if torch.is_grad_enabled() or torch._C._are_functorch_transforms_active():
            residuals = rule.pulled(arrays)[1]
        found = rule.pullback(arrays, residuals, cotangents[: rule.outputs])
        return (None, *(g if x.is_floating_point() else None for g, x in zip(found, arrays, strict=True)))

    @staticmethod
    def jvp(ctx: Any, _rule: Any, *tangents: Array) -> Any:
        rule = ctx.rule
        if rule.pushed is None:
            raise CapabilityError(
                "torch: forward mode (jvp, jacfwd) does not go through custom_vjp; use reverse mode (grad, vjp, jacrev, hvp), or give the "
                "function a custom_jvp, which has both"
            )
        arrays = ctx.saved_tensors[: ctx.size]
        given = tuple(
            [torch.zeros_like(x) if t is None else t for x, t in zip(arrays, tangents, strict=True)]
        )
        outputs, derivatives = rule.pushed(arrays, given)
        return tuple(
            [d if y.is_floating_point() else None for d, y in zip(derivatives, outputs, strict=True)]
        )


def custom_vjp(
    function: Function,
    forward: Callable[[Arrays], tuple[Arrays, Arrays]],
    backward: Callable[[Arrays, Arrays], Arrays],
    arrays: Arrays,
) -> Arrays:
    """As `multimlp.backend.Backend.custom_vjp`."""

    def pullback(xs: Arrays, residuals: Arrays, cotangents: Arrays) -> Arrays:
        return backward(residuals, cotangents)

    return _called(function, _Rule(forward, pullback, None), arrays)


def custom_jvp(
    function: Function, rule: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]], arrays: Arrays
) -> Arrays:
    """As `multimlp.backend.Backend.custom_jvp`."""

    def pulled(xs: Arrays) -> tuple[Arrays, Arrays]:
        return rule(xs, tuple([torch.zeros_like(x) for x in xs]))[0], ()

    def pullback(xs: Arrays, residuals: Arrays, cotangents: Arrays) -> Arrays:
        places = [i for i, x in enumerate(xs) if x.is_floating_point()]
        found = [torch.zeros_like(x) for x in xs]

        def derivative(*tangents: Array) -> Arrays:
            given = list(found)
            for i, tangent in zip(places, tangents, strict=True):
                given[i] = tangent
            outputs, derivatives = rule(xs, tuple(given))
            return tuple([d for d, y in zip(derivatives, outputs, strict=True) if y.is_floating_point()])

        _, pull = torch.func.vjp(derivative, *[found[i] for i in places])  # type: ignore[misc]
        smooth = tuple([g for g in cotangents if g.is_floating_point()])
        for i, g in zip(places, pull(smooth), strict=True):
            found[i] = g
        return tuple(found)

    return _called(function, _Rule(pulled, pullback, rule), arrays)


def _called(function: Function, rule: _Rule, arrays: Arrays) -> Arrays:
    if not any(map(_is_differentiated, arrays)):
        outputs = function(arrays)
        if torch.is_grad_enabled() and any(map(_is_differentiated, outputs)):
            raise _closes_over()
        return outputs
    found = _Custom.apply(rule, *arrays)  # type: ignore[no-untyped-call]
    return tuple(found[: rule.outputs])


def _is_differentiated(x: Array) -> bool:
    """Whether autograd, or a transform of `torch.func` that takes derivatives, sees what becomes of ``x``."""
    while _functorch.is_functorch_wrapped_tensor(x):
        if _functorch.is_gradtrackingtensor(x):
            return True
        x = _functorch.get_unwrapped(x)
    return x.requires_grad


def _closes_over() -> DifferentiationError:
    return DifferentiationError(
        "custom_vjp, custom_jvp: the function, or its rule, closes over an array that is differentiated. Its derivative would be lost: "
        "make it an argument of the function, or pass multimlp.stop_gradient(array)"
    )


def checkpoint(function: Function, arrays: Arrays) -> Arrays:
    """As `multimlp.backend.Backend.checkpoint`; `torch.func` knows no such thing, and is given the function as it is."""
    if (
        not torch.is_grad_enabled()
        or is_tracing()
        or torch._C._are_functorch_transforms_active()
        or torch.autograd.forward_ad._current_level >= 0
    ):
        return function(arrays)
    run = (lambda xs: seen(function, xs)) if is_seen() else function
    found: Arrays = torch.utils.checkpoint.checkpoint(
        lambda *xs: tuple(run(xs)), *arrays, use_reentrant=False, preserve_rng_state=False
    )
    return found
