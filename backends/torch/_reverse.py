"""Reverse mode by torch's autograd itself, where no transform of `torch.func` is at work.

The numbers are those of `torch.func.grad` and `vjp`, which call autograd too, in a third to two thirds of their time on small arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch._C._functorch import TransformType, get_interpreter_stack, get_unwrapped, is_batchedtensor

from multimlp.backend import Array, Arrays, Function
from multimlp.backends.torch._tracing import seen


def is_outermost(arrays: Arrays) -> bool:
    """Whether autograd alone sees what is done to these arrays: no compiler, no transform, no forward derivative."""
    return not (
        torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
        or torch.autograd.forward_ad._current_level >= 0
        or records_nothing(arrays)
    )


def records_nothing(arrays: Arrays) -> bool:
    """Whether autograd sees nothing of what is done to these arrays, as in `torch.inference_mode`, where `torch.func` differentiates."""
    return torch.is_inference_mode_enabled() or any(a.is_inference() for a in arrays)


def value_and_grad(
    function: Callable[[Arrays], tuple[Array, Arrays]], arrays: Arrays, final: bool = False
) -> tuple[Array, Arrays, Arrays]:
    """As `multimlp.backend.Backend.value_and_grad`; with ``final`` nobody differentiates the results."""
    leaves, own = _leaves(arrays, final)
    value, auxiliary = seen(function, leaves)
    followed = not final and _is_followed((value, *auxiliary), leaves, own)
    if value.requires_grad:
        gradients = torch.autograd.grad(
            value, leaves, create_graph=followed, allow_unused=True, materialize_grads=True
        )
    else:
        gradients = tuple([torch.zeros_like(a) for a in arrays])
    value, *rest = _given_out((value, *auxiliary, *gradients), followed, own)
    return value, tuple(rest[: len(auxiliary)]), tuple(rest[len(auxiliary) :])


class Pullback:
    """What `vjp` returns: it may be called any number of times, and `many` is its `vmap`."""

    def __init__(self, outputs: Arrays, leaves: Arrays, own: Sequence[Array], followed: bool) -> None:
        self._outputs, self._leaves, self._own, self._followed = outputs, leaves, own, followed
        self._smooth = [o.requires_grad and o.is_floating_point() for o in outputs]

    def __call__(self, cotangents: Arrays) -> Arrays:
        if torch._C._are_functorch_transforms_active():  # one of them may differentiate
            followed = self._followed or not _are_batches(cotangents)
            return self._run(cotangents, torch.is_grad_enabled() and followed)
        followed = torch.is_grad_enabled() and (self._followed or any(c.requires_grad for c in cotangents))
        return _given_out(self._run(cotangents, followed), followed, self._own)

    def many(self, cotangents: Arrays) -> Arrays:
        """For cotangents with one more leading axis, the same for all; the results have it too."""
        followed = torch.is_grad_enabled() and (self._followed or any(c.requires_grad for c in cotangents))
        return _given_out(self._run(cotangents, followed, batched=True), followed, self._own)

    def _run(self, cotangents: Arrays, followed: bool, batched: bool = False) -> Arrays:
        given = [c for c, is_smooth in zip(cotangents, self._smooth, strict=True) if is_smooth]
        smooth = [o for o, is_smooth in zip(self._outputs, self._smooth, strict=True) if is_smooth]
        gradients: Sequence[Array | None] = [None] * len(self._leaves)
        if given:
            gradients = torch.autograd.grad(
                smooth, self._leaves, given, retain_graph=True, create_graph=followed,
                allow_unused=True, is_grads_batched=batched,
            )  # fmt: skip
        lead = cotangents[0].shape[:1] if batched else ()
        return tuple(
            [
                x.new_zeros((*lead, *x.shape)) if g is None else g
                for g, x in zip(gradients, self._leaves, strict=True)
            ]
        )


def _are_batches(cotangents: Arrays) -> bool:
    """Whether no transform but ``vmap`` is at work, on numbers that nobody differentiates."""
    if any(one.key() != TransformType.Vmap for one in get_interpreter_stack() or ()):
        return False
    for c in cotangents:
        while is_batchedtensor(c):
            c = get_unwrapped(c)
        if c.requires_grad:
            return False
    return True


def vjp(function: Function, arrays: Arrays) -> tuple[Arrays, Pullback]:
    """As `multimlp.backend.Backend.vjp`."""
    leaves, own = _leaves(arrays)
    outputs = tuple(seen(function, leaves))
    followed = _is_followed(outputs, leaves, own)
    for leaf in own:
        leaf.multimlp_is_done = True
    return _given_out(outputs, followed, own), Pullback(outputs, leaves, own, followed)


def _leaves(arrays: Arrays, final: bool = False) -> tuple[Arrays, list[Array]]:
    """Tensors of this call's own to differentiate with respect to, and those of them that nobody else sees.

    One that is differentiated from outside too is copied, so that both derivatives tell it from what a function closes over; of a view,
    ``torch.compile`` loses the second derivative.
    """
    own: list[Array] = []
    leaves = []
    outside = not final and torch.is_grad_enabled()
    for array in arrays:
        if outside and array.requires_grad:
            leaves.append(array.clone())
        else:
            own.append(array.detach().requires_grad_())
            leaves.append(own[-1])
    return tuple(leaves), own


def _is_followed(outputs: Arrays, leaves: Arrays, own: Sequence[Array]) -> bool:
    """Whether somebody else differentiates what the outputs were made of: arguments, or what the function closes over."""
    return torch.is_grad_enabled() and (len(own) < len(leaves) or _lead_elsewhere(outputs, own))


def _lead_elsewhere(outputs: Arrays, own: Sequence[Array]) -> bool:
    """Whether autograd's graph ends at a tensor that is not of our own, nor of a call that has ended, whose pullback is called."""
    known = {id(leaf) for leaf in own}
    if any(o.requires_grad and o.grad_fn is None and id(o) not in known for o in outputs):
        return True
    stack = [o.grad_fn for o in outputs if o.grad_fn is not None]
    met = set(stack)
    while stack:
        for node, _ in stack.pop().next_functions:
            if node is None or node in met:
                continue
            met.add(node)
            if type(node).__name__ == "AccumulateGrad":
                if id(node.variable) not in known and not hasattr(node.variable, "multimlp_is_done"):
                    return True
            else:
                stack.append(node)
    return False


def _given_out(results: Arrays, followed: bool, own: Sequence[Array]) -> Arrays:
    """Results without what leads to our own tensors alone."""
    if followed and not own:
        return tuple(results)
    return tuple([r if followed and _lead_elsewhere((r,), own) else r.detach() for r in results])
