"""An MLP as an ONNX graph."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from multimlp import tree
from multimlp.blocks import Chain
from multimlp.errors import DTypeError, InputError
from multimlp.errors.checks import check_whole
from multimlp.files import replacing
from multimlp.interop._arrays import dtype_of, on_host
from multimlp.interop._chains import has_parts
from multimlp.interop._ensembles import parts_and_members
from multimlp.interop._layers import (
    Network,
    check_axis,
    check_single,
    is_prelu,
    name_elsewhere,
    unsupported_activation,
)
from multimlp.interop._names import Names
from multimlp.interop._parts import (
    Affine,
    Dropout,
    LayerNorm,
    Linear,
    Part,
    Path,
    Pointwise,
    Residual,
    RMSNorm,
    width_after,
)
from multimlp.interop.onnx._expansions import Step, expansion_of
from multimlp.interop.onnx._operators import CLIPS, OPERATORS, supported_activations
from multimlp.interop.onnx._recording import Input, held, record

OPSET, OLDEST_OPSET = 20, 13
"""What is written if nothing is said, and the oldest that can be asked for; the newest is that of the package onnx."""
_SINCE: dict[type, tuple[str, int]] = {
    LayerNorm: ("LayerNormalization", 17),
    RMSNorm: ("RMSNormalization", 23),
}
"""Operators of normalisations that came later than `OLDEST_OPSET`, and when."""
_FLOATS = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "float16": TensorProto.FLOAT16}


def to_onnx(
    mlp: Network,
    params: Any,
    path: str | os.PathLike[str] | None = None,
    opset: int | None = None,
    combine: str = "members",
) -> onnx.ModelProto:
    """The model as an ONNX graph, written to ``path`` if one is given.

    Parameters
    ----------
    mlp : MLP, or a chain of blocks
        Dropout, which only training has, is left out. A chain with blocks that other libraries have nothing for (embeddings, waves,
        members, ...) is written as the operators that they are made of, by `record`; `from_onnx` does not read that back.
    params : tuple of Dense, or of the blocks' parameters
        float32, float64 or float16; of an MLP an ensemble too, as one graph whose weights have the members in front.
    path : path, optional
    opset : int, optional
        13 to the newest that the package onnx knows; default: 20, or 23 for a chain with RMS normalisation, which came there. Activations
        that it has no operator for yet (``gelu`` below 20, ``mish`` below 18, ``hard_swish`` below 14) are written as the operators that
        they are made of. A runtime may be behind: onnxruntime 1.31 runs up to 26.

    combine : {"members", "mean", "probabilities", "vote"}
        What is made of the outputs of an ensemble: nothing, (members, N, k), as a call gives; their mean; the mean of the probabilities of
        classes, as ``predict_proba`` of the estimators gives (softmax, or of a single output the sigmoid and what is left to 1); for
        each class the part of the members that vote for it.

    Raises
    ------
    InputError
        For an activation that ONNX has no operator for, naming those that it has, for another opset, and for one older than a
        normalisation.
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
    if opset is not None:
        opset = check_whole("opset", opset, low=OLDEST_OPSET, high=onnx.defs.onnx_opset_version())
    if isinstance(mlp, Chain) and not has_parts(mlp):
        check_single(mlp, params)
        return _record_chain(mlp, params, path, opset)
    parts, members = parts_and_members(mlp, params, combine, "ONNX")
    dtype = dtype_of(params)
    if dtype not in _FLOATS:
        raise DTypeError(f"params: dtype {dtype} cannot be exported; convert them to float32 first")
    if mlp.in_features is None:
        raise InputError("mlp: it does not say how many features come in; give its first block in_features=")
    graph = _Graph(np.dtype(dtype), _opset_for(parts, opset))
    for part in parts:
        _write(graph, part)
    kind, width = _FLOATS[dtype], width_after(parts) or mlp.in_features
    shape: list[Any] = ["N", width]
    if members is not None and combine == "members":
        shape = [members, "N", width]
    elif members is not None:
        shape = ["N", graph.combine(combine, width)]
    model = graph.model(
        helper.make_tensor_value_info("X", kind, ["N", mlp.in_features]),
        lambda name: helper.make_tensor_value_info(name, kind, shape),
    )
    if path is not None:
        with replacing(path) as beside:
            beside.write_bytes(model.SerializeToString(deterministic=True))
    return model


def _record_chain(chain: Chain, params: Any, path: Any, opset: int | None) -> onnx.ModelProto:
    """A chain of any blocks."""
    dtype, features = dtype_of(params), chain.in_features
    if dtype not in _FLOATS:
        raise DTypeError(f"params: dtype {dtype} cannot be exported; convert them to float32 first")
    if features is None:
        raise InputError("mlp: it does not say how many features come in; give its first block in_features=")
    constants = tree.map(on_host, params)
    return record(
        lambda given: {"Y": chain.apply(tree.map(held, constants), given["X"], None)},
        {"X": Input(dtype, features)},
        path,
        opset,
    )


def _opset_for(parts: Path, asked: int | None) -> int:
    """The opset to write, which must have the normalisations among these steps."""
    operator, needed = max(_normalisations(parts), key=lambda row: row[1], default=("", OLDEST_OPSET))
    if asked is None:
        return max(OPSET, needed)
    if asked < needed:
        raise InputError(
            f"opset: {asked} has no {operator}, which this model needs; it came with {needed}: give that or a newer one, or none"
        )
    return asked


