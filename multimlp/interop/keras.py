"""Keras 3: ``Sequential`` and ``.keras`` files both ways, and an MLP as a layer, on any Keras backend.

Kernels are (in, out) on both sides; values are equal to the bit.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.activations import Activation
from multimlp.backend import Backend
from multimlp.backends.quiet import quiet_tensorflow
from multimlp.errors import FileFormatError, InputError, missing_dependency
from multimlp.files import opening
from multimlp.interop._keras_files import check_file
from multimlp.interop._layers import (
    Builder,
    dtype_of,
    is_prelu,
    layers_of,
    name_elsewhere,
    on_host,
    unsupported_activation,
    unsupported_layer,
    with_dropout,
)
from multimlp.mlp import MLP, Params, check_params

try:
    with quiet_tensorflow():
        import keras
except ImportError:
    raise missing_dependency("keras", "multimlp.interop.keras", "keras") from None

_BY_NAME: dict[str, tuple[str, dict[str, Any]]] = {
    "identity": ("linear", {}),
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "elu": ("elu", {"alpha": 1.0}),
    "selu": ("selu", {}),
    "celu": ("celu", {"alpha": 1.0}),
    "gelu": ("gelu", {"approximate": "none"}),
    "hard_sigmoid": ("hard_sigmoid", {}),
    "hard_swish": ("hard_silu", {}),
    "hard_tanh": ("hard_tanh", {}),
    "hardshrink": ("hard_shrink", {"lambd": 0.5}),
    "softshrink": ("soft_shrink", {"lambd": 0.5}),
    "log_sigmoid": ("log_sigmoid", {}),
    "log_softmax": ("log_softmax", {"axis": -1}),
    "mish": ("mish", {}),
    "sigmoid": ("sigmoid", {}),
    "silu": ("silu", {}),
    "softmax": ("softmax", {"axis": -1}),
    "softplus": ("softplus", {}),
    "softsign": ("softsign", {}),
    "sparse_plus": ("sparse_plus", {}),
    "sparse_sigmoid": ("sparse_sigmoid", {}),
    "squareplus": ("squareplus", {"b": 4.0}),
    "tanh": ("tanh", {}),
    "tanhshrink": ("tanh_shrink", {}),
    "exponential": ("exponential", {}),
}
"""Activation to Keras's name, and the options with which it is the same function."""

_FROM_NAME = {theirs: (ours, options) for ours, (theirs, options) in _BY_NAME.items()}
_LAYERS = ("Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax", "Dropout")


def supported_activations() -> tuple[str, ...]:
    """The names of the activations that Keras has."""
    return (*_BY_NAME, "leaky_relu", "prelu")


# ---- Sequential ----------------------------------------


def to_keras(mlp: MLP, params: Params) -> keras.Sequential:
    """The model as ``keras.Sequential`` of Dense, activation layers where a name is not enough, and Dropout.

    Parameters
    ----------
    mlp : MLP
    params : tuple of Dense
        Of any backend; no ensemble.

    Raises
    ------
    InputError
        For an activation that Keras lacks; names those that it has.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.keras import to_keras
    >>> mlp = mm.MLP(2, 3, 1)
    >>> [layer.units for layer in to_keras(mlp, mlp.init(seed=0)).layers]
    [3, 1]
    """
    layers, dtype = layers_of(mlp, params), dtype_of(params)
    parts: list[Any] = [keras.Input((mlp.in_features,), dtype=dtype)]
    weights: list[np.ndarray] = []
    for layer in layers:
        name, extra = ("linear", None) if layer.activation is None else _activation(layer.activation, dtype)
        parts.append(keras.layers.Dense(layer.weight.shape[1], name, layer.bias is not None, dtype=dtype))
        weights += [layer.weight] if layer.bias is None else [layer.weight, layer.bias]
        if extra is not None:
            parts.append(extra)
        weights += [
            np.broadcast_to(slope, _slope_shape(layer.activation, layer.weight))
            for slope in layer.learned.values()
        ]
        if layer.dropout is not None:
            parts.append(keras.layers.Dropout(layer.dropout, dtype=dtype))
    model = keras.Sequential(parts)
    for variable, values in zip(model.trainable_variables, weights, strict=True):
        variable.assign(values)
    return model


