"""The common ground of all conversions: a chain of host layers, taken from an MLP or read from another
library's model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from multimlp import activations, tree
from multimlp.activations import Activation
from multimlp.backend import FLOAT_DTYPES, Backend, owner, select
from multimlp.errors import DTypeError, InputError, ShapeError
from multimlp.mlp import MLP, Params, check_params, forward, layer_params, learned_by


@dataclass
class HostLayer:
    """A fully connected layer on the host, with what follows it."""

    weight: np.ndarray
    """Shape (in, out)."""
    bias: np.ndarray | None
    activation: Activation | None = None
    learned: dict[str, np.ndarray] = field(default_factory=dict)
    """What the activation has learned, by name."""
    dropout: float | None = None


def layers_of(mlp: MLP, params: Params) -> list[HostLayer]:
    """The layers of a model, activations and dropout with the layer that they follow.

    Raises
    ------
    InputError, ShapeError, DTypeError
        For an ensemble, or parameters that are not the model's.
    """
    check_params(mlp, params, single=True)
    last = len(mlp.layers) - 1
    return [
        HostLayer(
            on_host(layer.weight),
            None if layer.bias is None else on_host(layer.bias),
            row.activation,
            {name: on_host(value) for name, value in learned_by(layer).items()},
            mlp.dropout if i < last and mlp.dropout else None,
        )
        for i, (row, layer) in enumerate(zip(mlp.layers, params, strict=True))
    ]


def on_host(array: Any) -> np.ndarray:
    """An array of any library as NumPy's."""
    return np.asarray(owner(array).to_numpy(array))


def dtype_of(params: Params) -> str:
    """The dtype of the parameters, which the host cannot always express (bfloat16)."""
    leaf = tree.leaves(params)[0]
    return owner(leaf).dtype_name(leaf.dtype)


def with_dropout(mlp: MLP, params: Params, X: Any, drop: Callable[[Any], Any] | None) -> Any:
    """``mlp(params, X)``, with a framework's own dropout after each hidden layer if ``drop`` is given."""
    if drop is None or not mlp.dropout:
        return mlp(params, X)
    return forward(mlp.layers, params, X, lambda hidden, i: drop(hidden))


