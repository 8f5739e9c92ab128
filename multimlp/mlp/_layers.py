"""The layers of a network: what each is, the arrays that it learns, and the function of all of them in turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from multimlp.activations import Activation
from multimlp.backend import Array, array_namespace, op
from multimlp.errors.shown import short_repr

Shape = tuple[int, ...]


class Dense(NamedTuple):
    """Parameters of a fully connected layer.

    ``weight`` has shape (in_features, out_features), ``bias`` (out_features,) or is None; an ensemble has a leading axis of members.
    """

    weight: Array
    bias: Array | None

    def __repr__(self) -> str:
        return short_repr(self)


class ParametricDense(NamedTuple):
    """Parameters of a layer whose activation is learned with it: ``activation`` maps parameter names to arrays."""

    weight: Array
    bias: Array | None
    activation: dict[str, Array]

    def __repr__(self) -> str:
        return short_repr(self)


Params = tuple[Dense | ParametricDense, ...]


def layer_params(
    weight: Array, bias: Array | None, learned: Mapping[str, Array] | None = None
) -> Dense | ParametricDense:
    """The parameters of one layer: `ParametricDense` if its activation has learned something, else `Dense`."""
    return ParametricDense(weight, bias, dict(learned)) if learned else Dense(weight, bias)


def learned_by(layer: Dense | ParametricDense) -> dict[str, Array]:
    """What the layer's activation has learned, by name; empty for a `Dense`."""
    return layer.activation if isinstance(layer, ParametricDense) else {}


def named_arrays(layer: Dense | ParametricDense) -> dict[str, Array]:
    """The arrays of one layer by the names of `Layer.shapes`.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.mlp import named_arrays
    >>> list(named_arrays(mm.MLP(2, 3, 1, activation="prelu").init(seed=0)[0]))
    ['weight', 'bias', 'activation.alpha']
    """
    arrays = {"weight": layer.weight}
    if layer.bias is not None:
        arrays["bias"] = layer.bias
    return arrays | {f"activation.{name}": array for name, array in learned_by(layer).items()}


def is_ensemble(params: Params) -> int | None:
    """The number of members if the parameters carry a leading axis of members, else None."""
    weight = params[0].weight
    return int(weight.shape[0]) if weight.ndim == 3 else None


# ---- the table of layers ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """A layer of an MLP: a row of `multimlp.MLP.layers`.

    Attributes
    ----------
    name : str
        ``"layers.0"``, ``"layers.1"``, ...: what files call it.
    label : str
        What people call it: its name among ``layer_names`` of the MLP, else ``"hidden 1"``, ``"hidden 2"``, ..., ``"output"``.
    fan_in, fan_out : int
        Its weight has shape (fan_in, fan_out).
    activation : Activation or None
        What follows it.
    use_bias : bool

    Examples
    --------
    >>> import multimlp as mm
    >>> first, last = mm.MLP(4, 5, 3, activation="prelu").layers
    >>> first.label, first.shapes, first.num_parameters
    ('hidden 1', {'weight': (4, 5), 'bias': (5,), 'activation.alpha': ()}, 26)
    >>> last.name, last.activation
    ('layers.1', None)
    """

    name: str
    label: str
    fan_in: int
    fan_out: int
    activation: Activation | None
    use_bias: bool

    @property
    def learned(self) -> dict[str, Shape]:
        """Shapes of what the activation learns, by name."""
        rule = self.activation
        return {} if rule is None else {p.name: p.shape(self.fan_out) for p in rule.parameters}

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of each of its parameters, of one network: ``weight``, ``bias``, ``activation.<name>``."""
        shapes: dict[str, Shape] = {"weight": (self.fan_in, self.fan_out)}
        if self.use_bias:
            shapes["bias"] = (self.fan_out,)
        return shapes | {f"activation.{name}": shape for name, shape in self.learned.items()}

    @property
    def num_parameters(self) -> int:
        """How many numbers it learns."""
        return sum(math.prod(shape) for shape in self.shapes.values())


def layer_table(
    in_features: int,
    widths: Sequence[int],
    rules: Sequence[Activation | None],
    use_bias: bool,
    names: Sequence[str | None] | None = None,
) -> tuple[Layer, ...]:
    """The layers of these widths; an activation that halves its width (glu) narrows the next layer's input."""
    layers: list[Layer] = []
    fan_in, last = in_features, len(widths) - 1
    for i, (fan_out, rule) in enumerate(zip(widths, rules, strict=True)):
        own = None if names is None else names[i]
        label = own or ("output" if i == last else f"hidden {i + 1}")
        layers.append(Layer(f"layers.{i}", label, fan_in, fan_out, rule, use_bias))
        fan_in = fan_out if rule is None else rule.width(fan_out)
    return tuple(layers)


# ---- the function ----------------------------------------------------------------------------------------------------


@op(arrays=3)
def dense(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """The affine map x W + b.

    Parameters
    ----------
    x : array, shape (..., n, in_features) or (in_features,)
    weight : array, shape (in_features, out_features), or (members, in_features, out_features)
    bias : array, shape (out_features,), or (members, out_features), or None

    Returns
    -------
    array, shape (..., n, out_features), or (members, n, out_features)

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.mlp import dense
    >>> dense(np.ones((1, 2)), np.ones((2, 3)), np.zeros(3))
    array([[2., 2., 2.]])
    """
    xp = array_namespace(x, weight)
    product = xp.matmul(x, weight)
    if bias is None:
        return product
    if bias.ndim > 1 and product.ndim >= bias.ndim + 1:
        bias = xp.expand_dims(bias, axis=-2)
    return product + bias


def forward(
    layers: Sequence[Layer], params: Params, X: Array, drop: Callable[[Array, int], Array] | None = None
) -> Array:
    """The outputs of these layers; ``drop(hidden, i)`` is applied to the units of each hidden layer."""
    hidden = X
    last = len(layers) - 1
    for i, (row, layer) in enumerate(zip(layers, params, strict=True)):
        hidden = dense(hidden, layer.weight, layer.bias)
        if row.activation is not None:
            hidden = row.activation(hidden, layer.activation if isinstance(layer, ParametricDense) else None)
        if drop is not None and i < last:
            hidden = drop(hidden, i)
    return hidden
