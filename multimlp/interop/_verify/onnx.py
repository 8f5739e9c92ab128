"""An ONNX model, run by onnxruntime: products are seen as further outputs of the graph. It has no gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, shape_inference

from multimlp.errors import InputError, missing_dependency
from multimlp.files import one_line
from multimlp.interop._verify.run import Call, Opened, Run

try:
    import onnxruntime
except ImportError:
    raise missing_dependency("onnxruntime", "multimlp.interop.verify of ONNX models", "onnx") from None


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

    return Opened("ONNX in onnxruntime", kind.shape.dim[1].dim_value, dtype, run)


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
    found = Run(np.asarray(values[model.graph.output[0].name]))
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
