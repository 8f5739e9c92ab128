"""An ONNX graph as an MLP, if it is one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from multimlp.activations import Activation
from multimlp.backend import FLOAT_DTYPES, Backend
from multimlp.errors import InputError, MultimlpError
from multimlp.files import one_line, opening
from multimlp.interop._layers import Builder, unsupported_activation, unsupported_layer
from multimlp.interop.onnx._expansions import expanded
from multimlp.interop.onnx._operators import CLIPS, OPERATORS, SELU, supported_activations
from multimlp.mlp import MLP, Params

_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
_DEFAULTS: dict[str, dict[str, Any]] = {
    "LeakyRelu": {"alpha": 0.01},
    "Elu": {"alpha": 1.0},
    "Celu": {"alpha": 1.0},
    "Selu": SELU,
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "Gelu": {"approximate": "none"},
    "Softmax": {"axis": -1},
    "LogSoftmax": {"axis": -1},
    "Shrink": {"bias": 0.0, "lambd": 0.5},
}
"""What ONNX takes for an attribute that a node leaves out."""


def from_onnx(
    model: onnx.ModelProto | str | os.PathLike[str],
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
) -> tuple[MLP, Params]:
    """An MLP and its parameters from an ONNX model or file.

    Parameters
    ----------
    model : ModelProto or path
        External data are not read.
    backend, device, dtype : optional

    Raises
    ------
    FileFormatError
        If the file is no valid ONNX model.
    InputError
        For an operator or a structure that no MLP has; names it.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop import onnx as interop
    >>> mlp = mm.MLP(2, [3, 3], 1, activation="elu")
    >>> interop.from_onnx(interop.to_onnx(mlp, mlp.init(seed=0)))[0] == mlp
    True
    """
    proto = model if isinstance(model, onnx.ModelProto) else _load(model)
    try:
        reading = _read(proto.graph)
    except MultimlpError:
        raise
    except (
        IndexError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:  # a node without what its operator must have
        raise InputError(f"ONNX model: a node is not well formed: {one_line(error)}") from None
    return reading.build(backend, device, dtype)


def _read(graph: Any) -> Builder:
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise unsupported_layer("ONNX model", f"{node.domain}.{node.op_type}", _readable())
        if node.op_type == "Constant":
            value = next((a.t for a in node.attribute if a.name == "value"), None)
            if value is None:
                raise unsupported_layer("ONNX model", "Constant without a tensor", _readable())
            constants[node.output[0]] = value
    inputs = [value.name for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise InputError(
            f"ONNX model: expected one input and one output, got {len(inputs)} and {len(graph.output)}"
        )
    reading = Builder("ONNX model")
    _Chain(graph, constants, reading).read(inputs[0])
    return reading


def _load(path: str | os.PathLike[str]) -> onnx.ModelProto:
    with opening(path, "is no valid ONNX model"):
        model = onnx.load(os.fspath(path), format="protobuf", load_external_data=False)
        onnx.checker.check_model(model)
        return model


def _values(tensor: Any) -> np.ndarray:
    if tensor.data_location == TensorProto.EXTERNAL:
        raise InputError(
            f"ONNX model: the tensor {tensor.name!r} is stored in another file, which is not read"
        )
    if tensor.data_type not in _FLOATS:
        raise InputError(
            f"ONNX model: the tensor {tensor.name!r} holds no floating-point numbers of {', '.join(FLOAT_DTYPES)}"
        )
    try:
        return numpy_helper.to_array(tensor)
    except Exception as error:  # whatever it makes of numbers that are not as many as its axes say
        raise InputError(
            f"ONNX model: the tensor {tensor.name!r} cannot be read: {one_line(error)}"
        ) from None


def _readable() -> tuple[str, ...]:
    own = (
        "Gemm",
        "MatMul",
        "Add",
        "Dropout",
        "PRelu",
        "Clip",
        "Shrink",
        "ThresholdedRelu",
        "Sigmoid and Mul",
    )
    return (*own, *(node.name for node in OPERATORS.values()))


class _Chain:
    """Follows a graph from its input to its output."""

    def __init__(self, graph: Any, constants: Mapping[str, TensorProto], reading: Builder) -> None:
        self._constants, self._reading = constants, reading
        self._users: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in dict.fromkeys(node.input):
                self._users.setdefault(name, []).append(node)
        self._output = graph.output[0].name

    def read(self, current: str) -> None:
        seen: set[str] = set()
        while current != self._output:
            if current in seen:
                raise InputError(
                    f"ONNX model: its nodes go round in a circle from {current!r}; an MLP is a chain"
                )
            seen.add(current)
            users = self._users.get(current, [])
            kinds = sorted(node.op_type for node in users)
            if kinds == ["Mul", "Sigmoid"]:
                current = self._silu(current, users)
            elif len(users) == 1:
                current = self._node(users[0], current)
            elif (found := expanded(current, self._users, self._value_of)) is not None:
                spec, current = found
                self._reading.activation(spec)
            else:
                raise InputError(
                    f"ONNX model: {current!r} goes to {' and '.join(kinds) or 'nothing'}; an MLP is a chain"
                )

    def _silu(self, current: str, users: list[Any]) -> str:
        gate, product = sorted(users, key=lambda node: node.op_type == "Mul")
        if set(product.input) != {current, gate.output[0]}:
            raise unsupported_layer("ONNX model", "Mul", _readable())
        self._reading.activation("silu")
        return str(product.output[0])

    def _node(self, node: Any, current: str) -> str:
        attributes = {a.name: _attribute(a) for a in node.attribute}
        if node.op_type == "Gemm":
            self._gemm(node, current, attributes)
        elif node.op_type == "MatMul":
            return self._matmul(node, current)
        elif node.op_type == "Dropout":
            pass
        elif node.op_type in ("PRelu", "Clip", "Shrink", "ThresholdedRelu"):
            self._special(node, attributes)
        else:
            self._reading.activation(_activation_of(node, attributes))
        return str(node.output[0])

    def _constant(self, name: str, of: str) -> np.ndarray:
        if name not in self._constants:
            raise InputError(f"ONNX model: {of} takes {name!r}, which is not stored in the model")
        return _values(self._constants[name])

    def _value_of(self, name: str) -> np.ndarray | None:
        return _values(self._constants[name]) if name in self._constants else None

    def _gemm(self, node: Any, current: str, attributes: Mapping[str, Any]) -> None:
        plain = (
            attributes.get("alpha", 1.0) == 1
            and attributes.get("beta", 1.0) == 1
            and not attributes.get("transA")
        )
        if not plain or node.input[0] != current:
            raise unsupported_layer(
                "ONNX model", "Gemm with alpha, beta, transA or a variable weight", _readable()
            )
        weight = self._constant(node.input[1], "Gemm")
        bias = self._constant(node.input[2], "Gemm") if len(node.input) > 2 and node.input[2] else None
        self._reading.dense(
            weight.T if attributes.get("transB") else weight, None if bias is None else bias.reshape(-1)
        )

    def _matmul(self, node: Any, current: str) -> str:
        if node.input[0] != current:
            raise unsupported_layer("ONNX model", "MatMul with the input on the right", _readable())
        weight, output = self._constant(node.input[1], "MatMul"), node.output[0]
        users = self._users.get(output, [])
        if len(users) != 1 or users[0].op_type != "Add":
            self._reading.dense(weight, None)
            return str(output)
        others = [name for name in users[0].input if name != output]
        if len(others) != 1:
            raise unsupported_layer("ONNX model", "Add of a value and itself", _readable())
        self._reading.dense(weight, self._constant(others[0], "Add").reshape(-1))
        return str(users[0].output[0])

    def _special(self, node: Any, attributes: Mapping[str, Any]) -> None:
        if node.op_type == "PRelu":
            self._reading.prelu(self._constant(node.input[1], "PRelu").reshape(-1))
        elif node.op_type == "Clip":
            ends = tuple(self._constant(name, "Clip").item() for name in node.input[1:]) or (
                attributes.get("min"),
                attributes.get("max"),
            )
            named = {clip: name for name, clip in CLIPS.items()}
            if ends not in named:
                raise unsupported_activation("multimlp", f"Clip to {ends}", CLIPS)
            self._reading.activation(named[ends])
        elif node.op_type == "Shrink":
            given = {**_DEFAULTS["Shrink"], **attributes}
            if given["bias"] not in (0.0, given["lambd"]):
                raise unsupported_activation("multimlp", f"Shrink with {given}", ("hardshrink", "softshrink"))
            name = "softshrink" if given["bias"] else "hardshrink"
            self._reading.activation({"name": name, "lambd": given["lambd"]})
        else:
            self._reading.activation(
                {"name": "threshold", "threshold": attributes.get("alpha", 1.0), "value": 0.0}
            )


def _attribute(attribute: Any) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, float):  # stored in single precision: the shortest decimal is what was meant
        return float(str(np.float32(value)))
    return value.decode() if isinstance(value, bytes) else value


def _activation_of(node: Any, attributes: Mapping[str, Any]) -> dict[str, Any] | Activation | str:
    given = {**_DEFAULTS.get(node.op_type, {}), **attributes}
    if given.get("axis") == 1:
        given["axis"] = -1
    for name, row in OPERATORS.items():
        if row.name == node.op_type:
            wrong = {
                a: given.get(a)
                for a, v in row.fixed.items()
                if not np.allclose(given.get(a, np.nan), v, rtol=1e-6)
            }
            if wrong:
                raise unsupported_activation(
                    "multimlp", f"{node.op_type} with {wrong}", supported_activations()
                )
            options = {option: given[attribute] for option, attribute in row.options.items()}
            return {"name": name, **options}
    raise unsupported_layer("ONNX model", node.op_type, _readable())
