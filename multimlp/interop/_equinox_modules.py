"""Steps as Equinox modules, and Equinox modules as steps."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np

from multimlp.errors import InputError
from multimlp.interop._building import Builder
from multimlp.interop._jax import Placed, combining, function_of, is_plain, read_function, spec_of
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

_LAYERS = ("Sequential", "Linear", "BatchNorm", "LayerNorm", "RMSNorm", "Lambda", "Dropout", "Identity")


class EquinoxResidual(eqx.Module):
    """What comes in, added to what a module makes of it."""

    inner: eqx.nn.Sequential

    def __call__(self, x: Any, *, key: Any = None) -> Any:
        return x + self.inner(x, key=key)


class EquinoxNamed(eqx.nn.Sequential):
    """A ``Sequential`` that keeps what its layers are called; where one has no name there is ""."""

    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, names: Sequence[str], layers: Sequence[Any]) -> None:
        super().__init__(layers)
        self.names = tuple(names)


class EquinoxMembersLinear(eqx.Module):
    """A fully connected layer of each member of an ensemble, weight (members, out, in) and bias (members, out) or None: an example (in,),
    or (members, in), becomes (members, out)."""

    weight: Any
    bias: Any | None

    def __call__(self, x: Any, *, key: Any = None) -> Any:
        x = (self.weight @ x[..., None])[..., 0]
        return x if self.bias is None else x + self.bias


class EquinoxScale(eqx.Module):
    """A learned scale and shift of each feature, ``x * weight + bias``."""

    weight: Any
    bias: Any

    def __call__(self, x: Any, *, key: Any = None) -> Any:
        return x * self.weight + self.bias


def equinox_of(parts: Path, place: Placed, combine: str = "members") -> eqx.nn.Sequential:
    """The module that computes what these steps compute; ``combine`` says what is made of the outputs of an ensemble."""
    layers = [_layer(part, place) for part in parts] + [eqx.nn.Lambda(f) for f in combining(combine)]
    names = [part.name for part in parts]
    return EquinoxNamed(names, layers) if any(names) else eqx.nn.Sequential(layers)


def _layer(part: Part, place: Placed) -> Any:
    if isinstance(part, Linear) and part.weight.ndim == 3:
        bias = None if part.bias is None else place(part.bias)
        return EquinoxMembersLinear(place(part.weight.swapaxes(1, 2)), bias)
    if isinstance(part, Linear):
        fan_in, fan_out = part.weight.shape
        linear = eqx.nn.Linear(
            fan_in, fan_out, part.bias is not None, dtype=place.dtype, key=jax.random.key(0)
        )
        return _filled(linear, place, weight=part.weight.T, bias=part.bias)
    if isinstance(part, Pointwise):
        return eqx.nn.Lambda(function_of(part, "Equinox"))
    if isinstance(part, Dropout):
        return eqx.nn.Dropout(part.rate, inference=True)
    if isinstance(part, LayerNorm):
        norm = eqx.nn.LayerNorm(
            len(part.scale), part.epsilon, use_bias=part.shift is not None, dtype=place.dtype
        )
        return _filled(norm, place, weight=part.scale, bias=part.shift)
    if isinstance(part, RMSNorm):
        rms = eqx.nn.RMSNorm(len(part.scale), part.epsilon, use_bias=False, dtype=place.dtype)
        return _filled(rms, place, weight=part.scale)
    if isinstance(part, Residual):
        return EquinoxResidual(equinox_of(part.inner, place))
    assert isinstance(part, Affine)
    return EquinoxScale(place(part.scale), place(part.shift))


def _filled(module: Any, place: Placed, **values: Any) -> Any:
    for name, array in values.items():
        if array is not None:
            module = eqx.tree_at(operator.attrgetter(name), module, place(array))
    return module


class Reading:
    """Tells the builder what a module does with its inputs.

    Parameters
    ----------
    reading : Builder
    state : eqx.nn.State, optional
        Of the batch normalisation in it.
    """

    def __init__(self, reading: Builder, state: Any) -> None:
        self._reading, self._state = reading, state

    def read(self, model: Any, path: str = "") -> None:
        """Of ``eqx.nn.Sequential`` and ``eqx.nn.MLP``.

        Raises
        ------
        InputError
            For a layer or a function that there is nothing for here; names it and its place.
        """
        if is_plain(model, eqx.nn.MLP):
            self._read_mlp(model, path)
        elif is_plain(model, eqx.nn.Sequential):
            names = model.names if isinstance(model, EquinoxNamed) else ()
            for i, part in enumerate(model.layers):
                kind = type(part).__name__
                name = chosen(names[i], kind) if i < len(names) else ""
                self._reading.where, self._reading.name = f"{kind} {path}{i}", name
                self._read_part(part, f"{path}{i}.")
        else:
            raise InputError(
                f"model: expected eqx.nn.MLP or eqx.nn.Sequential, got {type(model).__name__}, whose forward pass cannot be seen; build "
                "a Sequential of its layers"
            )

    def _read_mlp(self, model: eqx.nn.MLP, path: str) -> None:
        last, self._reading.name = len(model.layers) - 1, ""
        for i, linear in enumerate(model.layers):
            self._reading.where = f"Linear {path}{i}"
            self._dense(linear)
            rule = _plain(model.final_activation if i == last else model.activation)
            self._reading.activation(spec_of(rule, "Equinox"))

    def _dense(self, linear: eqx.nn.Linear) -> None:
        weight = np.asarray(linear.weight)
        self._reading.dense(weight.T, None if linear.bias is None else np.asarray(linear.bias))

    def _read_part(self, part: Any, path: str) -> None:
        reading = self._reading
        if is_plain(part, eqx.nn.Sequential) or is_plain(part, eqx.nn.MLP):
            self.read(part, path)
        elif isinstance(part, EquinoxResidual):
            (outer, reading.parts), where, name = (reading.parts, []), reading.where, reading.name
            self.read(part.inner, path)
            inner, reading.parts = tuple(reading.parts), outer
            reading.where, reading.name = where, name
            reading.residual(inner)
        elif is_plain(part, eqx.nn.Linear):
            self._dense(part)
        elif isinstance(part, EquinoxMembersLinear):
            reading.dense_of_members(np.asarray(part.weight).swapaxes(1, 2), _host(part.bias))
        elif is_plain(part, eqx.nn.Lambda):
            read_function(part.fn, "Equinox", reading)
        elif is_plain(part, eqx.nn.Dropout):
            reading.dropout(part.p)
        elif is_plain(part, eqx.nn.BatchNorm):
            self._batch_norm(part)
        elif is_plain(part, eqx.nn.LayerNorm) and part.weight is not None:
            reading.layer_norm(_host(part.weight), _host(part.bias), part.eps)
        elif is_plain(part, eqx.nn.RMSNorm) and part.weight is not None and part.bias is None:
            reading.rms_norm(_host(part.weight), part.eps)
        elif isinstance(part, EquinoxScale):
            reading.affine(_host(part.weight), _host(part.bias))
        elif not is_plain(part, eqx.nn.Identity):
            raise unsupported_layer("Equinox model", reading.where, _LAYERS)

    def _batch_norm(self, part: eqx.nn.BatchNorm) -> None:
        if self._state is None:
            raise InputError(
                f"state: {self._reading.where} keeps its statistics there; give the eqx.nn.State of the model"
            )
        if part.ema_state_index is not None:
            mean, variance = self._state.get(part.ema_state_index)
        else:
            count = int(self._state.get(part.batch_counter))
            held = 1.0 if count == 0 else 1 - part.momentum**count
            mean, variance = (
                np.asarray(value, np.float64) / held for value in self._state.get(part.batch_state_index)
            )
        self._reading.batch_norm(mean, variance, _host(part.weight), _host(part.bias), part.eps)


def _host(array: Any) -> np.ndarray | None:
    return None if array is None else np.asarray(array)


def _plain(activation: Any) -> Any:
    """`eqx.nn.MLP` wraps its activation in a module of one member a unit."""
    return getattr(activation, "fn", activation)
