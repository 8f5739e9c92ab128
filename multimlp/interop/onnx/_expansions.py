"""Activations that older opsets have no operator for, as the operators that they are made of: one table for writing and reading."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Step:
    """One operator: each input is ``"x"`` (what the activation is applied to), the number of an earlier step, or a constant."""

    operator: str
    inputs: tuple[str | int | float, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Expansion:
    """An activation in steps, for opsets below ``since``, the first in which it is one operator."""

    spec: Mapping[str, Any]
    since: int
    steps: tuple[Step, ...]


EXPANSIONS = (
    # Both forms of gelu as torch's exporter writes them.
    Expansion(
        {"name": "gelu", "approximate": "none"},
        20,
        (
            Step("Div", ("x", math.sqrt(2.0))),
            Step("Erf", (0,)),
            Step("Add", (1, 1.0)),
            Step("Mul", ("x", 2)),
            Step("Mul", (3, 0.5)),
        ),
    ),
    Expansion(
        {"name": "gelu", "approximate": "tanh"},
        20,
        (
            Step("Mul", ("x", "x")),
            Step("Mul", ("x", 0)),
            Step("Mul", (0.044715, 1)),
            Step("Add", ("x", 2)),
            Step("Mul", (math.sqrt(2.0 / math.pi), 3)),
            Step("Tanh", (4,)),
            Step("Add", (1.0, 5)),
            Step("Mul", (0.5, "x")),
            Step("Mul", (7, 6)),
        ),
    ),
    Expansion({"name": "mish"}, 18, (Step("Softplus", ("x",)), Step("Tanh", (0,)), Step("Mul", ("x", 1)))),
    Expansion(
        {"name": "hard_swish"},
        14,
        (Step("HardSigmoid", ("x",), {"alpha": 1 / 6, "beta": 0.5}), Step("Mul", ("x", 0))),
    ),
)
_EITHER_WAY = ("Add", "Mul")


def expansion_of(name: str, options: Mapping[str, Any], opset: int) -> tuple[Step, ...] | None:
    """The steps of an activation, or None where the opset has it as one operator."""
    for row in EXPANSIONS:
        asked = {key: value for key, value in row.spec.items() if key != "name"}
        if row.since > opset and row.spec["name"] == name and asked.items() <= options.items():
            return row.steps
    return None


def expanded(
    current: str, users: Mapping[str, list[Any]], value_of: Callable[[str], np.ndarray | None]
) -> tuple[dict[str, Any], list[str]] | None:
    """The activation that the nodes above a value make up, and the names of what they give, the last one that of what it gives; None if
    it is none of the table.

    ``users`` are the nodes by what they take; ``value_of`` gives the constant of a name, or None.
    """
    for row in EXPANSIONS:
        outputs = _matched(row.steps, current, users, value_of)
        if outputs is not None:
            return dict(row.spec), outputs
    return None


def _matched(
    steps: tuple[Step, ...],
    current: str,
    users: Mapping[str, list[Any]],
    value_of: Callable[[str], np.ndarray | None],
) -> list[str] | None:
    given: dict[str | int, str] = {"x": current}
    nodes: list[Any] = []
    for number, step in enumerate(steps):
        ours = [part for part in step.inputs if not isinstance(part, float)]
        taken = users.get(given[ours[0]], ())
        node = next((n for n in taken if n not in nodes and _is_step(n, step, given, value_of)), None)
        if node is None:
            return None
        nodes.append(node)
        given[number] = node.output[0]
    outputs = [node.output[0] for node in nodes]
    if any(node not in nodes for name in outputs[:-1] for node in users.get(name, ())):
        return None  # somebody else needs what is in between
    return outputs


def _is_step(
    node: Any, step: Step, given: Mapping[str | int, str], value_of: Callable[[str], np.ndarray | None]
) -> bool:
    known = node.op_type == step.operator and node.domain in ("", "ai.onnx")
    if not known or len(node.input) != len(step.inputs):
        return False
    stated = {attribute.name: attribute.f for attribute in node.attribute}
    if not all(_close(stated.get(name), value) for name, value in step.attributes.items()):
        return False
    orders = [tuple(node.input)]
    if step.operator in _EITHER_WAY:
        orders.append(orders[0][::-1])

    def is_part(name: str, part: str | int | float) -> bool:
        return _close(value_of(name), part) if isinstance(part, float) else name == given[part]

    return any(all(map(is_part, order, step.inputs)) for order in orders)


def _close(found: Any, expected: float) -> bool:
    """As equal as two decimals of a constant are in half precision; no other activation has one so near."""
    return (
        found is not None
        and np.size(found) == 1
        and math.isclose(np.asarray(found).item(), expected, rel_tol=1e-3)
    )
