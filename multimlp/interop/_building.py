"""Steps of another library's model, taken in their order, become an MLP or a chain of blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from multimlp import activations, tree
from multimlp.backend import FLOAT_DTYPES, Backend, select
from multimlp.errors import DTypeError, InputError, ShapeError
from multimlp.interop._chains import chain_of
from multimlp.interop._ensembles import without_combination
from multimlp.interop._folding import folded
from multimlp.interop._layers import HostLayer, Network, plain_layers
from multimlp.interop._names import Names, chosen
from multimlp.interop._parts import (
    Affine,
    Combined,
    Dropout,
    Erf,
    LayerNorm,
    Linear,
    Part,
    Path,
    Pointwise,
    Residual,
    RMSNorm,
)
from multimlp.mlp import MLP, Params, check_params, layer_params
from multimlp.tree import Tree


class Builder:
    """Takes the parts of another library's model in their order and makes a model of them.

    Parameters
    ----------
    source : str
        What is being read, for errors: ``"torch model"``.

    Attributes
    ----------
    parts : list of Part
        What has been taken so far.
    where : str
        The layer that is being read, as its own library names it, and its place.
    name : str
        What its user has called it.
    has_layers : bool
        Whether a fully connected layer has been taken.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.parts: list[Part] = []
        self.where = ""
        self.name = ""
        self.has_layers = False
        self._on_rows = ""

    def at(self, kind: str, place: Any, name: str = "") -> None:
        """What is read next: its kind, its place as its own library says it, and what its user has called it."""
        self.where, self.name = f"{kind} {place!r}" if isinstance(place, str) else f"{kind} {place}", name

    @classmethod
    def from_arrays(
        cls,
        source: str,
        arrays: Mapping[str, np.ndarray],
        activation: Any,
        final_activation: Any,
        weight: str = "weight",
        transposed: bool = True,
    ) -> Builder:
        """From named arrays ``<layer>.weight`` and ``<layer>.bias`` in the order of the layers, which know no
        activations.

        Parameters
        ----------
        arrays : mapping
        activation : str, or one a hidden layer
        final_activation : str or None
        weight : str
            What weights are called.
        transposed : bool
            Whether weights are (out, in); those of an ensemble, which have the members in front, too.
        """
        layers = [name.removesuffix(weight) for name in arrays if name.endswith(weight)]
        known = {f"{layer}{part}" for layer in layers for part in (weight, "bias")}
        odd = [name for name in arrays if name not in known]
        odd += [f"{layer}{weight}" for layer in layers if arrays[f"{layer}{weight}"].ndim not in (2, 3)]
        if odd or not layers:
            found = repr(odd[0]) if odd else "nothing"
            raise InputError(
                f"{source}: expected weights and biases of fully connected layers only, found {found}; read a model of other layers "
                "as a whole, not its arrays alone"
            )
        reading = cls(source)
        for layer, rule in zip(layers, rules_of(activation, final_activation, len(layers)), strict=True):
            matrix, bias = arrays[f"{layer}{weight}"], arrays.get(f"{layer}bias")
            reading.named(layer)
            if transposed:
                matrix = matrix.swapaxes(-1, -2)
            if matrix.ndim == 2:
                reading.dense(matrix, bias)
            elif bias is None:
                raise InputError(
                    f"{source}: {layer + weight!r} of shape {arrays[layer + weight].shape} has no bias: nothing tells whether it is a "
                    "layer of an ensemble or a convolution; read the model as a whole"
                )
            else:
                reading.dense_of_members(matrix, bias)
            if rule is not None:
                reading.activation(rule)
        return reading

    def named(self, layer: str) -> None:
        """What is read next, by its name in a file of arrays."""
        self.where, self.name = layer.removesuffix("."), chosen(layer, *_OWN_NAMES)

    # ---- one part after the other

    def dense(self, weight: Any, bias: Any | None) -> None:
        """A fully connected layer: weight (in, out), bias (out,)."""
        self._linear(weight, bias, 2)

    def dense_of_members(self, weight: Any, bias: Any | None) -> None:
        """A fully connected layer of each member of an ensemble: weight (members, in, out), bias (members, out)."""
        self._linear(weight, bias, 3)

    def _linear(self, weight: Any, bias: Any | None, axes: int) -> None:
        self.has_layers = True
        matrix = self._floats(weight, "weight", axes)
        offset = None if bias is None else self._floats(bias, "bias", axes - 1)
        dtypes = tuple(array.dtype.name for array in (matrix, offset) if array is not None)
        self.parts.append(Linear(matrix, offset, dtypes, where=self.where, name=self.name))

    def _floats(self, values: Any, part: str, axes: int) -> np.ndarray:
        """Numbers of a floating dtype with so many axes, none of length 0."""
        array = np.asarray(values)
        where = f"the {self.source}'s layer {self.where}: its {part}"
        if array.ndim != axes or 0 in array.shape:
            raise ShapeError(f"{where} has shape {array.shape}, expected {axes} axes, none of them empty")
        if array.dtype.name not in FLOAT_DTYPES:
            raise DTypeError(f"{where} has dtype {array.dtype}, expected {', '.join(FLOAT_DTYPES)}")
        return array

    def activation(self, spec: Any, learned: Mapping[str, Any] | None = None) -> None:
        """An activation; see `multimlp.activations.parse`. The identity is nothing."""
        rule = activations.parse(_without_defaults(spec))
        held = {name: np.asarray(value) for name, value in (learned or {}).items()}
        for name, value in held.items():
            if value.dtype.name not in FLOAT_DTYPES:
                raise self.unlike(f"has the dtype {value.dtype} in {name!r} of the activation {rule.name!r}")
        if rule.name != "identity":
            fused = bool(self.parts) and self.parts[-1].name == self.name
            where, name = self.where or f"the activation {rule.name!r}", "" if fused else self.name
            self.parts.append(Pointwise(rule, held, where=where, name=name))

    def prelu(self, slopes: np.ndarray) -> None:
        """A learned slope for all units of the last layer, or one a unit."""
        if not slopes.size:
            raise self.unlike("has a prelu without slopes")
        per_unit = slopes.size > 1
        spec = {"name": "prelu", "learnable": True, "per_unit": per_unit}
        self.activation(spec, {"alpha": slopes if per_unit else slopes.reshape(())})

    def dropout(self, rate: float) -> None:
        """Dropout; at rate 0 it is nothing."""
        if rate:
            self.parts.append(Dropout(float(rate), where=self.where, name=self.name))

    def affine(self, scale: Any, shift: Any = 0.0) -> None:
        """``scale x + shift``: one number a feature, or one for all; a shift (members, 1, features) behind a layer of an ensemble."""
        values: list[np.ndarray] = [np.asarray(value, dtype=np.float64) for value in (scale, shift)]
        factor, offset = (_row(value) for value in values)
        of_members = offset.ndim == 3 and offset.shape[1] == 1
        if factor.ndim > 1 or (offset.ndim > 1 and not of_members):
            shapes = " and ".join(str(value.shape) for value in values)
            raise self.unlike(f"has {self.where} with numbers of the shapes {shapes}")
        if not all(np.isfinite(value).all() for value in values):
            raise self.unlike(f"has {self.where} with numbers that are not finite")
        if of_members:
            offset = offset[:, 0, :]
        self.parts.append(Affine(factor, offset, where=self.where, name=self.name))

    def batch_norm(self, mean: Any, variance: Any, scale: Any, shift: Any, epsilon: float) -> None:
        """Batch normalisation as a trained model does it, with the statistics that it has gathered: ``(x - m) / sqrt(v + e) s + b``;
        ``scale`` and ``shift`` may be None."""
        self.on_rows()
        mean, variance = (np.asarray(value, dtype=np.float64) for value in (mean, variance))
        factor = 1 / np.sqrt(variance + epsilon)
        if scale is not None:
            factor = factor * np.asarray(scale, dtype=np.float64)
        moved = -mean * factor
        if shift is not None:
            moved = moved + np.asarray(shift, dtype=np.float64)
        self.affine(factor, moved)

    def layer_norm(self, scale: Any, shift: Any | None, epsilon: float) -> None:
        """Layer normalisation over the last axis."""
        offset = None if shift is None else self._floats(shift, "shift", 1)
        self.parts.append(
            LayerNorm(
                self._floats(scale, "scale", 1), offset, float(epsilon), where=self.where, name=self.name
            )
        )

    def rms_norm(self, scale: Any, epsilon: float) -> None:
        """Normalisation by the root mean square of the last axis."""
        self.parts.append(
            RMSNorm(self._floats(scale, "scale", 1), float(epsilon), where=self.where, name=self.name)
        )

    def erf(self) -> None:
        """The error function."""
        self.parts.append(Erf(where=self.where, name=self.name))

    def residual(self, inner: Path) -> None:
        """What came in, added to what these steps make of it."""
        self.parts.append(Residual(inner, where=self.where, name=self.name))

    def combined(self, made: str) -> None:
        """What is made of the outputs of all members, or a step of it; see `multimlp.interop._ensembles.without_combination`."""
        self.parts.append(Combined(made, where=self.where, name=self.name))

    def on_rows(self) -> None:
        """What is read is something else on values that have members in front or behind the rows."""
        self._on_rows = self._on_rows or self.where

    def unlike(self, what: str) -> InputError:
        """The error for a structure that is neither an MLP nor a chain of blocks."""
        return InputError(
            f"the {self.source} {what}; read are chains of fully connected layers, activations, normalisations, dropout, and residual "
            "additions around them"
        )

    # ---- the model

    def build(
        self,
        backend: str | Backend | None = None,
        device: str | None = None,
        dtype: Any = None,
        like: Iterable[Any] = (),
        stored_dtype: str | None = None,
        combine: str = "members",
    ) -> tuple[Any, Any]:
        """The model and its parameters: on the backend asked for, else with the library of the arrays
        ``like``. An MLP where it is one, else a chain; of an ensemble without what is made of its outputs, which ``combine`` says."""
        parts = folded(without_combination(self.source, tuple(self.parts), combine))
        lone = next((part for part in parts if isinstance(part, Erf)), None)
        if lone is not None:
            raise self.unlike(f"has the error function outside of gelu, {lone.where}")
        linear = _linear(parts)
        if not linear:
            raise self.unlike("has no fully connected layer")
        dtypes = sorted({name for layer in linear for name in layer.dtypes})
        if dtype is None and len(dtypes) > 1:
            raise DTypeError(
                f"the {self.source} mixes the dtypes {' and '.join(dtypes)}; say which one it shall have: dtype= (--dtype)"
            )
        wanted = stored_dtype or dtypes[0] if dtype is None else dtype
        try:
            target = select(backend, device, wanted, like)
        except DTypeError as error:
            if dtype is not None:
                raise
            raise DTypeError(
                f"{error}; say which one the {self.source} shall have: dtype='float32' (--dtype float32)"
            ) from None

        def place(values: np.ndarray) -> Any:
            # A copy: on the host it may be the memory of the other library's model, which goes on being trained there.
            values = np.array(values, order="C")
            return target.backend.asarray(values, dtype=target.dtype, device=target.device)

        mlp, host = self._model(parts)
        params = tree.map(place, host)
        try:
            if isinstance(mlp, MLP):
                check_params(mlp, params)
            else:
                mlp.check_params(params)
        except InputError as error:
            raise type(error)(f"the {self.source} does not fit together: {error}") from None
        return mlp, params

    def _model(self, parts: Path) -> tuple[Network, Tree]:
        layers = plain_layers(parts)
        if any(layer.weight.ndim == 3 for layer in _linear(parts)) and (layers is None or self._on_rows):
            odd = f", with {self._on_rows}" if self._on_rows else ""
            raise self.unlike(f"is an ensemble of something else than plain networks{odd}")
        return chain_of(self.source, parts) if layers is None else self._mlp(layers)

    def _mlp(self, layers: list[HostLayer]) -> tuple[MLP, Params]:
        widths, names = [layer.weight.shape[-1] for layer in layers], Names()
        mlp = MLP(
            layers[0].weight.shape[-2],
            widths[:-1],
            widths[-1],
            activation=[layer.activation or "identity" for layer in layers[:-1]],
            final_activation=layers[-1].activation,
            use_bias=any(layer.bias is not None for layer in layers),
            dropout=[layer.dropout or 0.0 for layer in layers[:-1]],
            layer_names=[names(layer.name) if layer.name else None for layer in layers],
        )
        for i, (layer, row) in enumerate(zip(layers, mlp.layers, strict=True)):
            if layer.weight.shape[-2] != row.fan_in:
                raise ShapeError(
                    f"the {self.source}'s layer {i} takes {layer.weight.shape[-2]} inputs, but "
                    f"{row.fan_in} come in"
                )
        params = tuple(
            layer_params(layer.weight, _bias(layer) if mlp.use_bias else None, layer.learned)
            for layer in layers
        )
        return mlp, params


