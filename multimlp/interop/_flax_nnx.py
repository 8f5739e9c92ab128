"""Steps as nnx modules, and nnx modules as steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flax import nnx

from multimlp.errors import InputError
from multimlp.interop._building import Builder
from multimlp.interop._jax import (
    Placed,
    check_dropout,
    check_norm,
    combining,
    function_of,
    is_plain,
    read_function,
)
from multimlp.interop._layers import unsupported_layer
from multimlp.interop._names import chosen
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


class NnxNamed(nnx.Sequential):
    """A ``Sequential`` that keeps what its layers are called; where one has no name there is ""."""

    def __init__(self, names: Sequence[str], *layers: Any) -> None:
        super().__init__(*layers)
        self.names = tuple(names)


class NnxMembersLinear(nnx.Module):
    """A fully connected layer of each member of an ensemble, kernel (members, in, out) and bias (members, out) or None: rows (n, in), or
    (members, n, in), become (members, n, out)."""

    def __init__(self, kernel: Any, bias: Any | None) -> None:
        self.kernel = nnx.Param(kernel)
        self.bias = None if bias is None else nnx.Param(bias)

    def __call__(self, x: Any) -> Any:
        x = x @ self.kernel[...]
        return x if self.bias is None else x + self.bias[...][:, None, :]


class NnxScale(nnx.Module):
    """A learned scale and shift of each feature, ``x * scale + bias``."""

    def __init__(self, scale: Any, bias: Any) -> None:
        self.scale, self.bias = nnx.Param(scale), nnx.Param(bias)

    def __call__(self, x: Any) -> Any:
        return x * self.scale[...] + self.bias[...]


def nnx_of(parts: Path, place: Placed, combine: str = "members") -> nnx.Sequential:
    """The module that computes what these steps compute; ``combine`` says what is made of the outputs of an ensemble."""
    layers = [*(_layer(part, place) for part in parts), *combining(combine)]
    names = [part.name for part in parts]
    return NnxNamed(names, *layers) if any(names) else nnx.Sequential(*layers)


def _layer(part: Part, place: Placed) -> Any:
    kind: dict[str, Any] = {"dtype": place.dtype, "param_dtype": place.dtype, "rngs": nnx.Rngs(0)}
    if isinstance(part, Linear) and part.weight.ndim == 3:
        return NnxMembersLinear(place(part.weight), None if part.bias is None else place(part.bias))
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
    if not is_plain(model, nnx.Sequential):
        raise InputError(
            f"model: expected an nnx.Sequential, got {type(model).__name__}, whose forward pass cannot be seen; build a Sequential of "
            "its layers"
        )
    names = model.names if isinstance(model, NnxNamed) else ()
    for i, part in enumerate(model.layers):
        kind = type(part).__name__
        name = chosen(names[i], kind) if i < len(names) else ""
        where = f"{kind} {path}{i}"
        reading.where, reading.name = where, name
        if is_plain(part, nnx.Sequential):
            read_nnx(part, reading, f"{path}{i}.")
        elif isinstance(part, NnxResidual):
            outer, reading.parts = reading.parts, []
            read_nnx(part.inner, reading, f"{path}{i}.inner.")
            inner, reading.parts = tuple(reading.parts), outer
            reading.where, reading.name = where, name
            reading.residual(inner)
        elif isinstance(part, nnx.Module):
            _read_layer(part, reading)
        else:
            read_function(part, "Flax", reading)


def _read_layer(part: nnx.Module, reading: Builder) -> None:
    if is_plain(part, nnx.Linear):
        reading.dense(_host(part.kernel), _host(part.bias))
    elif isinstance(part, NnxMembersLinear):
        reading.dense_of_members(_host(part.kernel), _host(part.bias))
    elif is_plain(part, nnx.Dropout):
        check_dropout(part, reading)
        reading.dropout(part.rate)
    elif is_plain(part, nnx.BatchNorm) and part.axis == -1:
        reading.batch_norm(
            _host(part.mean), _host(part.var), _host(part.scale), _host(part.bias), part.epsilon
        )
    elif is_plain(part, nnx.LayerNorm) and part.scale is not None:
        check_norm(part, reading)
        reading.layer_norm(_host(part.scale), _host(part.bias), part.epsilon)
    elif is_plain(part, nnx.RMSNorm) and part.scale is not None:
        check_norm(part, reading)
        reading.rms_norm(_host(part.scale), part.epsilon)
    elif isinstance(part, NnxScale):
        reading.affine(_host(part.scale), _host(part.bias))
    else:
        raise unsupported_layer("Flax model", reading.where, _LAYERS)


def _host(variable: Any) -> np.ndarray | None:
    return None if variable is None else np.asarray(variable[...])
