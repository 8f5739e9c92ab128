"""Flax: ``(linen module, variables)``, whose Dense layers are seen by an interceptor, and ``nnx`` modules."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from flax import linen, nnx

from multimlp.backend import load_backend
from multimlp.errors import InputError
from multimlp.interop._ensembles import in_rows, one_below_the_other
from multimlp.interop._verify.run import Call, Opened, Run, first_width
from multimlp.interop.flax import LinenMembersDense, NnxMembersLinear, NnxNamed

_LINEN, _NNX = (linen.Dense, LinenMembersDense), (nnx.Linear, NnxMembersLinear)
"""Fully connected layers, whose kernels are (in, out), with members in front of an ensemble's."""


def opened(name: str, model: Any) -> Opened:
    """See `multimlp.interop._verify.opened`."""
    if isinstance(model, nnx.Module):
        return _opened_nnx(name, model)
    if not (isinstance(model, tuple) and isinstance(model[0], linen.Module)):
        raise InputError(
            f"{name}: expected (linen module, variables) or an nnx.Module, got {type(model).__name__}"
        )
    module, variables = model
    kernel = next((leaf for leaf in jax.tree.leaves(variables) if getattr(leaf, "ndim", 0) in (2, 3)), None)
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
    widths = {leaf.shape[-2] for leaf in jax.tree.leaves(variables) if getattr(leaf, "ndim", 0) in (2, 3)}
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
    seen: list[tuple[linen.Module, Any, Any]] = []

    def watch(call: Any, arguments: Any, keywords: Any, context: Any) -> Any:
        out = call(*arguments, **keywords)
        if isinstance(context.module, (*_LINEN, linen.BatchNorm)) and context.method_name == "__call__":
            seen.append((context.module, arguments[0], out))
        return out

    with linen.intercept_methods(watch):
        outputs = module.apply(variables, X)
    paths = ["/".join(map(str, part.path)) for part, *_ in seen if isinstance(part, _LINEN)]
    layers, normalised = (
        [
            _call(f"{type(part).__name__} {'/'.join(map(str, part.path))!r}", taken, given)
            for part, taken, given in seen
            if isinstance(part, kinds)
        ]
        for kinds in (_LINEN, linen.BatchNorm)
    )
    found = Run(in_rows(np.asarray(outputs))).calls(layers, normalised)
    if cotangent is None:
        return found
    along = _along(outputs, cotangent)

    def value(variables: Any, X: jax.Array) -> Any:
        return (_outputs(module, variables, X) * along).sum()

    in_variables, in_inputs = jax.grad(value, argnums=(0, 1))(variables, X)
    gradients = {"inputs": np.asarray(in_inputs)}
    for i, path in enumerate(paths):
        layer = in_variables["params"]
        for part in path.split("/"):
            layer = layer[part]
        gradients[f"weight {i}"] = np.asarray(layer["kernel"])
        if "bias" in layer:
            gradients[f"bias {i}"] = np.asarray(layer["bias"])
    found.gradients = gradients
    return found


def _call(name: str, taken: jax.Array, given: jax.Array) -> Call:
    values = (one_below_the_other(np.asarray(array)) for array in (taken, given))
    return Call(name, id(taken), id(given), *values)


def _along(outputs: Any, cotangent: np.ndarray) -> jax.Array:
    """The cotangent as the outputs are, of an ensemble with members in front."""
    if outputs.ndim == 3:
        cotangent = cotangent.reshape(outputs.shape[1], outputs.shape[0], -1).transpose(1, 0, 2)
    return jax.numpy.asarray(cotangent, outputs.dtype)


def _outputs(module: linen.Module, variables: Any, X: jax.Array) -> Any:
    return module.apply(variables, X)


def _opened_nnx(name: str, model: nnx.Module) -> Opened:
    if not isinstance(model, nnx.Sequential) or not any(isinstance(p, _NNX) for p in model.layers):
        raise InputError(
            f"{name}: expected an nnx.Sequential with a Linear layer, got {type(model).__name__}"
        )
    kernel = next(part for part in model.layers if isinstance(part, _NNX)).kernel[...]
    dtype = str(kernel.dtype)

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        with load_backend("jax").scope(dtype):
            return _run_nnx(model, jax.numpy.asarray(X, dtype), cotangent)

    return Opened("Flax nnx", int(kernel.shape[-2]), dtype, run)


def _run_nnx(model: nnx.Sequential, X: jax.Array, cotangent: np.ndarray | None) -> Run:
    calls: list[tuple[Any, Call]] = []
    names = dict(enumerate(model.names if isinstance(model, NnxNamed) else ()))
    kept = [X]  # or another array could get the id of one that is gone
    for i, part in enumerate(model.layers):
        hidden = kept[-1]
        kept.append(
            part(hidden, use_running_average=True) if isinstance(part, nnx.BatchNorm) else part(hidden)
        )
        place = repr(names[i]) if names.get(i) else str(i)
        calls.append((part, _call(f"{type(part).__name__} {place}", hidden, kept[-1])))
    found = Run(in_rows(np.asarray(kept[-1]))).calls(
        [call for part, call in calls if isinstance(part, _NNX)],
        [call for part, call in calls if isinstance(part, nnx.BatchNorm)],
    )
    if cotangent is None:
        return found
    along = _along(kept[-1], cotangent)

    def value(model: nnx.Sequential, X: jax.Array) -> Any:
        return (model(X) * along).sum()

    in_model = nnx.grad(value)(model, X)
    gradients = {"inputs": np.asarray(nnx.grad(value, argnums=1)(model, X))}
    linears = [(i, part) for i, part in enumerate(model.layers) if isinstance(part, _NNX)]
    for number, (i, part) in enumerate(linears):
        layer = in_model["layers"][i]
        gradients[f"weight {number}"] = np.asarray(layer["kernel"][...])
        if part.bias is not None:
            gradients[f"bias {number}"] = np.asarray(layer["bias"][...])
    found.gradients = gradients
    return found
