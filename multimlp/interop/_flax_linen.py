"""Steps as linen modules with their variables, and linen modules as steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import linen

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
from multimlp.interop._names import Names, chosen
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

_LAYERS = ("Sequential", "Dense", "BatchNorm", "LayerNorm", "RMSNorm", "Dropout", "functions of jax.nn")


class LinenResidual(linen.Module):
    """What comes in, added to what a module makes of it."""

    inner: linen.Module

    def __call__(self, x: Any) -> Any:
        return x + self.inner(x)


class LinenNamed(linen.Sequential):
    """A ``Sequential`` whose layers keep the names that they were given, where linen's own calls them ``layers_0``, ``layers_1``, ..."""

    preserve_adopted_names = True


class LinenMembersDense(linen.Module):
    """A fully connected layer of each member of an ensemble, whose kernel and bias have the members in front: rows (n, in), or
    (members, n, in), become (members, n, features)."""

    members: int
    features: int
    use_bias: bool = True
    param_dtype: Any = jax.numpy.float32

    @linen.compact
    def __call__(self, x: Any) -> Any:
        shape = (self.members, x.shape[-1], self.features)
        x = x @ self.param("kernel", _each_lecun_normal, shape, self.param_dtype)
        if not self.use_bias:
            return x
        bias = self.param("bias", linen.initializers.zeros, (self.members, self.features), self.param_dtype)
        return x + bias[:, None, :]


_each_lecun_normal = linen.initializers.lecun_normal(batch_axis=(0,))
"""Of every member as of one Dense layer."""


class LinenScale(linen.Module):
    """A learned scale and shift of each feature, ``x * scale + bias``."""

    @linen.compact
    def __call__(self, x: Any) -> Any:
        shape = x.shape[-1:]
        scale = self.param("scale", linen.initializers.ones, shape)
        return x * scale + self.param("bias", linen.initializers.zeros, shape)


# ---- writing ----------------------------------------


def linen_of(parts: Path, place: Placed, combine: str = "members") -> tuple[linen.Sequential, dict[str, Any]]:
    """The module and its parameters, by the names that linen gives to the layers of a Sequential; ``combine`` says what is made of the
    outputs of an ensemble."""
    layers: list[Any] = []
    variables: dict[str, Any] = {}
    names = Names(_module_name).of([part for part in parts if not isinstance(part, Pointwise)])
    for i, part in enumerate(parts):
        name = None if isinstance(part, Pointwise) else names.pop(0)  # a function
        layer, own = _layer(part, place, name)
        layers.append(layer)
        if own:
            variables[name or f"layers_{i}"] = own
    named = any(part.name for part in parts)
    return (LinenNamed if named else linen.Sequential)([*layers, *combining(combine)]), variables


def _module_name(name: str) -> str:
    """linen parts the modules of a path by slashes, and has attributes of its own."""
    plain = name.replace("/", "_")
    return f"{plain}_" if hasattr(linen.Sequential, plain) or plain in _TAKEN else plain


_TAKEN = ("layers", "name", "parent", "scope", "variables")


def _layer(part: Part, place: Placed, name: str | None) -> tuple[Any, dict[str, Any]]:
    kind: dict[str, Any] = {"dtype": place.dtype, "param_dtype": place.dtype, "name": name}
    if isinstance(part, Linear) and part.weight.ndim == 3:
        members, _, features = part.weight.shape
        layer = LinenMembersDense(
            members, features, part.bias is not None, param_dtype=place.dtype, name=name
        )
        return layer, _held(place, kernel=part.weight, bias=part.bias)
    if isinstance(part, Linear):
        return linen.Dense(part.weight.shape[1], part.bias is not None, **kind), _held(
            place, kernel=part.weight, bias=part.bias
        )
    if isinstance(part, Pointwise):
        return function_of(part, "Flax"), {}
    if isinstance(part, Dropout):
        return linen.Dropout(part.rate, deterministic=True, name=name), {}
    if isinstance(part, LayerNorm):
        norm = linen.LayerNorm(part.epsilon, use_bias=part.shift is not None, use_fast_variance=False, **kind)
        return norm, _held(place, scale=part.scale, bias=part.shift)
    if isinstance(part, RMSNorm):
        return linen.RMSNorm(part.epsilon, **kind), _held(place, scale=part.scale)
    if isinstance(part, Residual):
        inner, own = linen_of(part.inner, place)
        return LinenResidual(inner, name=name), {"inner": own}
    assert isinstance(part, Affine)
    return LinenScale(name=name), _held(place, scale=part.scale, bias=part.shift)


