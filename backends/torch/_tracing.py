"""Functions as torch.fx records them: nothing is left but torch's own operations, in the order in which they ran.

The shapes are those of the call and the values unknown, so that a function which asks for a value, or for a shape that depends on
values, cannot be recorded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch

from multimlp.backend import Array, Arrays, Function, when_kernels_change


class _State(threading.local):
    is_seen = False
    is_tracing = False
    for_compiler = False


_STATE = _State()
_kernels: list[object] = [object()]
"""Another one whenever operations may have other kernels."""


def _forget_kernels() -> None:
    _kernels[0] = object()


when_kernels_change(_forget_kernels)


def is_tracing() -> bool:
    """Whether this thread records a function, here or in dynamo."""
    return _STATE.is_tracing or torch.compiler.is_compiling()


def is_compiling() -> bool:
    """Whether what runs now is recorded for a compiler that generates code, and not for torch's own kernels."""
    return _STATE.for_compiler or torch.compiler.is_compiling()


def is_seen() -> bool:
    """Whether a transform sees what runs now: one of ours, or of `torch.func`."""
    return _STATE.is_seen or torch._C._are_functorch_transforms_active()


def seen(function: Callable[[Arrays], Any], leaves: Arrays) -> Any:
    """``function(leaves)`` for autograd to see."""
    before, _STATE.is_seen = _STATE.is_seen, True
    try:
        with torch.enable_grad():
            return function(leaves)
    finally:
        _STATE.is_seen = before


def surroundings(arrays: Arrays) -> Any | None:
    """What a record depends on beside the arrays; None where none can be made, since others record or differentiate the call."""
    if (
        torch._C._len_torch_function_stack()
        or torch._C._len_torch_dispatch_stack()
        or torch.is_inference_mode_enabled()
        or any(type(a) is not torch.Tensor for a in arrays)
        or (torch.is_grad_enabled() and any(a.requires_grad for a in arrays))
    ):
        return None
    cpu, gpu = torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")
    return torch.is_grad_enabled(), torch.get_default_dtype(), cpu, gpu, _kernels[0]


def traced(function: Function, arrays: Arrays, for_compiler: bool) -> Function | None:
    """``function`` without Python between its operations; None if it cannot be recorded.

    What it closes over, and its constants, are inputs of the record, by reference.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    before = _STATE.is_tracing, _STATE.for_compiler
    _STATE.is_tracing, _STATE.for_compiler = True, for_compiler
    try:
        record = make_fx(lambda *xs: tuple(function(xs)), tracing_mode="fake", _allow_non_fake_inputs=True)(
            *arrays
        )
    except Exception:  # values asked for, shapes that depend on values, errors of the function itself
        return None
    finally:
        _STATE.is_tracing, _STATE.for_compiler = before
    constants = _lifted(record)
    differentiated = torch.is_grad_enabled() and any(c.requires_grad for c in constants)
    if not differentiated:
        _forget_detach(record.graph)
    record.graph.eliminate_dead_code()
    record.recompile()
    run: Callable[..., Arrays] = type(record).forward

    def recorded(xs: Arrays) -> Arrays:
        return run(None, *xs, *constants)

    if differentiated or for_compiler:
        return recorded

    def undifferentiated(xs: Arrays) -> Arrays:
        with torch.no_grad():
            return run(None, *xs, *constants)

    return undifferentiated


def _lifted(record: Any) -> list[Array]:
    """Constants become inputs behind the others; their tensors."""
    graph = record.graph
    last = [node for node in graph.nodes if node.op == "placeholder"][-1]
    inputs: dict[str, Any] = {}
    for node in [node for node in graph.nodes if node.op == "get_attr"]:
        if node.target not in inputs:
            with graph.inserting_after(last):
                last = inputs[node.target] = graph.placeholder(node.target)
        node.replace_all_uses_with(inputs[node.target])
        graph.erase_node(node)
    return [getattr(record, name) for name in inputs]


def _forget_detach(graph: Any) -> None:
    """Where nobody differentiates, `detach` costs a call and does nothing but to tell a result from an input."""
    inputs = {node for node in graph.nodes if node.op == "placeholder"}
    for node in list(graph.nodes):
        if node.target is torch.ops.aten.detach.default and node.args[0] not in inputs:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