def _slope_shape(rule: Activation | None, weight: np.ndarray) -> tuple[int, ...]:
    return (weight.shape[1],) if rule is not None and rule.parameters[0].per_unit else (1,)


def _activation(rule: Activation, dtype: str) -> tuple[str, Any]:
    """The name that a Dense layer takes, and the layer that follows it where a name does not say it all."""
    if is_prelu(rule):
        return "linear", keras.layers.PReLU(
            shared_axes=None if rule.parameters[0].per_unit else [1], dtype=dtype
        )
    if not rule.parameters and rule.name == "leaky_relu":
        return "linear", keras.layers.LeakyReLU(negative_slope=rule.options["negative_slope"], dtype=dtype)
    if not rule.parameters and rule.name == "elu" and rule.options["alpha"] != 1:
        return "linear", keras.layers.ELU(rule.options["alpha"], dtype=dtype)
    name = name_elsewhere(rule)
    theirs, needed = _BY_NAME.get(name, ("", {}))
    if (
        rule.parameters
        or not theirs
        or any(rule.options.get(option) != value for option, value in needed.items())
    ):
        raise unsupported_activation("Keras", rule, supported_activations())
    return theirs, None


def from_keras(
    model: keras.Sequential | str | os.PathLike[str],
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
) -> tuple[MLP, Params]:
    """An MLP and its parameters from a built ``keras.Sequential``, or from a ``.keras`` file of one.

    Parameters
    ----------
    model : Sequential or path
        A file is opened in Keras's safe mode, which runs no code from it.
    backend, device, dtype : optional
        Default backend: the one selected, not Keras's.

    Raises
    ------
    InputError
        For a layer, an activation or an order of layers that no MLP has; names it.
    FileFormatError
        If the file cannot be read as a Keras model.

    Examples
    --------
    >>> import keras
    >>> from multimlp.interop.keras import from_keras
    >>> layers = [keras.Input((2,)), keras.layers.Dense(3, "gelu"), keras.layers.Dense(1)]
    >>> from_keras(keras.Sequential(layers))[0]
    MLP(2, [3], 1, activation='gelu')
    """
    if isinstance(model, (str, os.PathLike)):
        model = load_keras(model)
    if not isinstance(model, keras.Sequential):
        raise InputError(f"model: expected keras.Sequential, got {type(model).__name__}")
    if not model.built:
        raise InputError("model: it is not built yet; give it an Input layer, or call it once")
    reading = Builder("Keras model")
    for layer in model.layers:
        _read(layer, reading)
    return reading.build(backend, device, dtype, stored_dtype=str(model.variable_dtype))


def load_keras(path: str | os.PathLike[str]) -> Any:
    """The model in a ``.keras`` file, as Keras has it: what would run code, or is larger than its weights, is refused.

    Raises
    ------
    FileFormatError
        If the file cannot be read as a Keras model.
    """
    path = Path(path)
    with opening(path, "cannot be read as a Keras model"):
        if path.suffix != ".keras":
            raise FileFormatError("its name does not end in .keras, and no other format of Keras is read")
        check_file(path, _LAYERS)
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def _read(layer: Any, reading: Builder) -> None:
    kind, config = type(layer).__name__, layer.get_config()
    if kind == "InputLayer":
        return
    if kind == "Dense":
        reading.dense(_host(layer.kernel), _host(layer.bias) if layer.use_bias else None)
        _read_name(layer.activation, reading)
    elif kind == "Activation":
        _read_name(layer.activation, reading)
    elif kind == "Dropout":
        reading.dropout(config["rate"])
    elif kind == "LeakyReLU":
        reading.activation({"name": "leaky_relu", "negative_slope": float(config["negative_slope"])})
    elif kind == "ELU":
        reading.activation({"name": "elu", "alpha": float(config["alpha"])})
    elif kind == "PReLU":
        reading.prelu(_host(layer.alpha))
    elif kind == "Softmax" and config["axis"] == -1:
        reading.activation("softmax")
    elif kind == "ReLU":
        _read_relu(config, reading)
    else:
        raise unsupported_layer("Keras model", f"{kind} {layer.name!r}", _LAYERS)