def _held(place: Placed, **values: Any) -> dict[str, Any]:
    return {name: place(array) for name, array in values.items() if array is not None}


# ---- reading ----------------------------------------


def read_linen(module: linen.Sequential, variables: Mapping[str, Any], reading: Builder) -> None:
    """Tell the builder what a Sequential does with its inputs.

    Parameters
    ----------
    module : flax.linen.Sequential
    variables : mapping
        ``{"params": ..., "batch_stats": ...}``

    Raises
    ------
    InputError
        For a layer that there is nothing for here, or one without variables; names it and its place.
    """
    if not is_plain(module, linen.Sequential):
        raise InputError(
            f"module: expected flax.linen.Sequential, got {type(module).__name__}, whose forward pass cannot be seen; build a "
            "Sequential of its layers, or give its variables alone to from_variables and say the activations"
        )
    _read(module, variables.get("params", {}), variables.get("batch_stats", {}), "", reading)


def _read(module: linen.Sequential, params: Any, statistics: Any, path: str, reading: Builder) -> None:
    for i, part in enumerate(module.layers):
        kind = type(part).__name__
        given = getattr(part, "name", None) if getattr(module, "preserve_adopted_names", False) else None
        name = given or f"layers_{i}"
        reading.at(kind, path + name, chosen(given or "", kind))
        own, seen = (held.get(name, {}) if isinstance(held, Mapping) else {} for held in (params, statistics))
        if is_plain(part, linen.Sequential):
            _read(part, own, seen, f"{path}{name}/", reading)
        elif isinstance(part, LinenResidual):
            outer, reading.parts = reading.parts, []
            _read(part.inner, own.get("inner", {}), seen.get("inner", {}), f"{path}{name}/inner/", reading)  # type: ignore[arg-type]
            inner, reading.parts = tuple(reading.parts), outer
            reading.at(kind, path + name, chosen(given or "", kind))
            reading.residual(inner)
        elif isinstance(part, linen.Module):
            _read_layer(part, _Arrays(own, reading), _Arrays(seen, reading), reading)
        else:
            read_function(part, "Flax", reading)


class _Arrays:
    """The arrays of one layer; one that is missing is an error."""

    def __init__(self, held: Any, reading: Builder) -> None:
        self._held, self._reading = held, reading

    def __call__(self, name: str, there: bool = True) -> Any:
        if not there:
            return None
        if name not in self._held:
            raise InputError(
                f"variables: the module has a layer {self._reading.where}, but there is no {name} for it"
            )
        return np.asarray(self._held[name])


def _read_layer(part: linen.Module, own: _Arrays, seen: _Arrays, reading: Builder) -> None:
    if is_plain(part, linen.Dense):
        reading.dense(own("kernel"), own("bias", part.use_bias))
    elif isinstance(part, LinenMembersDense):
        reading.dense_of_members(own("kernel"), own("bias", part.use_bias))
    elif is_plain(part, linen.Dropout):
        check_dropout(part, reading)
        reading.dropout(part.rate)
    elif is_plain(part, linen.BatchNorm) and part.axis == -1:
        scale, shift = own("scale", part.use_scale), own("bias", part.use_bias)
        reading.batch_norm(seen("mean"), seen("var"), scale, shift, part.epsilon)
    elif is_plain(part, linen.LayerNorm) and part.use_scale:
        check_norm(part, reading)
        reading.layer_norm(own("scale"), own("bias", part.use_bias), part.epsilon)
    elif is_plain(part, linen.RMSNorm) and part.use_scale:
        check_norm(part, reading)
        reading.rms_norm(own("scale"), part.epsilon)
    elif isinstance(part, LinenScale):
        reading.affine(own("scale"), own("bias"))
    else:
        raise unsupported_layer("Flax module", reading.where, _LAYERS)
