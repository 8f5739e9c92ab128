"""Steps as nnx modules, and nnx modules as steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from flax import nnx

from multimlp.errors import InputError
from multimlp.interop._building import Builder
from multimlp.interop._jax import Placed, function_of, spec_of
from multimlp.interop._layers import unsupported_layer
from multimlp.interop._parts import (
    Affine,
    Dropout,
    LayerNorm,
    Linear,
    Part,
    Path,
    Pointwise,
    Residual,
    RMSNorm,
)

_LAYERS = ("Sequential", "Linear", "BatchNorm", "LayerNorm", "RMSNorm", "Dropout", "functions of jax.nn")


class NnxResidual(nnx.Module):
    """What comes in, added to what a module makes of it."""

    def __init__(self, inner: nnx.Sequential) -> None:
        self.inner = inner

    def __call__(self, x: Any) -> Any:
        return x + self.inner(x)


class NnxScale(nnx.Module):
    """A learned scale and shift of each feature, ``x * scale + bias``."""

    def __init__(self, scale: Any, bias: Any) -> None:
        self.scale, self.bias = nnx.Param(scale), nnx.Param(bias)

    def __call__(self, x: Any) -> Any:
        return x * self.scale[...] + self.bias[...]


def nnx_of(parts: Path, place: Placed) -> nnx.Sequential:
    """The module that computes what these steps compute."""
    return nnx.Sequential(*(_layer(part, place) for part in parts))


def _layer(part: Part, place: Placed) -> Any:
    kind: dict[str, Any] = {"dtype": place.dtype, "param_dtype": place.dtype, "rngs": nnx.Rngs(0)}
    if isinstance(part, Linear):
        linear = nnx.Linear(*part.weight.shape, use_bias=part.bias is not None, **kind)
        return _filled(linear, place, kernel=part.weight, bias=part.bias)
    if isinstance(part, Pointwise):
        return function_of(part, "Flax")
    if isinstance(part, Dropout):
        return nnx.Dropout(part.rate, deterministic=True, rngs=nnx.Rngs(0))
    if isinstance(part, LayerNorm):
        options: dict[str, Any] = {
            "epsilon": part.epsilon,
            "use_bias": part.shift is not None,
            "use_fast_variance": False,
        }
        norm = nnx.LayerNorm(len(part.scale), **options, **kind)
        return _filled(norm, place, scale=part.scale, bias=part.shift)
    if isinstance(part, RMSNorm):
        return _filled(nnx.RMSNorm(len(part.scale), epsilon=part.epsilon, **kind), place, scale=part.scale)
    if isinstance(part, Residual):
        return NnxResidual(nnx_of(part.inner, place))
    assert isinstance(part, Affine)
    return NnxScale(place(part.scale), place(part.shift))


def _filled(module: Any, place: Placed, **values: Any) -> Any:
    for name, array in values.items():
        if array is not None:
            setattr(module, name, nnx.Param(place(array)))
    return module


def read_nnx(model: Any, reading: Builder, path: str = "") -> None:
    """Tell the builder what an ``nnx.Sequential`` does with its inputs.

    Raises
    ------
    InputError
        For a layer or a function that there is nothing for here; names it and its place.
    """
    if not isinstance(model, nnx.Sequential):
        raise InputError(
            f"model: expected an nnx.Sequential, got {type(model).__name__}, whose forward pass cannot be seen; build a Sequential of "
            "its layers"
        )
    for i, part in enumerate(model.layers):
        reading.where = f"{type(part).__name__} {path}{i}"
        if isinstance(part, nnx.Sequential):
            read_nnx(part, reading, f"{path}{i}.")
        elif isinstance(part, NnxResidual):
            outer, reading.parts = reading.parts, []
            read_nnx(part.inner, reading, f"{path}{i}.inner.")
            inner, reading.parts = tuple(reading.parts), outer
            reading.residual(inner)
        elif isinstance(part, nnx.Module):
            _read_layer(part, reading)
        else:
            reading.activation(spec_of(part, "Flax"))


def _read_layer(part: nnx.Module, reading: Builder) -> None:
    if isinstance(part, nnx.Linear):
        reading.dense(_host(part.kernel), _host(part.bias))
    elif isinstance(part, nnx.Dropout):
        reading.dropout(part.rate)
    elif isinstance(part, nnx.BatchNorm) and part.axis == -1:
        reading.batch_norm(
            _host(part.mean), _host(part.var), _host(part.scale), _host(part.bias), part.epsilon
        )
    elif isinstance(part, nnx.LayerNorm) and part.scale is not None:
        reading.layer_norm(_host(part.scale), _host(part.bias), part.epsilon)
    elif isinstance(part, nnx.RMSNorm) and part.scale is not None:
        reading.rms_norm(_host(part.scale), part.epsilon)
    elif isinstance(part, NnxScale):
        reading.affine(_host(part.scale), _host(part.bias))
    else:
        raise unsupported_layer("Flax model", reading.where, _LAYERS)


def _host(variable: Any) -> np.ndarray | None:
    return None if variable is None else np.asarray(variable[...])
