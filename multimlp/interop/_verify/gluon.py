"""A Gluon block of MXNet: Dense layers, whose activations may be fused, are seen by hooks."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from multimlp.errors import InputError, missing_dependency
from multimlp.interop._verify.run import Opened, Run

try:
    import mxnet as mx
    from mxnet.gluon import Block, nn
except ImportError:
    raise missing_dependency("mxnet", "multimlp.interop.verify of Gluon blocks", "mxnet") from None


def opened(name: str, model: Any) -> Opened:
    """See `multimlp.interop._verify.opened`."""
    dense = (
        [layer for layer in _walk(model) if isinstance(layer, nn.Dense)] if isinstance(model, Block) else []
    )
    if not dense or dense[0].weight.shape[1] <= 0:
        raise InputError(
            f"{name}: expected an initialised Gluon block of Dense layers, got {type(model).__name__}"
        )
    weight = dense[0].weight

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        return _run(model, dense, X, cotangent)

    return Opened("Gluon", int(weight.shape[1]), np.dtype(weight.dtype).name, run)


def _walk(block: Any) -> Iterator[Any]:
    """The block and all below it, which Gluon 2 holds by weak references."""
    yield block
    for child in block._children.values():
        yield from _walk(child() if isinstance(child, weakref.ref) else child)


def _run(model: Any, dense: list[Any], X: np.ndarray, cotangent: np.ndarray | None) -> Run:
    seen: list[tuple[Any, Any, Any]] = []
    hooks = [
        layer.register_forward_hook(lambda layer, taken, given: seen.append((layer, taken[0], given)))
        for layer in dense
    ]
    inputs = mx.np.array(X, dtype=X.dtype)
    inputs.attach_grad()
    try:
        with mx.autograd.record(train_mode=False):
            outputs = model(inputs)
            value = None if cotangent is None else (outputs * mx.np.array(cotangent, dtype=X.dtype)).sum()
    finally:
        for hook in hooks:
            hook.detach()
    before = [given.asnumpy() if layer.act is None else None for layer, _, given in seen]
    names = [f"Dense {i}" for i in range(len(seen))]
    found = Run(outputs.asnumpy()).chain(names, before, [taken.asnumpy() for _, taken, _ in seen])
    if value is not None:
        value.backward()
        gradients = {"inputs": inputs.grad.asnumpy()}
        for i, (layer, _, _) in enumerate(seen):
            gradients[f"weight {i}"] = layer.weight.grad().asnumpy().T
            if layer.bias is not None:
                gradients[f"bias {i}"] = layer.bias.grad().asnumpy()
        found.gradients = gradients
    return found
