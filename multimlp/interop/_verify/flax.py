"""Flax: ``(linen module, variables)``, whose Dense layers are seen by an interceptor, and ``nnx`` modules."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from flax import linen, nnx

from multimlp.backend import load_backend
from multimlp.errors import InputError
from multimlp.interop._verify.run import Opened, Run, first_width


def opened(name: str, model: Any) -> Opened:
    """See `multimlp.interop._verify.opened`."""
    if isinstance(model, nnx.Module):
        return _opened_nnx(name, model)
    if not (isinstance(model, tuple) and isinstance(model[0], linen.Module)):
        raise InputError(
            f"{name}: expected (linen module, variables) or an nnx.Module, got {type(model).__name__}"
        )
    module, variables = model
    kernel = next((leaf for leaf in jax.tree.leaves(variables) if getattr(leaf, "ndim", 0) == 2), None)
    if kernel is None:
        raise InputError(f"{name}: the variables hold no kernel of shape (in, out)")
    dtype = str(kernel.dtype)
    width = _first_width(module, variables, name)

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        with load_backend("jax").scope(dtype):
            return _run_linen(module, variables, jax.numpy.asarray(X, dtype), cotangent)

    return Opened("Flax linen", width, dtype, run)


def _first_width(module: linen.Module, variables: Any, name: str) -> int:
    """Inputs of the layer that is called first."""
    widths = {leaf.shape[0] for leaf in jax.tree.leaves(variables) if getattr(leaf, "ndim", 0) == 2}
    found = first_width(
        sorted(widths),
        lambda width: jax.eval_shape(
            lambda x: module.apply(variables, x), jax.ShapeDtypeStruct((1, width), "float32")
        ),
    )
    if found is not None:
        return found
    raise InputError(f"{name}: the module takes none of the widths {sorted(widths)} of its kernels")


def _run_linen(module: linen.Module, variables: Any, X: jax.Array, cotangent: np.ndarray | None) -> Run:
    seen: list[tuple[str, Any, Any]] = []

    def watch(call: Any, arguments: Any, keywords: Any, context: Any) -> Any:
        out = call(*arguments, **keywords)
        if isinstance(context.module, linen.Dense) and context.method_name == "__call__":
            seen.append(("/".join(context.module.path), arguments[0], out))
        return out

    with linen.intercept_methods(watch):
        outputs = module.apply(variables, X)
    names = [f"Dense {path!r}" for path, _, _ in seen]
    found = Run(np.asarray(outputs)).chain(
        names, [np.asarray(out) for *_, out in seen], [np.asarray(x) for _, x, _ in seen]
    )
    if cotangent is None:
        return found

    def value(variables: Any, X: jax.Array) -> Any:
        return (_outputs(module, variables, X) * jax.numpy.asarray(cotangent, X.dtype)).sum()

    in_variables, in_inputs = jax.grad(value, argnums=(0, 1))(variables, X)
    gradients = {"inputs": np.asarray(in_inputs)}
    for i, (path, _, _) in enumerate(seen):
        layer = in_variables["params"]
        for part in path.split("/"):
            layer = layer[part]
        gradients[f"weight {i}"] = np.asarray(layer["kernel"])
        if "bias" in layer:
            gradients[f"bias {i}"] = np.asarray(layer["bias"])
    found.gradients = gradients
    return found


def _outputs(module: linen.Module, variables: Any, X: jax.Array) -> Any:
    return module.apply(variables, X)


def _opened_nnx(name: str, model: nnx.Module) -> Opened:
    if not isinstance(model, nnx.Sequential) or not any(isinstance(p, nnx.Linear) for p in model.layers):
        raise InputError(
            f"{name}: expected an nnx.Sequential with a Linear layer, got {type(model).__name__}"
        )
    first = next(part for part in model.layers if isinstance(part, nnx.Linear))
    dtype = str(first.kernel[...].dtype)

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        with load_backend("jax").scope(dtype):
            return _run_nnx(model, jax.numpy.asarray(X, dtype), cotangent)

    return Opened("Flax nnx", int(first.in_features), dtype, run)


def _run_nnx(model: nnx.Sequential, X: jax.Array, cotangent: np.ndarray | None) -> Run:
    names: list[str] = []
    before: list[np.ndarray | None] = []
    inputs: list[np.ndarray] = []
    hidden = X
    for i, part in enumerate(model.layers):
        out = part(hidden)
        if isinstance(part, nnx.Linear):
            names.append(f"Linear {i}")
            inputs.append(np.asarray(hidden))
            before.append(np.asarray(out))
        hidden = out
    found = Run(np.asarray(model(X))).chain(names, before, inputs)
    if cotangent is None:
        return found

    def value(model: nnx.Sequential, X: jax.Array) -> Any:
        return (model(X) * jax.numpy.asarray(cotangent, X.dtype)).sum()

    in_model = nnx.grad(value)(model, X)
    gradients = {"inputs": np.asarray(nnx.grad(value, argnums=1)(model, X))}
    linears = [(i, part) for i, part in enumerate(model.layers) if isinstance(part, nnx.Linear)]
    for number, (i, part) in enumerate(linears):
        layer = in_model["layers"][i]
        gradients[f"weight {number}"] = np.asarray(layer["kernel"][...])
        if part.bias is not None:
            gradients[f"bias {number}"] = np.asarray(layer["bias"][...])
    found.gradients = gradients
    return found
