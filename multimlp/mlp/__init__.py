"""The multilayer perceptron: `MLP` is the architecture, its parameters are a tuple of layers, a call is pure.

`MLP.layers` is the table of layers that everything else reads; `check_params` is the one answer to whether
parameters fit; the rest is what files, training and the exchange with other libraries make of a layer.
"""

from multimlp.mlp._check import check_arrays, check_params, check_part_names, misfit
from multimlp.mlp._layers import (
    Dense,
    Layer,
    ParametricDense,
    Params,
    dense,
    forward,
    is_ensemble,
    layer_params,
    learned_by,
    named_arrays,
)
from multimlp.mlp._mlp import DEFAULT_ACTIVATION, MLP
from multimlp.mlp._model import Model
from multimlp.mlp._summary import summary

__all__ = [
    "DEFAULT_ACTIVATION",
    "MLP",
    "Dense",
    "Layer",
    "Model",
    "ParametricDense",
    "Params",
    "check_arrays",
    "check_params",
    "check_part_names",
    "dense",
    "forward",
    "is_ensemble",
    "layer_params",
    "learned_by",
    "misfit",
    "named_arrays",
    "summary",
]
