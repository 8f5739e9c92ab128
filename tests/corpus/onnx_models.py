"""ONNX graphs as exporters write them."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from corpus import Row


def model(nodes, constants, features, outputs, opset=17):
    tensors = [
        numpy_helper.from_array(np.asarray(value, np.asarray(value).dtype), name)
        for name, value in constants.items()
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])
        for name, width in (("input", features), ("output", outputs))
    ]
    graph = helper.make_graph(
        [helper.make_node(*node[:3], **node[3]) for node in nodes], "graph", ends[:1], ends[1:], tensors
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(made)
    return made


def numbers(*shape):
    return np.random.default_rng(sum(shape)).uniform(0.2, 1.0, shape).astype("float32")


def pipeline():
    """A scaler and a network of scikit-learn."""
    constants = {
        "mean": numbers(1, 4),
        "scale": numbers(1, 4) + 1,
        "W": numbers(4, 6),
        "b": numbers(1, 6),
        "V": numbers(6, 3),
        "c": numbers(3),
    }
    return model([
        ("Sub", ["input", "mean"], ["x0"], {}), ("Div", ["x0", "scale"], ["x1"], {}), ("MatMul", ["x1", "W"], ["x2"], {}),
        ("Add", ["x2", "b"], ["x3"], {}), ("Relu", ["x3"], ["x4"], {}), ("MatMul", ["x4", "V"], ["x5"], {}),
        ("Add", ["x5", "c"], ["x6"], {}), ("Softmax", ["x6"], ["output"], {"axis": 1}),
    ], constants, 4, 3)  # fmt: skip


def exported():
    """Of torch, with batch normalisation and gelu in parts."""
    constants = {
        "W": numbers(6, 4), "b": numbers(6), "g": numbers(6), "h": numbers(6), "m": numbers(6), "v": numbers(6), "V": numbers(3, 6),
        "root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5), "shape": np.asarray([-1, 4], np.int64),
    }  # fmt: skip
    return model([
        ("Reshape", ["input", "shape"], ["x0"], {}), ("Gemm", ["x0", "W", "b"], ["x1"], {"transB": 1}),
        ("BatchNormalization", ["x1", "g", "h", "m", "v"], ["x2"], {"epsilon": 1e-5}), ("Div", ["x2", "root"], ["x3"], {}),
        ("Erf", ["x3"], ["x4"], {}), ("Add", ["x4", "one"], ["x5"], {}), ("Mul", ["x2", "x5"], ["x6"], {}),
        ("Mul", ["x6", "half"], ["x7"], {}), ("Gemm", ["x7", "V"], ["output"], {"transB": 1}),
    ], constants, 4, 3)  # fmt: skip


ROWS = [
    Row("onnx scaler and network", pipeline, (6,)),
    Row("onnx batch norm and gelu in parts", exported, (6,)),
]
