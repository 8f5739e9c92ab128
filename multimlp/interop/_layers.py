"""What writers take: a model as steps, or, for libraries of plain networks alone, as layers; and what they say of what the other side
lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from multimlp.activations import Activation
from multimlp.blocks import Chain
from multimlp.errors import InputError
from multimlp.errors.checks import refuse
from multimlp.interop._chains import parts_of_chain, parts_of_mlp
from multimlp.interop._folding import folded
from multimlp.interop._parts import Dropout, Linear, Part, Path, Pointwise
from multimlp.mlp import MLP, Params, check_params, forward

Network: TypeAlias = MLP | Chain


@dataclass
class HostLayer:
    """A fully connected layer on the host, with what follows it."""

    weight: np.ndarray
    """Shape (in, out)."""
    bias: np.ndarray | None
    activation: Activation | None = None
    learned: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What the activation has learned, by name."""
    dropout: float | None = None
    dtypes: tuple[str, ...] = ()
    """Of the numbers that it was made from."""
    name: str = ""
    """What its user has called it."""


def check_single(mlp: Network, params: Any) -> None:
    """Raise unless ``params`` are parameters of one network of this kind.

    Raises
    ------
    InputError, ShapeError, DTypeError
        For an ensemble too.
    """
    if isinstance(mlp, MLP):
        check_params(mlp, params)
        if (members := mlp.members(params)) is not None:
            raise InputError(
                f"params: expected one network, got an ensemble of {members} members; ONNX, torch, Keras, Flax and Equinox take it whole, "
                "any library a member: multimlp.tree.map(lambda a: a[0, ...], params)"
            )
        return
    if not isinstance(mlp, Chain):
        raise refuse("mlp", "an MLP or a chain of blocks", mlp)
    mlp.check_params(params)
    if (members := mlp.members(params)) is not None:
        raise InputError(f"params: an ensemble of {members} members, expected those of one model")


def parts_of(mlp: Network, params: Any) -> Path:
    """The steps of a model, affine ones folded into the weights beside them.

    Raises
    ------
    InputError, ShapeError, DTypeError
        For an ensemble, parameters that are not the model's, or a block that other libraries have nothing for.
    """
    check_single(mlp, params)
    if isinstance(mlp, MLP):
        return parts_of_mlp(mlp, params)
    return folded(parts_of_chain(mlp, params))


def layers_of(mlp: Network, params: Any, where: str) -> list[HostLayer]:
    """The layers of a network, activations and dropout with the layer that they follow.

    Raises
    ------
    InputError, ShapeError, DTypeError
        As `parts_of`, and for a chain of other steps, which ``where`` has no equivalent of.
    """
    parts = parts_of(mlp, params)
    layers = plain_layers(parts)
    if layers is None:
        raise InputError(
            f"mlp: {where} has fully connected layers, each followed by at most one activation, and nothing else; this model is {mlp!r}"
        )
    return layers


def plain_layers(parts: Iterable[Part]) -> list[HostLayer] | None:
    """The layers, if these steps are fully connected layers, each followed by at most one activation, then dropout; else None."""
    layers: list[HostLayer] = []
    for part in parts:
        last = layers[-1] if layers else None
        if isinstance(part, Linear):
            layers.append(HostLayer(part.weight, part.bias, dtypes=part.dtypes, name=part.name))
        elif last is None or last.dropout is not None:
            return None
        elif isinstance(part, Pointwise) and last.activation is None:
            last.activation, last.learned = part.rule, part.learned
        elif isinstance(part, Dropout):
            last.dropout = part.rate
        else:
            return None
    return layers if layers and layers[-1].dropout is None else None


def with_dropout(mlp: MLP, params: Params, X: Any, drop: Callable[[Any, float], Any] | None) -> Any:
    """``mlp(params, X)``, with a framework's own dropout, ``drop(hidden, rate)``, after each hidden layer if it is given."""
    if drop is None or not mlp.dropout:
        return mlp(params, X)
    rates = mlp.dropouts
    return forward(mlp.layers, params, X, lambda hidden, i: drop(hidden, rates[i]) if rates[i] else hidden)


def name_elsewhere(rule: Activation) -> str:
    """The name of an activation by which tables of other libraries find it: swish with its usual beta is silu."""
    return "silu" if rule.name == "swish" and rule.options == {"beta": 1.0} else rule.name


def check_axis(where: str, rule: Activation) -> None:
    """`InputError` for a softmax, or the like, of another axis than the last, where ``where`` has that one alone."""
    if (axis := rule.options.get("axis", -1)) != -1:
        raise InputError(
            f"activation: {where} has {rule.name} along the last axis, axis=-1, and this one has axis={axis}"
        )


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


def unsupported_part(where: str, part: Part, supported: str) -> InputError:
    """The error for a step that the other side lacks."""
    return InputError(
        f"mlp: {where} has no equivalent of {part.where}; written are {supported}. Give the model without it, or call multimlp from "
        "there"
    )


def unsupported_layer(where: str, layer: str, supported: Iterable[str]) -> InputError:
    """The error for a layer of another library that there is nothing for here."""
    return InputError(
        f"{where}: cannot convert the layer {layer}; supported: {', '.join(supported)}. Convert the parts before and behind it by "
        "themselves, or replace it"
    )
