"""An MLP as an ONNX graph."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from multimlp.errors import DTypeError
from multimlp.errors.checks import check_whole
from multimlp.files import replacing
from multimlp.interop._layers import (
    HostLayer,
    dtype_of,
    is_prelu,
    layers_of,
    name_elsewhere,
    unsupported_activation,
)
from multimlp.interop.onnx._expansions import Step, expansion_of
from multimlp.interop.onnx._operators import CLIPS, OPERATORS, supported_activations
from multimlp.mlp import MLP, Params

OPSET, OLDEST_OPSET = 20, 13
"""What is written if nothing is said, and the oldest that can be asked for; the newest is that of the package onnx."""
_FLOATS = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "float16": TensorProto.FLOAT16}


def to_onnx(
    mlp: MLP, params: Params, path: str | os.PathLike[str] | None = None, opset: int = OPSET
) -> onnx.ModelProto:
    """The model as an ONNX graph, written to ``path`` if one is given.

    Parameters
    ----------
    mlp : MLP
        Dropout, which only training has, is left out.
    params : tuple of Dense
        float32, float64 or float16; no ensemble.
    path : path, optional
    opset : int
        13 to the newest that the package onnx knows. Activations that it has no operator for yet (``gelu`` below 20, ``mish`` below
        18, ``hard_swish`` below 14) are written as the operators that they are made of. A runtime may be behind: onnxruntime 1.31 runs
        up to 26.

    Raises
    ------
    InputError
        For an activation that ONNX has no operator for, naming those that it has, and for another opset.
    DTypeError
        For bfloat16.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop import onnx as interop
    >>> mlp = mm.MLP(2, 3, 1)
    >>> model = interop.to_onnx(mlp, mlp.init(seed=0))
    >>> [node.op_type for node in model.graph.node]
    ['Gemm', 'Relu', 'Gemm']
    """
    opset = check_whole("opset", opset, low=OLDEST_OPSET, high=onnx.defs.onnx_opset_version())
    layers, dtype = layers_of(mlp, params), dtype_of(params)
    if dtype not in _FLOATS:
        raise DTypeError(f"params: dtype {dtype} cannot be exported; convert them to float32 first")
    graph = _Graph(opset)
    for i, layer in enumerate(layers):
        names = [graph.constant(f"layers.{i}.weight", layer.weight)]
        if layer.bias is not None:
            names.append(graph.constant(f"layers.{i}.bias", layer.bias))
        graph.add("Gemm", names)
        if layer.activation is not None:
            _write_activation(graph, i, layer)
    kind = _FLOATS[dtype]
    model = graph.model(
        helper.make_tensor_value_info("X", kind, ["N", mlp.in_features]),
        lambda name: helper.make_tensor_value_info(name, kind, ["N", _out_width(mlp)]),
    )
    if path is not None:
        with replacing(path) as beside:
            beside.write_bytes(model.SerializeToString(deterministic=True))
    return model


def _out_width(mlp: MLP) -> int:
    final = mlp.final_activation
    return mlp.out_features if final is None else final.width(mlp.out_features)


class _Graph:
    """A chain of nodes under construction."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self.current = "X"

    def constant(self, name: str, values: np.ndarray) -> str:
        self._constants.append(numpy_helper.from_array(np.array(values, order="C"), name))
        return name

    def add(self, operator: str, others: tuple[str, ...] | list[str] = (), **attributes: Any) -> str:
        """Apply an operator to what came before; returns the name of what came before."""
        before, self.current = self.current, f"h{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, [before, *others], [self.current], **attributes))
        return before

    def expand(self, steps: tuple[Step, ...], kind: Any) -> None:
        """Apply an activation in several steps."""
        source, given = self.current, list[str]()
        for step in steps:
            names = [
                source
                if part == "x"
                else given[part]
                if isinstance(part, int)
                else self.constant(f"constants.{len(self._constants)}", np.asarray(part, kind))
                for part in step.inputs
            ]
            self.current = names[0]
            self.add(step.operator, names[1:], **step.attributes)
            given.append(self.current)

    def model(self, inputs: Any, outputs: Callable[[str], Any]) -> onnx.ModelProto:
        self._nodes[-1].output[0] = "Y"
        graph = helper.make_graph(self._nodes, "multimlp", [inputs], [outputs("Y")], self._constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", self.opset)],
            ir_version=helper.OP_SET_ID_VERSION_MAP["ai.onnx", self.opset],
            producer_name="multimlp",
        )
        onnx.checker.check_model(model)
        return model


def _write_activation(graph: _Graph, i: int, layer: HostLayer) -> None:
    rule = layer.activation
    assert rule is not None
    kind, options = layer.weight.dtype, rule.options
    if is_prelu(rule):
        ((name, slope),) = layer.learned.items()
        graph.add("PRelu", [graph.constant(f"layers.{i}.activation.{name}", np.atleast_1d(slope))])
    elif rule.parameters:
        raise unsupported_activation("ONNX", rule, supported_activations())
    elif rule.name in CLIPS:
        ends = [
            graph.constant(f"layers.{i}.{end}", np.asarray(v, kind))
            for end, v in zip(("min", "max"), CLIPS[rule.name], strict=True)
        ]
        graph.add("Clip", ends)
    elif name_elsewhere(rule) == "silu":
        before = graph.add("Sigmoid")
        graph.add("Mul", [before])
    elif rule.name == "softshrink":
        graph.add("Shrink", bias=float(options["lambd"]), lambd=float(options["lambd"]))
    elif rule.name == "threshold" and options["value"] == 0:
        graph.add("ThresholdedRelu", alpha=float(options["threshold"]))
    elif (steps := expansion_of(rule.name, options, graph.opset)) is not None:
        graph.expand(steps, kind)
    elif rule.name in OPERATORS:
        node = OPERATORS[rule.name]
        graph.add(
            node.name,
            **{node.options[o]: v for o, v in options.items() if o in node.options},
            **node.fixed,
        )
    else:
        raise unsupported_activation("ONNX", rule, supported_activations())
