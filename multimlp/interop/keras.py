"""Keras 3: ``Sequential`` and ``.keras`` files both ways, and an MLP as a layer, on any Keras backend.

Kernels are (in, out) on both sides; values are equal to the bit.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multimlp import tree
from multimlp.backend import Backend
from multimlp.backends.quiet import quiet_tensorflow
from multimlp.errors import FileFormatError, InputError, missing_dependency
from multimlp.files import opening
from multimlp.mlp import MLP, Params, check_params

try:
    with quiet_tensorflow():
        import keras
except ImportError:
    raise missing_dependency("keras", "multimlp.interop.keras", "keras") from None

from multimlp.interop._arrays import dtype_of, on_host
from multimlp.interop._building import Builder
from multimlp.interop._ensembles import COMBINES, parts_and_members
from multimlp.interop._keras_files import check_file
from multimlp.interop._keras_layers import Writing, supported_activations
from multimlp.interop._keras_reading import read_model
from multimlp.interop._layers import Network, with_dropout
from multimlp.interop._parts import Residual

__all__ = [
    "KerasMLP",
    "as_keras_layer",
    "from_keras",
    "load_keras",
    "supported_activations",
    "to_keras",
]


# ---- Sequential ----------------------------------------


def to_keras(mlp: Network, params: Any, combine: str = "members") -> keras.Model:
    """The model as ``keras.Sequential`` of Dense, activation layers where a name is not enough, and Dropout; of a chain of blocks also
    LayerNormalization, RMSNormalization and Rescaling, and a functional ``keras.Model`` where there are residual additions.

    Parameters
    ----------
    mlp : MLP, or a chain of blocks
    params : tuple of Dense, or of the blocks' parameters
        Of any backend; of an MLP an ensemble too, as EinsumDense layers, whose kernels have the members in front.
    combine : {"members", "mean", "probabilities"}
        What is made of the outputs of an ensemble: nothing, (n, members, k), with the members behind the rows, since Keras has these in
        front; their mean; the mean of the probabilities of classes, as ``predict_proba`` of the estimators gives.

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
    parts, members = parts_and_members(mlp, params, combine, "Keras", COMBINES[:3])
    dtype = dtype_of(params)
    if mlp.in_features is None:
        raise InputError("mlp: it does not say how many features come in; give its first block in_features=")
    inputs, writing = keras.Input((mlp.in_features,), dtype=dtype), Writing(dtype)
    if members is not None:
        model = keras.Model(inputs, writing.connect_members(parts, inputs, members, combine))
    elif any(isinstance(part, Residual) for part in parts):
        model = keras.Model(inputs, writing.connect(parts, inputs))
    else:
        model = keras.Sequential([inputs, *writing.layers(parts)])
    writing.fill()
    return model


def from_keras(
    model: keras.Model | str | os.PathLike[str],
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
) -> tuple[Any, Any]:
    """A model and its parameters from a built ``keras.Sequential`` or functional ``keras.Model``, or from a ``.keras`` file of one: an
    MLP where it is one, else a chain of blocks.

    Batch normalisation, `Normalization` and `Rescaling` are folded into the weights beside them: outputs are those of inference.
    Flattening is nothing here: give rows.

    Parameters
    ----------
    model : Sequential, functional Model, or path
        A file is opened in Keras's safe mode, which runs no code from it.
    backend, device, dtype : optional
        Default backend: the one selected, not Keras's.

    Returns
    -------
    model : MLP or Chain
    params : tuple

    Raises
    ------
    InputError
        For a layer, an activation or an order of layers that there is nothing for here; names it.
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
    if not isinstance(model, keras.Model):
        raise InputError(f"model: expected a keras.Model, got {type(model).__name__}")
    if not model.built:
        raise InputError("model: it is not built yet; give it an Input layer, or call it once")
    reading = Builder("Keras model")
    read_model(model, reading)
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
        check_file(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)


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
        # Cast, since on TensorFlow ``convert_to_tensor`` gives back the variable itself.
        return self._rebuild([keras.ops.cast(variable, variable.dtype) for variable in self._leaves])

    def call(self, inputs: Any, training: bool = False) -> Any:
        dropping = training and self._seeds is not None
        return with_dropout(self.mlp, self.params, inputs, self._drop if dropping else None)

    def _drop(self, hidden: Any, rate: float) -> Any:
        return keras.random.dropout(hidden, rate, seed=self._seeds)

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
