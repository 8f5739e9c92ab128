"""An MLP as an ONNX graph."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from multimlp.errors import DTypeError, InputError
from multimlp.files import replacing
from multimlp.interop._arrays import dtype_of
from multimlp.interop._layers import Network, is_prelu, name_elsewhere, parts_of, unsupported_activation
from multimlp.interop._parts import (
    Affine,
    Dropout,
    LayerNorm,
    Linear,
    Part,
    Pointwise,
    Residual,
    RMSNorm,
    width_after,
)
from multimlp.interop.onnx._operators import CLIPS, OPERATORS, supported_activations

OPSET, IR_VERSION = 20, 9
_FLOATS = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "float16": TensorProto.FLOAT16}


def to_onnx(mlp: Network, params: Any, path: str | os.PathLike[str] | None = None) -> onnx.ModelProto:
    """The model as an ONNX graph, written to ``path`` if one is given.

    Parameters
    ----------
    mlp : MLP, or a chain of blocks
        Dropout, which only training has, is left out.
    params : tuple of Dense, or of the blocks' parameters
        float32, float64 or float16; no ensemble.
    path : path, optional

    Raises
    ------
    InputError
        For an activation that ONNX has no operator for; names those that it has.
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
    parts, dtype = parts_of(mlp, params), dtype_of(params)
    if dtype not in _FLOATS:
        raise DTypeError(f"params: dtype {dtype} cannot be exported; convert them to float32 first")
    if mlp.in_features is None:
        raise InputError("mlp: it does not say how many features come in; give its first block in_features=")
    graph = _Graph(np.dtype(dtype))
    for part in parts:
        _write(graph, part)
    kind = _FLOATS[dtype]
    model = graph.model(
        helper.make_tensor_value_info("X", kind, ["N", mlp.in_features]),
        lambda name: helper.make_tensor_value_info(name, kind, ["N", width_after(parts) or mlp.in_features]),
    )
    if path is not None:
        with replacing(path) as beside:
            beside.write_bytes(model.SerializeToString(deterministic=True))
    return model


class _Graph:
    """A chain of nodes under construction."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self.current = "X"
        self.layers, self.others = 0, 0
        """How many fully connected layers there are so far, and how many other steps with numbers of their own."""
        self._taken: dict[str, int] = {}
        self.opset, self._ir = OPSET, IR_VERSION

    def constant(self, name: str, values: Any) -> str:
        array = np.array(values, dtype=self._dtype, order="C")
        times = self._taken[name] = self._taken.get(name, 0) + 1
        own = name if times == 1 else f"{name}.{times}"
        self._constants.append(numpy_helper.from_array(array, own))
        return own

    def needs_opset(self, opset: int, ir_version: int) -> None:
        """An operator is used that came later than `OPSET`."""
        self.opset, self._ir = max(self.opset, opset), max(self._ir, ir_version)

    def add(self, operator: str, others: tuple[str, ...] | list[str] = (), **attributes: Any) -> str:
        """Apply an operator to what came before; returns the name of what came before."""
        before, self.current = self.current, f"h{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, [before, *others], [self.current], **attributes))
        return before

    def model(self, inputs: Any, outputs: Callable[[str], Any]) -> onnx.ModelProto:
        if not self._nodes:
            self.add("Identity")
        self._nodes[-1].output[0] = "Y"
        graph = helper.make_graph(self._nodes, "multimlp", [inputs], [outputs("Y")], self._constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", self.opset)],
            ir_version=self._ir,
            producer_name="multimlp",
        )
        onnx.checker.check_model(model)
        return model


def _write(graph: _Graph, part: Part) -> None:
    if isinstance(part, Linear):
        name = f"layers.{graph.layers}"
        names = [graph.constant(f"{name}.weight", part.weight)]
        if part.bias is not None:
            names.append(graph.constant(f"{name}.bias", part.bias))
        graph.layers += 1
        graph.add("Gemm", names)
    elif isinstance(part, Pointwise):
        _write_activation(graph, part)
    elif isinstance(part, Residual):
        before = graph.current
        for inner in part.inner:
            _write(graph, inner)
        graph.add("Add", [before])
    elif not isinstance(part, Dropout):
        _write_scaling(graph, part)


def _write_scaling(graph: _Graph, part: Part) -> None:
    name = f"others.{graph.others}"
    graph.others += 1
    if isinstance(part, LayerNorm):
        names = [graph.constant(f"{name}.scale", part.scale)]
        if part.shift is not None:
            names.append(graph.constant(f"{name}.bias", part.shift))
        graph.add("LayerNormalization", names, axis=-1, epsilon=part.epsilon)
    elif isinstance(part, RMSNorm):
        graph.needs_opset(23, 11)
        graph.add(
            "RMSNormalization",
            [graph.constant(f"{name}.scale", part.scale)],
            axis=-1,
            epsilon=part.epsilon,
        )
    else:
        assert isinstance(part, Affine)
        graph.add("Mul", [graph.constant(f"{name}.scale", part.scale)])
        if part.shift.any():
            graph.add("Add", [graph.constant(f"{name}.bias", part.shift)])


def _write_activation(graph: _Graph, part: Pointwise) -> None:
    rule, options = part.rule, part.rule.options
    where = f"layers.{max(graph.layers - 1, 0)}"
    if is_prelu(rule):
        ((name, slope),) = part.learned.items()
        graph.add("PRelu", [graph.constant(f"{where}.activation.{name}", np.atleast_1d(slope))])
    elif rule.parameters:
        raise unsupported_activation("ONNX", rule, supported_activations())
    elif rule.name in CLIPS:
        ends = [
            graph.constant(f"{where}.{end}", v)
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
    elif rule.name in OPERATORS:
        node = OPERATORS[rule.name]
        graph.add(
            node.name,
            **{node.options[o]: v for o, v in options.items() if o in node.options},
            **node.fixed,
        )
    else:
        raise unsupported_activation("ONNX", rule, supported_activations())
