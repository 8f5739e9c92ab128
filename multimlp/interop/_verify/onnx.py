"""An ONNX model, run by onnxruntime: products are seen as further outputs of the graph. It has no gradients; slopes are had from the
outputs of the same graph in float64, as the package onnx itself evaluates it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from multimlp.errors import InputError, missing_dependency
from multimlp.errors.shown import one_line
from multimlp.interop._ensembles import in_rows, one_below_the_other
from multimlp.interop._verify.run import Call, Opened, Run

try:
    import onnxruntime
except ImportError:
    raise missing_dependency("onnxruntime", "multimlp.interop.verify of ONNX models", "onnx") from None


_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)


def opened(name: str, model: Any) -> Opened:
    """See `multimlp.interop._verify.opened`."""
    if not isinstance(model, onnx.ModelProto):
        raise InputError(f"{name}: expected an onnx.ModelProto, got {type(model).__name__}")
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    kind = inputs[0].type.tensor_type if len(inputs) == 1 else None
    if kind is None or len(kind.shape.dim) != 2 or not kind.shape.dim[1].dim_value:
        raise InputError(f"{name}: expected an ONNX model of one input of shape (n, features)")
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type).name

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        return _run(model, inputs[0].name, X)

    return Opened(
        "ONNX in onnxruntime", kind.shape.dim[1].dim_value, dtype, run, _in_float64(model, inputs[0].name)
    )


class Erf(OpRun):
    """In the precision of its inputs; the package's own is in single precision."""

    op_domain = ""

    def _run(self, x: np.ndarray) -> tuple[np.ndarray]:
        return (np.vectorize(math.erf, otypes=[x.dtype])(x),)


class Gelu(OpRun):
    """The same; the package's own is made of its error function."""

    op_domain = ""

    def _run(self, x: np.ndarray, approximate: str = "none") -> tuple[np.ndarray]:
        if approximate == "tanh":
            return (x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),)
        return (x / 2 * (1 + np.vectorize(math.erf, otypes=[x.dtype])(x / math.sqrt(2))),)


def _in_float64(model: onnx.ModelProto, source: str) -> Callable[[np.ndarray], np.ndarray | None]:
    """The outputs of the graph with its numbers in float64; onnxruntime has no such operators for many activations."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    del wide.graph.value_info[:]
    for value in (*wide.graph.input, *wide.graph.output):
        if value.type.tensor_type.elem_type in _FLOATS:
            value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    for tensor in (
        *wide.graph.initializer,
        *(a.t for n in wide.graph.node for a in n.attribute if a.HasField("t")),
    ):
        if tensor.data_type in _FLOATS:
            tensor.CopyFrom(
                numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name)
            )
    for node in wide.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i in _FLOATS:
                attribute.i = onnx.TensorProto.DOUBLE

    def outputs(X: np.ndarray) -> np.ndarray | None:
        try:
            found: Any = ReferenceEvaluator(wide, new_ops=[Erf, Gelu]).run(None, {source: X})
            return in_rows(np.asarray(found[0]))
        except Exception:  # whatever this evaluator lacks; the report says that there are no slopes
            return None

    return outputs


def _run(model: onnx.ModelProto, source: str, X: np.ndarray) -> Run:
    names, taken, given = _products(model.graph)
    normalised = [
        (f"BatchNormalization {node.name or node.output[0]!r}", node.input[0], node.output[0])
        for node in model.graph.node
        if node.op_type == "BatchNormalization"
    ]
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    inferred = shape_inference.infer_shapes(model).graph
    known = {value.name: value for value in inferred.value_info}
    own = {value.name for value in model.graph.output}
    wanted = list(
        dict.fromkeys(
            value
            for value in (*taken, *given, *(name for row in normalised for name in row[1:]))
            if value in known and value not in own
        )
    )
    watched.graph.output.extend(known[value] for value in wanted)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its own classes have no common base
        raise InputError(
            f"onnxruntime {onnxruntime.__version__} cannot run the ONNX model: {one_line(error)}"
        ) from None
    outputs = [value.name for value in session.get_outputs()]
    values = dict(zip(outputs, session.run(None, {source: X}), strict=True)) | {source: X}
    found = Run(in_rows(np.asarray(values[model.graph.output[0].name])))
    values = {name: one_below_the_other(value) for name, value in values.items()}
    if all(value in values for value in taken):
        found.calls(
            [
                Call(name, source, target, values[source], values.get(target))
                for name, source, target in zip(names, taken, given, strict=True)
            ],
            [
                Call(name, source, target, values[source], values[target])
                for name, source, target in normalised
                if source in values and target in values
            ],
        )
    return found


def _products(graph: Any) -> tuple[list[str], list[str], list[str]]:
    """Of each fully connected layer: its name, what it takes, and what it gives, an Add after a MatMul included."""
    names, taken, given = [], [], []
    users = {name: node for node in graph.node for name in node.input}
    for node in graph.node:
        if node.op_type not in ("Gemm", "MatMul"):
            continue
        following = users.get(node.output[0])
        added = node.op_type == "MatMul" and following is not None and following.op_type == "Add"
        names.append(f"{node.op_type} {node.name or node.output[0]!r}")
        taken.append(node.input[0])
        given.append(following.output[0] if added and following is not None else node.output[0])
    return names, taken, given
