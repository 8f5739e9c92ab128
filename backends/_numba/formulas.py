"""Loops over the portable definitions of activations, losses and updates, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from multimlp.backend import UntranslatableError
from multimlp.backends._numba.tracing import Graph, Number, Reduced, recorded


class Loop(NamedTuple):
    """A kernel in the making: what its parameters are, and its statements."""

    kinds: dict[str, str]
    text: str


_SHAPE = {"width": "int", "batch": "int", "stride": "int"}


def activation(dtype: str, function: Callable[..., Any], slope: Callable[..., Any] | None) -> Loop:
    """``y = f(y)``, and the slope in an array of its own if it is asked for."""
    graph = Graph(dtype)
    x = graph.input("x")
    stores = {"y": recorded(lambda: function(x), function)}
    if slope is not None:
        stores["slopes"] = recorded(lambda: slope(x), function)
    return _elementwise(graph, {"y": "x"}, stores)


def backward(dtype: str, from_output: Callable[..., Any]) -> Loop:
    """``d *= f'``"""
    graph = Graph(dtype)
    slope = recorded(lambda: from_output(graph.input("x")), from_output)
    return _elementwise(graph, {"y": "x", "d": "signal"}, {"d": graph.input("signal") * slope})


def update(dtype: str, rule: Callable[..., Any], slots: int, names: Sequence[str]) -> Loop:
    """Parameters and slots, from the gradient, scalars and themselves."""
    graph = Graph(dtype)
    arrays = ["p", "g", *(f"slot{i}" for i in range(slots))]
    p, g, *own = (graph.input(f"{name}_") for name in arrays)
    scalars = {name: graph.input(name, "scalar", true=name == "weight_decay") for name in names}
    results = recorded(lambda: rule(p, g, own, scalars), rule)
    stores = dict(zip(["p", *arrays[2:]], results, strict=True))
    loop = _elementwise(graph, {name: f"{name}_" for name in arrays}, stores, {"scalars": "Numbers"})
    read = [f"{name} = scalars[{i}]" for i, name in enumerate(names)]
    return Loop(loop.kinds, "\n".join([*read, loop.text]))


def loss(dtype: str, function: Callable[..., Any], gradient: Callable[..., Any], width: int) -> Loop:
    """The gradient in the outputs, and the loss, a mean or a sum over them."""
    graph = Graph(dtype)
    outputs, targets = (graph.input(name, shape=(2, width)) for name in ("output", "target"))
    value = recorded(lambda: function(outputs, targets), function)
    slope = recorded(lambda: gradient(outputs, targets), gradient)
    if not isinstance(value, Reduced):
        raise UntranslatableError(f"{function} is neither a mean nor a sum over the outputs")
    term, slope = graph.real(value.term), graph.real(slope)
    text = f"""
for r in range(batch):
    work[r] = F(0)
for j in range(width):
    for r in range(batch):
        output = z[j * stride + r]
        target = targets[j * stride + r]
{textwrap.indent(graph.text(), " " * 8)}
        d[j * stride + r] = share[r] * {slope}
        work[r] += {term}
for r in range(batch):
    total[0] += share[r] * work[r]{" / width" if value.mean else ""}
"""
    kinds = dict.fromkeys(("z", "d", "targets", "share", "work"), "Reals")
    return Loop({**kinds, "total": "Numbers", **_SHAPE}, text)


def _elementwise(
    graph: Graph, loads: dict[str, str], stores: dict[str, Number], more: dict[str, str] | None = None
) -> Loop:
    """A loop over arrays: from each it reads a number of this name, and to each it writes one."""
    lines = [f"{name} = {array}[r]" for array, name in loads.items()]
    results = {array: graph.real(value) for array, value in stores.items()}
    lines += [*graph.lines, *(f"{array}[r] = {result}" for array, result in results.items())]
    kinds = dict.fromkeys((*loads, *(array for array in stores if array not in loads)), "Reals")
    loop = "for j in range(width):\n    for r in range(j * stride, j * stride + batch):\n"
    return Loop({**kinds, **(more or {}), **_SHAPE}, loop + textwrap.indent("\n".join(lines), " " * 8))
