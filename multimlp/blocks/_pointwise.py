"""Blocks that compute each number from one number: activations, their mix with the identity, scales, soft bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from multimlp import activations, initializers
from multimlp.activations import Activation as Rule
from multimlp.backend import Array, array_namespace
from multimlp.blocks._block import Block, Features, Parameter, Positive, block
from multimlp.blocks._draws import Draws
from multimlp.errors import InputError
from multimlp.errors.checks import flag, number


def rule_of(where: str, value: Any) -> Rule:
    """The activation that is meant, with the argument that selects it in the error."""
    try:
        return activations.parse(value)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def learned_of(rule: Rule, features: int) -> dict[str, Parameter]:
    """What an activation learns on so many features."""
    return {
        p.name: Parameter(p.shape(features), initializers.constant(p.value))  # a start is one number
        for p in rule.parameters
    }


@dataclass(frozen=True, eq=False, repr=False)
class Activation(Block):
    """An activation; chains take its name, or a function of an array of your own, in its place.

    Parameters
    ----------
    rule : str, mapping, callable or Activation
        See `multimlp.activations.parse`.
    in_features : int, optional

    Examples
    --------
    >>> import multimlp as mm
    >>> mm.chain(mm.blocks.dense(3, in_features=2), "gelu")
    chain(dense(out_features=3, in_features=2), activation(rule=<activation gelu>, in_features=3))
    """

    rule: Annotated[Any, rule_of]
    in_features: Features = None

    @property
    def keeps_width(self) -> bool:
        """Whether it makes one number of one."""
        return self.rule.width(2) == 2

    def parameters(self) -> Mapping[str, Parameter]:
        return learned_of(self.rule, self.in_features or 0)

    def width(self, features: int | None) -> int | None:
        return None if features is None else self.rule.width(features)

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        return self.rule(x, params or None)


@dataclass(frozen=True, eq=False, repr=False)
class MixedActivation(Block):
    r"""A learned mix of an activation and the identity, :math:`x + \alpha_j (\sigma(x) - x)` with one :math:`\alpha_j` a feature.

    Parameters
    ----------
    rule : str, mapping, callable or Activation
    initial_mix : float
        Where every :math:`\alpha_j` starts.
    in_features : int, optional

    References
    ----------
    D. Holzmüller et al. (2024), Better by default: strong pre-tuned MLPs and boosted trees on tabular data, arXiv:2407.04491.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> model = mm.chain(mm.blocks.mixed_activation("relu", in_features=2))
    >>> model(({"mix": np.asarray([1.0, 0.5])},), np.asarray([[-4.0, -4.0]])).tolist()
    [[0.0, -2.0]]
    """

    rule: Annotated[Any, rule_of]
    initial_mix: Annotated[float, number()] = 1.0
    in_features: Features = None

    def parameters(self) -> Mapping[str, Parameter]:
        return {"mix": Parameter((self.in_features or 0,), initializers.constant(self.initial_mix))}

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        return x + params["mix"] * (self.rule(x) - x)


@dataclass(frozen=True, eq=False, repr=False)
class Scale(Block):
    r"""A learned scale of each feature, :math:`s_j x_j`, or with a shift, :math:`s_j x_j + b_j`.

    Parameters
    ----------
    initial_scale : float
        Where every :math:`s_j` starts.
    in_features : int, optional
    use_bias : bool
        Whether the :math:`b_j` are there; they start at 0.

    Examples
    --------
    >>> import multimlp as mm
    >>> mm.chain(mm.blocks.scale(in_features=3), mm.blocks.dense(2)).num_parameters
    11
    """

    initial_scale: Annotated[float, number()] = 1.0
    in_features: Features = None
    use_bias: Annotated[bool, flag] = False

    def parameters(self) -> Mapping[str, Parameter]:
        shape = (self.in_features or 0,)
        learned = {"scale": Parameter(shape, initializers.constant(self.initial_scale))}
        return learned | ({"bias": Parameter(shape, initializers.zeros)} if self.use_bias else {})

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        scaled: Array = x * params["scale"]
        return scaled + params["bias"] if self.use_bias else scaled


@dataclass(frozen=True, eq=False, repr=False)
class Multiply(Block):
    """The inputs times a fixed number, such as the frequency before a sine.

    Parameters
    ----------
    factor : float

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp import blocks
    >>> first = {"name": "siren", "options": {"first": True}}
    >>> layers = [blocks.dense(64, in_features=2, kernel_init=first), blocks.multiply(30.0), "sine", blocks.dense(1, kernel_init="siren")]
    >>> mm.chain(*layers).out_features
    1
    """

    factor: Annotated[float, number()]

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        product: Array = x * self.factor
        return product


@dataclass(frozen=True, eq=False, repr=False)
class SmoothClip(Block):
    r"""A soft bound, :math:`x / \sqrt{1 + (x/b)^2}`: nearly x for small x, never beyond :math:`\pm b`.

    Parameters
    ----------
    bound : float

    References
    ----------
    D. Holzmüller et al. (2024), arXiv:2407.04491, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.blocks.smooth_clip().apply((), np.asarray([0.0, 4.0, 1e9]), None).round(3).tolist()
    [0.0, 2.4, 3.0]
    """

    bound: Positive = 3.0

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        xp = array_namespace(x)
        return x / xp.hypot(xp.ones_like(x), x / self.bound)


activation = block(Activation, "activation")
mixed_activation = block(MixedActivation, "mixed_activation")
scale = block(Scale, "scale")
multiply = block(Multiply, "multiply")
smooth_clip = block(SmoothClip, "smooth_clip")
