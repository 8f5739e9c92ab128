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
from multimlp.optimizers import Optimizer, OptimizerState
from multimlp.schedules import Schedule

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
from multimlp.interop._keras_optimizers import read_optimizer, write_optimizer
from multimlp.interop._keras_reading import read
from multimlp.interop._layers import Network, with_dropout
from multimlp.interop._parts import Residual

__all__ = [
    "KerasMLP",
    "as_keras_layer",
    "from_keras",
    "from_optimizer",
    "load_keras",
    "supported_activations",
    "to_keras",
    "to_optimizer",
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
    combine: str = "members",
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
    combine : {"members", "mean", "probabilities"}
        What an ensemble that `to_keras` has written makes of its members' outputs. That is no part of the network that comes back, which
        gives them all, members in front: whoever reads it says it.

    Returns
    -------
    model : MLP or Chain
    params : tuple
        Of an ensemble with the members in front.

    Raises
    ------
    InputError
        For a layer, an activation or an order of layers that there is nothing for here, and names it; for another ``combine``.
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
    read(model, reading)
    # Of the layers: the model itself has the policy of the moment in which it was put together.
    kinds = {
        keras.backend.standardize_dtype(weight.dtype)
        for weight in model.weights
        if len(weight.shape) in (2, 3)
    }
    stored = kinds.pop() if len(kinds) == 1 else None
    return reading.build(backend, device, dtype, stored_dtype=stored, combine=combine)


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


# ---- optimisers ----------------------------------------


def from_optimizer(
    optimizer: keras.optimizers.Optimizer,
    model: keras.Model,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
    *,
    learning_rate: float | Schedule | None = None,
) -> tuple[Optimizer, OptimizerState]:
    """The same optimiser here, and what it remembers, for the parameters that `from_keras` makes of the model.

    Parameters
    ----------
    optimizer : keras.optimizers.SGD, Adam, AdamW, RMSprop, Adagrad or Lion
        Of a model that is compiled: ``model.optimizer``. Its eps becomes ``eps_hat=True`` of Adam, ``eps_in_sqrt=True`` of RMSprop and
        Adagrad; an Adam with weight decay, which Keras decouples, becomes `multimlp.optimizers.adamw`.
    model : keras.Model
        Whose trainable variables it trains: one that `from_keras` reads.
    backend, device, dtype : optional
        Of the state, as in `from_keras`; say the same in both.
    learning_rate : float or Schedule, optional
        Instead of the one that it has; must be given where that is a schedule of Keras.

    Returns
    -------
    (Optimizer, OptimizerState)
        Whose next update is Keras's, up to rounding.

    Raises
    ------
    InputError
        For another optimiser; for options that multimlp has no equivalent of (amsgrad, centered, clipnorm, clipvalue, use_ema, ..., a decay
        beside a momentum); for a schedule; for a model whose variables are not one to one the parameters here.

    Examples
    --------
    >>> import keras
    >>> from multimlp.interop.keras import from_keras, from_optimizer
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.Adam(0.25), "mse")
    >>> mlp, params = from_keras(model, "numpy")
    >>> adam, state = from_optimizer(model.optimizer, model, "numpy")
    >>> adam.name, adam.options["eps_hat"], state.slots[0][0].weight.shape
    ('adam', True, (2, 3))
    """
    return read_optimizer(optimizer, model, _params_of, backend, device, dtype, learning_rate)


def to_optimizer(
    optimizer: Optimizer | str, state: OptimizerState, model: keras.Model
) -> keras.optimizers.Optimizer:
    """An optimiser of Keras that goes on where this one is: ``model.compile(to_optimizer(...), loss)``.

    Parameters
    ----------
    optimizer : Optimizer
        sgd, adam or adamw with ``eps_hat=True``, rmsprop or adagrad with ``eps_in_sqrt=True``, or lion; without groups, the learning rate
        a number. Keras keeps that in the precision of ``keras.config.floatx()``.
    state : OptimizerState
        Of any library.
    model : keras.Model
        What `to_keras` made of the model, whose variables it shall train.

    Raises
    ------
    InputError
        For what Keras has no equivalent of, and for a state of another model.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop.keras import to_keras, to_optimizer
    >>> mlp = mm.MLP(2, 3, 1)
    >>> params, optimizer = mlp.init(seed=0, backend="numpy"), mm.optimizers.adam(0.25, eps_hat=True)
    >>> model = to_keras(mlp, params)
    >>> type(to_optimizer(optimizer, optimizer.init(params), model)).__name__
    'Adam'
    """
    return write_optimizer(optimizer, state, model, _params_of)


def _params_of(model: keras.Model) -> Any:
    return from_keras(model, "numpy", dtype="float64")[1]