def _read_relu(config: Mapping[str, Any], reading: Builder) -> None:
    shape = (config["max_value"], config["negative_slope"], config["threshold"])
    if shape not in ((None, 0.0, 0.0), (6.0, 0.0, 0.0)):
        raise InputError(
            f"Keras model: ReLU(max_value, negative_slope, threshold) = {shape} has no equivalent"
        )
    reading.activation("relu" if shape[0] is None else "relu6")


def _read_name(function: Any, reading: Builder) -> None:
    config = keras.activations.serialize(function)
    name = config if isinstance(config, str) else getattr(function, "__name__", str(config))
    if name not in _FROM_NAME:
        raise unsupported_activation("multimlp", f"Keras's {name!r}", _FROM_NAME)
    ours, options = _FROM_NAME[name]
    if ours != "identity":
        reading.activation({"name": ours, **{o: v for o, v in options.items() if o != "axis"}})


def _host(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable))


# ---- a layer ----------------------------------------


@keras.saving.register_keras_serializable("multimlp")
class KerasMLP(keras.layers.Layer):
    """An MLP as a Keras layer; see `as_keras_layer`."""

    def __init__(self, spec: Mapping[str, Any], **options: Any) -> None:
        super().__init__(**options)
        self.mlp = MLP.from_spec(dict(spec))
        # Shapes do not depend on the seed; values come from `as_keras_layer` or a file.
        leaves, self._rebuild = tree.flatten(self.mlp.init(0, "numpy", "float32"))
        self._seeds = keras.random.SeedGenerator() if self.mlp.dropout else None
        self._leaves = [
            self.add_weight(leaf.shape, initializer="zeros", name=f"parameter_{i}")
            for i, leaf in enumerate(leaves)
        ]
        self.built = True

    @property
    def params(self) -> Params:
        """The current values as the tree that multimlp's functions take, arrays of Keras's backend."""
        return self._rebuild([keras.ops.convert_to_tensor(variable) for variable in self._leaves])

    def call(self, inputs: Any, training: bool = False) -> Any:
        dropping = training and self._seeds is not None
        return with_dropout(self.mlp, self.params, inputs, self._drop if dropping else None)

    def _drop(self, hidden: Any) -> Any:
        return keras.random.dropout(hidden, self.mlp.dropout, seed=self._seeds)

    def compute_output_spec(self, inputs: Any, training: bool = False) -> Any:
        return keras.KerasTensor((*inputs.shape[:-1], self.mlp.out_features), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "spec": self.mlp.to_spec()}


def as_keras_layer(mlp: MLP, params: Params, **options: Any) -> KerasMLP:
    """A Keras layer that computes what ``mlp(params, X)`` computes, on whatever backend Keras runs on.

    Every activation works. Dropout is on when ``training``. Models with it can be saved as ``.keras`` files,
    which need ``multimlp.interop.keras`` imported when they are loaded.

    Parameters
    ----------
    mlp : MLP
        With named activations; no ensemble.
    params : tuple of Dense
        Of any backend; copied.
    **options
        Of ``keras.layers.Layer``, such as ``name``.

    Examples
    --------
    >>> import keras
    >>> import multimlp as mm
    >>> from multimlp.interop.keras import as_keras_layer
    >>> mlp = mm.MLP(2, 3, 1)
    >>> model = keras.Sequential([keras.Input((2,)), as_keras_layer(mlp, mlp.init(seed=0))])
    >>> model.count_params()
    13
    """
    check_params(mlp, params, single=True)
    layer = KerasMLP(mlp.to_spec(), dtype=dtype_of(params), **options)
    for variable, leaf in zip(layer._leaves, tree.leaves(params), strict=True):
        variable.assign(on_host(leaf))
    return layer
