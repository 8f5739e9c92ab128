"""A Gluon block of MXNet: Dense layers, whose activations may be fused, and BatchNorm are seen by hooks."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from multimlp.errors import InputError, missing_dependency
from multimlp.interop._verify.run import Call, Opened, Run

try:
    import mxnet as mx
    from mxnet.gluon import Block, nn
except ImportError:
    raise missing_dependency("mxnet", "multimlp.interop.verify of Gluon blocks", "mxnet") from None


def opened(name: str, model: Any) -> Opened:
    """See `multimlp.interop._verify.opened`."""
    seen = (
        {layer: path for path, layer in _walk(model, "") if isinstance(layer, (nn.Dense, nn.BatchNorm))}
        if isinstance(model, Block)
        else {}
    )
    dense = [layer for layer in seen if isinstance(layer, nn.Dense)]
    if not dense or dense[0].weight.shape[1] <= 0:
        raise InputError(
            f"{name}: expected an initialised Gluon block of Dense layers, got {type(model).__name__}"
        )
    weight = dense[0].weight

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        return _run(model, seen, X, cotangent)

    return Opened("Gluon", int(weight.shape[1]), np.dtype(weight.dtype).name, run)


def _walk(block: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The block and all below it, which Gluon 2 holds by weak references, each with its path."""
    yield path, block
    for name, child in block._children.items():
        inner = child() if isinstance(child, weakref.ref) else child
        yield from _walk(inner, f"{path}.{name}" if path else str(name))


def _run(model: Any, called: dict[Any, str], X: np.ndarray, cotangent: np.ndarray | None) -> Run:
    seen: list[tuple[Any, Any, Any]] = []
    hooks = [
        layer.register_forward_hook(lambda layer, taken, given: seen.append((layer, taken[0], given)))
        for layer in called
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
    calls: dict[type, list[Call]] = {nn.Dense: [], nn.BatchNorm: []}
    for layer, taken, given in seen:
        kind = nn.Dense if isinstance(layer, nn.Dense) else nn.BatchNorm
        unfused = given.asnumpy() if kind is nn.BatchNorm or layer.act is None else None
        name = f"{kind.__name__} {called[layer]}".rstrip()
        calls[kind].append(Call(name, id(taken), id(given), taken.asnumpy(), unfused))
    found = Run(outputs.asnumpy()).calls(calls[nn.Dense], calls[nn.BatchNorm])
    if value is not None:
        value.backward(
            train_mode=False
        )  # or BatchNorm steps back as if it had used the statistics of the batch
        gradients = {"inputs": inputs.grad.asnumpy()}
        for i, layer in enumerate(layer for layer, *_ in seen if isinstance(layer, nn.Dense)):
            gradients[f"weight {i}"] = layer.weight.grad().asnumpy().T
            if layer.bias is not None:
                gradients[f"bias {i}"] = layer.bias.grad().asnumpy()
        found.gradients = gradients
    return found