def rules_of(activation: Any, final_activation: Any, layers: int) -> list[Any]:
    """The activation of each of so many layers, from one for all hidden ones or one for each."""
    hidden = layers - 1
    rules = list(activation) if isinstance(activation, (list, tuple)) else [activation] * hidden
    if len(rules) != hidden:
        raise InputError(
            f"activation: {len(rules)} given for {hidden} hidden layers; give one, or one a layer"
        )
    return [*rules, final_activation]


_OWN_NAMES = ("dense", "linear", "fullyconnected")
"""What libraries call fully connected layers, a number behind it, if nobody says otherwise."""


def _linear(parts: Path) -> list[Linear]:
    """The fully connected layers among the steps, residual ones too."""
    found = []
    for part in parts:
        if isinstance(part, Linear):
            found.append(part)
        elif isinstance(part, Residual):
            found += _linear(part.inner)
    return found


def _row(values: np.ndarray) -> np.ndarray:
    """One number as an array of shape (), numbers along the last axis as one of one axis; anything else as it is."""
    if values.size == 1:
        return values.reshape(())
    return values.reshape(-1) if values.shape[-1] == values.size else values


def _bias(layer: HostLayer) -> np.ndarray:
    *members, _, fan_out = layer.weight.shape
    return np.zeros((*members, fan_out), layer.weight.dtype) if layer.bias is None else layer.bias


def _without_defaults(spec: Any) -> Any:
    """Options that only repeat the default are left out, so that equal models compare equal."""
    if not isinstance(spec, Mapping) or spec.get("learnable"):
        return spec
    activations.parse(spec)  # says what is wrong with it
    usual = activations.describe(spec["name"]).options
    return {name: value for name, value in spec.items() if name == "name" or value != usual.get(name)}
