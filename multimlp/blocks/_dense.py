"""Fully connected blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np

from multimlp import initializers
from multimlp.activations import Activation
from multimlp.backend import Array, array_namespace
from multimlp.blocks._arrays import squarable
from multimlp.blocks._block import Block, Count, Features, Parameter, block
from multimlp.blocks._draws import Draws
from multimlp.blocks._pointwise import learned_of, rule_of
from multimlp.errors import InputError
from multimlp.errors.checks import choice, flag
from multimlp.mlp import dense as affine
from multimlp.mlp import layer_params, learned_by
from multimlp.tree import Tree


def initializer_of(where: str, value: Any) -> Any:
    """The initializer that is meant, with the argument that selects it in the error."""
    try:
        return initializers.get(value)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def optional_rule_of(where: str, value: Any) -> Activation | None:
    """An activation, or None for none."""
    return None if value is None else rule_of(where, value)


Initial: TypeAlias = Annotated[Any, initializer_of]
"""A name, a mapping or a callable; kept as an initializer."""
OptionalRule: TypeAlias = Annotated[Any, optional_rule_of]


@dataclass(frozen=True, eq=False, repr=False)
class Dense(Block):
    r"""A fully connected layer, :math:`\sigma(x W + b)`, with parameters as those of an `MLP`'s layer.

    Parameters
    ----------
    out_features : int
    activation : str, mapping, callable, Activation or None
        See `multimlp.activations.parse`; None for a linear layer.
    in_features : int, optional
        Default: as many as the block before gives.
    use_bias : bool
    kernel_init, bias_init : str or callable
        See `multimlp.initializers.names`.
    scaling : {"standard", "neural_tangent"}
        The second computes :math:`x W / \sqrt{n} + b` of n features, so that weights start as N(0, 1) and learning rates do not depend on
        the width.

    References
    ----------
    A. Jacot, F. Gabriel, C. Hongler (2018), Neural tangent kernel: convergence and generalization in neural networks, NeurIPS.

    Examples
    --------
    >>> import multimlp as mm
    >>> model = mm.chain(mm.blocks.dense(8, "relu", in_features=4), mm.blocks.dense(3))
    >>> [tuple(layer.weight.shape) for layer in model.init(seed=0)]
    [(4, 8), (8, 3)]
    """

    out_features: Count
    activation: OptionalRule = None
    in_features: Features = None
    use_bias: Annotated[bool, flag] = True
    kernel_init: Initial = "glorot_uniform"
    bias_init: Initial = "zeros"
    scaling: Annotated[str, choice("standard", "neural_tangent")] = "standard"

    def parameters(self) -> Mapping[str, Parameter]:
        learned = {"weight": Parameter((self.in_features or 0, self.out_features), self.kernel_init)}
        if self.use_bias:
            learned["bias"] = Parameter((self.out_features,), self.bias_init)
        return (
            learned if self.activation is None else learned | learned_of(self.activation, self.out_features)
        )

    def packed(self, values: Mapping[str, Any]) -> Tree:
        rest = {name: value for name, value in values.items() if name not in ("weight", "bias")}
        return layer_params(values["weight"], values.get("bias"), rest)

    def width(self, features: int | None) -> int:
        return self.out_features if self.activation is None else self.activation.width(self.out_features)

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        weight = params.weight
        if self.scaling == "neural_tangent":
            weight = weight * (1 / math.sqrt(self.in_features or 1))
        units = affine(x, weight, params.bias)
        return units if self.activation is None else self.activation(units, learned_by(params) or None)


@dataclass(frozen=True, eq=False, repr=False)
class WeightNormDense(Block):
    r"""A fully connected layer whose weights are length times direction, :math:`w_j = g_j v_j / \|v_j\|` for each output j.

    Parameters
    ----------
    out_features : int
    in_features : int, optional
    use_bias : bool
    kernel_init, bias_init : str or callable
        Lengths start as those of the directions.

    References
    ----------
    T. Salimans, D. P. Kingma (2016), Weight normalization, NeurIPS.

    Examples
    --------
    >>> import multimlp as mm
    >>> sorted(mm.chain(mm.blocks.weight_norm_dense(3, in_features=2)).init()[0])
    ['bias', 'direction', 'length']
    """

    out_features: Count
    in_features: Features = None
    use_bias: Annotated[bool, flag] = True
    kernel_init: Initial = "glorot_uniform"
    bias_init: Initial = "zeros"

    def parameters(self) -> Mapping[str, Parameter]:
        shape = (self.in_features or 0, self.out_features)
        learned = {
            "direction": Parameter(shape, self.kernel_init),
            "length": Parameter((self.out_features,), initializers.ones),
        }
        return learned | ({"bias": Parameter((self.out_features,), self.bias_init)} if self.use_bias else {})

    def initial(self, seed: int, path: Any) -> Tree:
        drawn = super().initial(seed, path)
        length = np.linalg.norm(drawn["direction"], axis=0)
        if not np.all(length > 0):
            raise InputError("kernel_init: weight_norm_dense needs weights that point somewhere, got zeros")
        return drawn | {"length": length}

    def width(self, features: int | None) -> int:
        return self.out_features

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        direction = params["direction"]
        xp = array_namespace(direction)
        wide = squarable(direction)
        norm = xp.astype(xp.sqrt(xp.sum(wide * wide, axis=0)), direction.dtype)
        return affine(x, direction * (params["length"] / norm), params.get("bias"))


dense = block(Dense, "dense")
weight_norm_dense = block(WeightNormDense, "weight_norm_dense")