class Builder:
    """Takes the parts of another library's model in their order and makes an MLP of them.

    Parameters
    ----------
    source : str
        What is being read, for errors: ``"torch model"``.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._layers: list[HostLayer] = []

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
            Whether weights are (out, in).
        """
        layers = [name.removesuffix(weight) for name in arrays if name.endswith(weight)]
        known = {f"{layer}{part}" for layer in layers for part in (weight, "bias")}
        odd = [name for name in arrays if name not in known]
        odd += [f"{layer}{weight}" for layer in layers if arrays[f"{layer}{weight}"].ndim != 2]
        if odd or not layers:
            found = repr(odd[0]) if odd else "nothing"
            raise InputError(
                f"{source}: expected weights and biases of fully connected layers only, found {found}"
            )
        hidden = len(layers) - 1
        rules = list(activation) if isinstance(activation, (list, tuple)) else [activation] * hidden
        if len(rules) != hidden:
            raise InputError(
                f"activation: {len(rules)} given for {hidden} hidden layers; give one, or one a layer"
            )
        reading = cls(source)
        for layer, rule in zip(layers, [*rules, final_activation], strict=True):
            matrix = arrays[f"{layer}{weight}"]
            reading.dense(matrix.T if transposed else matrix, arrays.get(f"{layer}bias"))
            if rule is not None:
                reading.activation(rule)
        return reading

    def dense(self, weight: Any, bias: Any | None) -> None:
        """A fully connected layer: weight (in, out), bias (out,)."""
        matrix = self._floats(weight, "weight", 2)
        offset = None if bias is None else self._floats(bias, "bias", 1)
        self._layers.append(HostLayer(matrix, offset))

    def _floats(self, values: Any, part: str, axes: int) -> np.ndarray:
        """Numbers of a floating dtype with so many axes, none of length 0; all of one dtype."""
        array = np.asarray(values)
        where = f"the {self._source}'s layer {len(self._layers)}: its {part}"
        if array.ndim != axes or 0 in array.shape:
            raise ShapeError(f"{where} has shape {array.shape}, expected {axes} axes, none of them empty")
        if array.dtype.name not in FLOAT_DTYPES:
            raise DTypeError(f"{where} has dtype {array.dtype}, expected {', '.join(FLOAT_DTYPES)}")
        return array

    def activation(self, spec: Any, learned: Mapping[str, Any] | None = None) -> None:
        """The activation after the last layer; see `multimlp.activations.parse`."""
        rule = activations.parse(_without_defaults(spec))
        if not self._layers:
            raise self._unlike(f"starts with the activation {rule.name!r}, before any fully connected layer")
        layer = self._layers[-1]
        if layer.activation is not None or layer.dropout is not None:
            raise self._unlike(f"has the activation {rule.name!r} after another activation or dropout")
        layer.activation = rule
        layer.learned = {name: np.asarray(value) for name, value in (learned or {}).items()}
        for name, value in layer.learned.items():
            if value.dtype.name not in FLOAT_DTYPES:
                raise self._unlike(f"has the dtype {value.dtype} in {name!r} of the activation {rule.name!r}")

    def prelu(self, slopes: np.ndarray) -> None:
        """A learned slope for all units of the last layer, or one a unit."""
        if not slopes.size:
            raise self._unlike("has a prelu without slopes")
        per_unit = slopes.size > 1
        spec = {"name": "prelu", "learnable": True, "per_unit": per_unit}
        self.activation(spec, {"alpha": slopes if per_unit else slopes.reshape(())})

    def dropout(self, rate: float) -> None:
        """Dropout after the last layer's activation."""
        if not self._layers or self._layers[-1].dropout is not None:
            raise self._unlike("has dropout that does not follow a layer")
        self._layers[-1].dropout = float(rate)

    def _unlike(self, what: str) -> InputError:
        return InputError(
            f"the {self._source} {what}; an MLP is fully connected layers, each followed by at "
            "most one activation and dropout"
        )

    def build(
        self,
        backend: str | Backend | None = None,
        device: str | None = None,
        dtype: Any = None,
        like: Iterable[Any] = (),
        stored_dtype: str | None = None,
    ) -> tuple[MLP, Params]:
        """The MLP and its parameters: on the backend asked for, else with the library of the arrays
        ``like``."""
        layers = self._layers
        if not layers:
            raise self._unlike("has no fully connected layer")
        final = layers[-1].activation
        widths = [layer.weight.shape[1] for layer in layers]
        mlp = MLP(
            layers[0].weight.shape[0],
            widths[:-1],
            widths[-1],
            activation=[layer.activation for layer in layers[:-1]],
            final_activation=None if final is None or final.name == "identity" else final,
            use_bias=any(layer.bias is not None for layer in layers),
            dropout=self._rate(),
        )
        for i, (layer, row) in enumerate(zip(layers, mlp.layers, strict=True)):
            if layer.weight.shape[0] != row.fan_in:
                raise ShapeError(
                    f"the {self._source}'s layer {i} takes {layer.weight.shape[0]} inputs, but "
                    f"{row.fan_in} come in"
                )
        dtypes = sorted(
            {
                array.dtype.name
                for layer in layers
                for array in (layer.weight, layer.bias)
                if array is not None
            }
        )
        if dtype is None and len(dtypes) > 1:
            raise DTypeError(
                f"the {self._source} mixes the dtypes {' and '.join(dtypes)}; say which one it shall have: dtype= (--dtype)"
            )
        target = select(backend, device, dtype or stored_dtype or layers[0].weight.dtype.name, like)

        def place(values: np.ndarray) -> Any:
            return target.backend.asarray(values, dtype=target.dtype, device=target.device)

        params = tree.map(
            place,
            tuple(
                layer_params(layer.weight, _bias(layer) if mlp.use_bias else None, layer.learned)
                for layer in layers
            ),
        )
        try:
            check_params(mlp, params)
        except InputError as error:
            raise type(error)(f"the {self._source} does not fit together: {error}") from None
        return mlp, params

    def _rate(self) -> float:
        *hidden, last = self._layers
        if last.dropout:
            raise self._unlike("has dropout after its last layer")
        rates = {layer.dropout or 0.0 for layer in hidden}
        if len(rates) > 1:
            shown = ", ".join(f"{rate:g}" for rate in sorted(rates))
            raise InputError(
                f"the {self._source} has different dropout rates ({shown}); an MLP has one for "
                "all hidden layers"
            )
        return rates.pop() if rates else 0.0


def _bias(layer: HostLayer) -> np.ndarray:
    return np.zeros(layer.weight.shape[1], layer.weight.dtype) if layer.bias is None else layer.bias


def _without_defaults(spec: Any) -> Any:
    """Options that only repeat the default are left out, so that equal models compare equal."""
    if not isinstance(spec, Mapping) or spec.get("learnable"):
        return spec
    usual = activations.describe(spec["name"]).options
    return {name: value for name, value in spec.items() if name == "name" or value != usual.get(name)}


def name_elsewhere(rule: Activation) -> str:
    """The name of an activation by which tables of other libraries find it: swish with its usual beta is silu."""
    return "silu" if rule.name == "swish" and rule.options == {"beta": 1.0} else rule.name


def is_prelu(rule: Activation) -> bool:
    """Whether it is a leaky relu whose slope is learned, by either name."""
    return bool(rule.parameters) and rule.name in ("prelu", "leaky_relu")


def unsupported_activation(where: str, rule: Activation | str, supported: Iterable[str]) -> InputError:
    """The error for an activation that the other side lacks: which one, and which there are."""
    if isinstance(rule, str):
        shown = rule
    else:
        options = ", ".join(f"{name}={value!r}" for name, value in rule.options.items())
        learned = ", learned with the weights" if rule.parameters else ""
        shown = f"{rule.name}{f'({options})' if options else ''}{learned}"
    return InputError(
        f"activation: {where} has no equivalent of {shown}; supported: {', '.join(sorted(set(supported)))}"
    )


def unsupported_layer(where: str, layer: str, supported: Iterable[str]) -> InputError:
    """The error for a layer that no MLP has."""
    return InputError(f"{where}: cannot convert the layer {layer}; supported: {', '.join(supported)}")