def _normalisations(parts: Path) -> Iterator[tuple[str, int]]:
    """Each one's operator, and the opset that brought it."""
    for part in parts:
        if isinstance(part, Residual):
            yield from _normalisations(part.inner)
        elif type(part) in _SINCE:
            yield _SINCE[type(part)]


class _Graph:
    """A chain of nodes under construction."""

    def __init__(self, dtype: np.dtype[Any], opset: int) -> None:
        self._dtype, self.opset = dtype, opset
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self.current = "X"
        self.layers, self.others = 0, 0
        """How many fully connected layers there are so far, and how many other steps with numbers of their own."""
        self._names = Names()
        self._node_names = Names()

    def constant(self, name: str, values: Any) -> str:
        array = np.array(values, dtype=self._dtype, order="C")
        own = self._names(name)
        self._constants.append(numpy_helper.from_array(array, own))
        return own

    def add(
        self, operator: str, others: tuple[str, ...] | list[str] = (), node_name: str = "", **attributes: Any
    ) -> str:
        """Apply an operator to what came before; returns the name of what came before."""
        before, self.current = self.current, f"h{len(self._nodes)}"
        named = {"name": self._node_names(node_name)} if node_name else {}
        self._nodes.append(
            helper.make_node(operator, [before, *others], [self.current], **named, **attributes)
        )
        return before

    def expand(self, steps: tuple[Step, ...]) -> None:
        """Apply an activation in several steps."""
        source, given = self.current, list[str]()
        for step in steps:
            names = [
                source
                if part == "x"
                else given[part]
                if isinstance(part, int)
                else self.constant(f"constants.{len(self._constants)}", part)
                for part in step.inputs
            ]
            self.current = names[0]
            self.add(step.operator, names[1:], **step.attributes)
            given.append(self.current)

    def combine(self, combine: str, width: int) -> int:
        """Make one output of those of all members; returns how wide it is."""
        if combine == "probabilities":
            if width == 1:
                self.add("Sigmoid")
            else:
                self.add("Softmax", axis=-1)
        elif combine == "vote" and width == 1:
            self.add("Greater", [self.constant("combine.zero", 0.0)])
            self.add("Cast", to=helper.np_dtype_to_tensor_dtype(self._dtype))
        elif combine == "vote":
            self.add("ArgMax", axis=-1, keepdims=0)
            depth = numpy_helper.from_array(np.array([width], np.int64), "combine.classes")
            self._constants.append(depth)
            self.add("OneHot", [depth.name, self.constant("combine.values", [0.0, 1.0])], axis=-1)
        if self.opset < 18:
            self.add("ReduceMean", axes=[0], keepdims=0)
        else:
            axes = numpy_helper.from_array(np.array([0], np.int64), "combine.axes")
            self._constants.append(axes)
            self.add("ReduceMean", [axes.name], keepdims=0)
        if combine == "mean" or width > 1:
            return width
        second = self.current
        self.current = self.constant("combine.one", 1.0)
        self.add("Sub", [second])
        self.add("Concat", [second], axis=-1)
        return 2

    def model(self, inputs: Any, outputs: Callable[[str], Any]) -> onnx.ModelProto:
        if not self._nodes:
            self.add("Identity")
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


def _write(graph: _Graph, part: Part) -> None:
    if isinstance(part, Linear):
        _write_linear(graph, part)
    elif isinstance(part, Pointwise):
        _write_activation(graph, part)
    elif isinstance(part, Residual):
        before = graph.current
        for inner in part.inner:
            _write(graph, inner)
        graph.add("Add", [before], part.name)
    elif not isinstance(part, Dropout):
        _write_scaling(graph, part)


def _write_linear(graph: _Graph, part: Linear) -> None:
    name = part.name or f"layers.{graph.layers}"
    graph.layers += 1
    weight = graph.constant(f"{name}.weight", part.weight)
    biased = part.bias is not None
    if part.weight.ndim == 2:
        graph.add(
            "Gemm", [weight, *([graph.constant(f"{name}.bias", part.bias)] if biased else [])], part.name
        )
        return
    graph.add("MatMul", [weight], part.name)  # of an ensemble: members in front, rows of each
    if part.bias is not None:
        graph.add("Add", [graph.constant(f"{name}.bias", part.bias[:, None, :])])


def _write_scaling(graph: _Graph, part: Part) -> None:
    name = part.name or f"others.{graph.others}"
    graph.others += 1
    if isinstance(part, LayerNorm):
        names = [graph.constant(f"{name}.scale", part.scale)]
        if part.shift is not None:
            names.append(graph.constant(f"{name}.bias", part.shift))
        graph.add("LayerNormalization", names, part.name, axis=-1, epsilon=part.epsilon)
    elif isinstance(part, RMSNorm):
        graph.add(
            "RMSNormalization",
            [graph.constant(f"{name}.scale", part.scale)],
            part.name,
            axis=-1,
            epsilon=part.epsilon,
        )
    else:
        assert isinstance(part, Affine)
        graph.add("Mul", [graph.constant(f"{name}.scale", part.scale)], part.name)
        if part.shift.any():
            graph.add("Add", [graph.constant(f"{name}.bias", part.shift)])


def _write_activation(graph: _Graph, part: Pointwise) -> None:
    rule, options = part.rule, part.rule.options
    check_axis("ONNX", rule)
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
    elif (steps := expansion_of(rule.name, options, graph.opset)) is not None:
        graph.expand(steps)
    elif rule.name in OPERATORS:
        node = OPERATORS[rule.name]
        graph.add(
            node.name,
            **{node.options[o]: v for o, v in options.items() if o in node.options},
            **node.fixed,
        )
    else:
        raise unsupported_activation("ONNX", rule, supported_activations())
