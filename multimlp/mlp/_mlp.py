"""The multilayer perceptron: fully connected layers with a nonlinearity between them.

For layers 1 .. L with weights W and biases b, activations sigma and a row of inputs in each row of X:

    H_0 = X,    H_l = sigma_l(H_{l-1} W_l + b_l),    O = H_{L-1} W_L + b_L

Source: Zhang et al., Dive into Deep Learning, section 5.1, equation (5.1.3) and following. An `MLP` is a description; its parameters
are a separate tuple of arrays, so that every transform of every library can see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from multimlp import activations, initializers, random, regularizers
from multimlp._lazy import lazy
from multimlp.activations import Activation
from multimlp.backend import Array, array_namespace
from multimlp.errors import InputError
from multimlp.errors.checks import LARGEST, check_items, check_number, check_whole, flag, refuse
from multimlp.mlp._check import check_params, check_part_names
from multimlp.mlp._layers import Layer, Params, forward, is_ensemble, layer_params, layer_table, named_arrays
from multimlp.mlp._model import Model, is_sequence
from multimlp.mlp._summary import summary

DEFAULT_ACTIVATION = "relu"
"""Of hidden layers that nobody gave another: the same for `MLP`, the estimators, models read from weights, and the commands."""


@dataclass(frozen=True, init=False)
class MLP(Model[Params]):
    """A multilayer perceptron.

    Parameters
    ----------
    in_features : int
        Number of inputs per example.
    hidden : int or sequence of int
        Widths of the hidden layers; ``()`` or ``0`` for a linear model.
    out_features : int
        Number of outputs per example.
    activation : str, callable, Activation, or a sequence with one per hidden layer
        See `multimlp.activations.names`. ``"prelu"`` is learned with the weights.
    final_activation : same, or None
        Applied to the outputs; None (the default) leaves them as they are, which is what the losses expect.
    use_bias : bool
    kernel_init, bias_init : str or callable
        See `multimlp.initializers.names`.
    dropout : float, or a sequence with one per hidden layer
        Fraction of each hidden layer's units that is zeroed while training, in [0, 1).
    layer_names : sequence of str or None, one per layer, optional
        What the layers are called in tables, reports and other libraries' models; a None among them leaves that layer
        without a name. They change nothing that is computed: networks that differ in names alone are equal.

    Attributes
    ----------
    dropout : float
        The largest rate.
    dropouts : tuple of float
        The rate behind each hidden layer.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mlp = mm.MLP(4, 5, 3)
    >>> params = mlp.init(seed=0)
    >>> [tuple(layer.weight.shape) for layer in params]
    [(4, 5), (5, 3)]
    >>> mlp(params, np.ones((2, 4), dtype=np.float32)).shape
    (2, 3)
    """

    in_features: int
    hidden: tuple[int, ...]
    out_features: int
    activations: tuple[Activation, ...]
    final_activation: Activation | None
    use_bias: bool
    kernel_init: Any
    bias_init: Any
    dropout: float
    dropouts: tuple[float, ...]
    layer_names: tuple[str | None, ...] | None = field(compare=False)

    def __init__(
        self,
        in_features: int,
        hidden: int | Sequence[int],
        out_features: int,
        activation: Any = DEFAULT_ACTIVATION,
        final_activation: Any = None,
        use_bias: bool = True,
        kernel_init: Any = "glorot_uniform",
        bias_init: Any = "zeros",
        dropout: float | Sequence[float] = 0.0,
        layer_names: Sequence[str | None] | None = None,
    ) -> None:
        widths = _hidden_widths(hidden)
        rates = _rates(dropout, len(widths))
        values = {
            "in_features": _width("in_features", in_features),
            "hidden": widths,
            "out_features": _width("out_features", out_features),
            "activations": _per_layer(activation, len(widths)),
            "final_activation": None
            if final_activation is None
            else _named("final_activation", activations.parse, final_activation),
            "use_bias": flag("use_bias", use_bias),
            "kernel_init": _named("kernel_init", initializers.get, kernel_init),
            "bias_init": _named("bias_init", initializers.get, bias_init),
            "dropout": max(rates, default=0.0) if is_sequence(dropout) else _rate("dropout", dropout),
            "dropouts": rates,
            "layer_names": check_part_names("layer_names", layer_names, len(widths) + 1, "layers"),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        for i, (rule, width) in enumerate(zip(self.activations, widths, strict=True)):
            try:
                rule.width(width)
            except InputError as error:
                raise InputError(f"hidden[{i}]: {error}") from None

    # ---- structure ---------------------------------------------------------------------------------------------------

    @lazy
    def layers(self) -> tuple[Layer, ...]:
        """The table of layers: of each its shapes, its activation, its names and how many numbers it learns.

        Examples
        --------
        >>> import multimlp as mm
        >>> for layer in mm.MLP(4, 5, 3).layers:
        ...     print(layer.label, layer.shapes, layer.num_parameters)
        hidden 1 {'weight': (4, 5), 'bias': (5,)} 25
        output {'weight': (5, 3), 'bias': (3,)} 18
        """
        widths = (*self.hidden, self.out_features)
        return layer_table(
            self.in_features,
            widths,
            (*self.activations, self.final_activation),
            self.use_bias,
            self.layer_names,
        )

    @property
    def layer_activations(self) -> tuple[Activation | None, ...]:
        """The activation after each layer; None after the last one unless ``final_activation`` is set."""
        return tuple(layer.activation for layer in self.layers)

    @property
    def layer_shapes(self) -> tuple[tuple[int, int], ...]:
        """(in, out) of each layer. An activation that halves its width (glu) narrows the next layer's input."""
        return tuple((layer.fan_in, layer.fan_out) for layer in self.layers)

    @property
    def rows_apart(self) -> bool:
        """Whether it is known that an output row hangs on its own input row alone: not so with an activation of your own."""
        return all(rule is None or rule.is_known for rule in self.layer_activations)

    @property
    def num_parameters(self) -> int:
        """How many numbers are learned."""
        return sum(layer.num_parameters for layer in self.layers)

    @property
    def dropout_rates(self) -> float | list[float]:
        """What `dropout` is as an option: one rate, or one a hidden layer if they differ."""
        return list(self.dropouts) if len(set(self.dropouts)) > 1 else self.dropout

    # ---- parameters --------------------------------------------------------------------------------------------------

    def host_params(self, seed: int, path: Iterable[int] = ()) -> Params:
        """Fresh parameters of one network as float64 arrays on the host; ``path`` says where in a larger model it stands."""
        params = []
        path = tuple(path)
        for i, layer in enumerate(self.layers):
            weight = self.kernel_init(random.host_generator(seed, *path, i, 0), (layer.fan_in, layer.fan_out))
            bias = (
                self.bias_init(random.host_generator(seed, *path, i, 1), (layer.fan_out,))
                if self.use_bias
                else None
            )
            rules = layer.activation.parameters if layer.activation is not None else ()
            params.append(layer_params(weight, bias, {p.name: p.initial(layer.fan_out) for p in rules}))
        return tuple(params)

    def check_params(self, params: Any) -> None:
        """Raise unless ``params`` are parameters of this MLP, or of an ensemble of it; see `multimlp.mlp.check_params`."""
        check_params(self, params)

    def members(self, params: Params) -> int | None:
        """The number of members if the parameters carry a leading axis of members, else None."""
        return is_ensemble(params)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter of one network: ``layers.0.weight``, ``layers.0.bias``, ..."""
        return {f"{row.name}.{part}": shape for row in self.layers for part, shape in row.shapes.items()}

    def named(self, params: Params) -> dict[str, Array]:
        """The arrays of parameters that fit, by the names of `shapes`."""
        return {
            f"{row.name}.{part}": array
            for row, own in zip(self.layers, params, strict=True)
            for part, array in named_arrays(own).items()
        }

    def from_named(self, arrays: Mapping[str, Any]) -> Params:
        """The parameters of arrays by the names of `shapes`."""
        return tuple(
            layer_params(
                arrays[f"{row.name}.weight"],
                arrays.get(f"{row.name}.bias"),
                {name: arrays[f"{row.name}.activation.{name}"] for name in row.learned},
            )
            for row in self.layers
        )

    # ---- the function ------------------------------------------------------------------------------------------------

    def __call__(
        self,
        params: Params,
        X: Array,
        key: Array | None = None,
        window: tuple[int | Array, int] | None = None,
    ) -> Array:
        """The outputs for a batch; pure.

        Parameters
        ----------
        params : tuple of Dense
            From `init`, of any library; ensembles carry a leading axis.
        X : array, shape (..., n, in_features) or (in_features,)
            Of the same library and dtype as the parameters. For an ensemble (n, in_features), (in_features,), or
            (members, n, in_features) for inputs of each member's own.
        key : array, optional
            A key of `multimlp.random`; switches dropout on.
        window : (start, rows), optional
            ``X`` is the rows from ``start`` on of a batch of ``rows``: each is dropped out as in the whole batch.

        Returns
        -------
        array, shape (..., n, out_features) or (out_features,), with a leading axis of members for an ensemble

        Raises
        ------
        ShapeError, DTypeError, MixedBackendsError, InputError
            If ``X`` or ``params`` do not fit.
        """
        layers = self.layers
        try:
            first = params[0].weight
            fits = X.shape[-1] == self.in_features and X.dtype == first.dtype and len(params) == len(layers)
        except Exception:  # whatever a library says about an index
            self._explain(params, X)
            raise
        if not fits:
            self._explain(params, X)
        if X.ndim == 1 and first.ndim == 3:
            xp = array_namespace(X)
            return xp.squeeze(self(params, xp.expand_dims(X, axis=0), key, window), axis=-2)
        drop = None
        if key is not None and self.dropout:
            drop = lambda hidden, i: regularizers.dropout(  # noqa: E731
                hidden, random.fold_in(key, i), self.dropouts[i], window
            )
        try:
            return forward(layers, params, X, drop)
        except Exception:  # what any library says where layers do not fit each other
            self._explain(params, X)
            raise

    # ---- names ------------------------------------------------------------------------------------------------------

    def renamed(self, layer_names: Sequence[str | None] | None) -> MLP:
        """The same network with other names of its layers; None for none.

        Examples
        --------
        >>> import multimlp as mm
        >>> print(mm.MLP(4, 5, 3).renamed(["encoder", "scores"]).summary())
        layer    units  activation  weight  bias  parameters
        input        4
        encoder      5  relu        (4, 5)  (5,)          25
        scores       3              (5, 3)  (3,)          18
        total                                             43
        """
        return MLP(
            self.in_features,
            self.hidden,
            self.out_features,
            self.activations,
            self.final_activation,
            self.use_bias,
            self.kernel_init,
            self.bias_init,
            self.dropout_rates,
            layer_names,
        )

    # ---- as text -----------------------------------------------------------------------------------------------------

    def summary(self) -> str:
        """A table of the layers: shapes, activations, numbers of parameters; see `multimlp.mlp.summary`."""
        return summary(self)

    def to_spec(self) -> dict[str, Any]:
        """The description as plain values (JSON), for files; `InputError` if it holds callables of your own."""
        final, names = self.final_activation, self.layer_names
        return {
            "in_features": self.in_features,
            "hidden": list(self.hidden),
            "out_features": self.out_features,
            "activation": [rule.to_spec() for rule in self.activations],
            "final_activation": None if final is None else final.to_spec(),
            "use_bias": self.use_bias,
            "kernel_init": initializers.to_spec(self.kernel_init),
            "bias_init": initializers.to_spec(self.bias_init),
            "dropout": self.dropout_rates,
            **({} if names is None else {"layer_names": list(names)}),
        }

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> MLP:
        """The inverse of `to_spec`."""
        if not isinstance(spec, Mapping):
            raise refuse("spec", "a mapping as MLP.to_spec makes it", spec)
        try:
            return cls(**spec)
        except TypeError as error:
            raise InputError(f"not the description of an MLP: {error}") from None

    def __repr__(self) -> str:
        names = [rule.name for rule in self.activations]
        shown = repr(names[0]) if len(set(names)) == 1 else repr(names)
        many = len(self.hidden) > 4 and len(set(self.hidden)) == 1
        hidden = f"[{self.hidden[0]}] * {len(self.hidden)}" if many else f"{list(self.hidden)}"
        parts = [f"{self.in_features}, {hidden}, {self.out_features}"]
        if names:
            parts.append(f"activation={shown}")
        if self.final_activation is not None:
            parts.append(f"final_activation={self.final_activation.name!r}")
        if not self.use_bias:
            parts.append("use_bias=False")
        if self.dropout:
            parts.append(f"dropout={self.dropout_rates}")
        return f"MLP({', '.join(parts)})"


def _width(name: str, value: Any) -> int:
    return check_whole(name, value, low=1, high=LARGEST)


def _named(where: str, get: Callable[[Any], Any], value: Any) -> Any:
    """What is selected by this value; the error says for which argument."""
    try:
        return get(value)
    except InputError as error:
        raise type(error)(f"{where}: {error}") from None


def _hidden_widths(hidden: Any) -> tuple[int, ...]:
    if isinstance(hidden, (str, Mapping)) or not is_sequence(hidden):
        try:
            width = check_whole("hidden", hidden, low=0)
        except InputError:
            raise refuse("hidden", "a width or a sequence of widths, positive integers", hidden) from None
        return () if width == 0 else (_width("hidden", width),)
    widths = check_items("hidden", hidden, "of widths")
    return tuple(_width(f"hidden[{i}]", width) for i, width in enumerate(widths))


def _rate(where: str, value: Any) -> float:
    """A rate of dropout."""
    return check_number(where, value, low=0, high=1, high_open=True)


def _rates(dropout: Any, count: int) -> tuple[float, ...]:
    if isinstance(dropout, (str, Mapping)) or not is_sequence(dropout):
        return (_rate("dropout", dropout),) * count
    rates = check_items("dropout", dropout, "of rates")
    if len(rates) != count:
        raise InputError(f"dropout: {len(rates)} given for {count} hidden layers; give one, or one per layer")
    return tuple(_rate(f"dropout[{i}]", rate) for i, rate in enumerate(rates))


def _per_layer(activation: Any, count: int) -> tuple[Activation, ...]:
    if isinstance(activation, (list, tuple)):
        if len(activation) != count:
            raise InputError(
                f"activation: {len(activation)} given for {count} hidden layers; give one, or one per layer"
            )
        return tuple(activations.parse(item) for item in activation)
    return (activations.parse(activation),) * count
