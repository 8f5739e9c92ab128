"""ONNX: export and import of MLPs.

What is written: opset 20 (IR version 9), one ``Gemm`` a layer with weights (in, out), inputs ``X`` of shape
(N, in), outputs ``Y``. What is read: a chain of ``Gemm`` or ``MatMul`` and ``Add``, activations,
``Identity``, ``Dropout``, from opset 7 on. Weights are equal to the bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from multimlp.activations import Activation
from multimlp.atomic import replacing
from multimlp.backend import Backend
from multimlp.errors import DTypeError, FileFormatError, InputError, missing_dependency
from multimlp.interop._layers import (
    Builder,
    Layer,
    dtype_of,
    layers_of,
    unsupported_activation,
    unsupported_layer,
)
from multimlp.mlp import MLP, Params

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    raise missing_dependency("onnx", "multimlp.interop.onnx", "onnx") from None

OPSET, IR_VERSION = 20, 9
_FLOATS = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "float16": TensorProto.FLOAT16}
_SELU = {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}


@dataclass(frozen=True)
class _Node:
    """One ONNX operator for an activation: its attributes, fixed and by option."""

    operator: str
    options: Mapping[str, str] = field(default_factory=dict)
    """Option here to attribute there."""
    fixed: Mapping[str, Any] = field(default_factory=dict)


_NODES: dict[str, _Node] = {
    "identity": _Node("Identity"),
    "relu": _Node("Relu"),
    "leaky_relu": _Node("LeakyRelu", {"negative_slope": "alpha"}),
    "elu": _Node("Elu", {"alpha": "alpha"}),
    "celu": _Node("Celu", {"alpha": "alpha"}),
    "selu": _Node("Selu", fixed=_SELU),
    "sigmoid": _Node("Sigmoid"),
    "tanh": _Node("Tanh"),
    "softplus": _Node("Softplus"),
    "softsign": _Node("Softsign"),
    "hard_sigmoid": _Node("HardSigmoid", fixed={"alpha": 1 / 6, "beta": 0.5}),
    "hard_swish": _Node("HardSwish"),
    "gelu": _Node("Gelu", {"approximate": "approximate"}),
    "mish": _Node("Mish"),
    "softmax": _Node("Softmax", fixed={"axis": -1}),
    "log_softmax": _Node("LogSoftmax", fixed={"axis": -1}),
    "hardshrink": _Node("Shrink", {"lambd": "lambd"}, {"bias": 0.0}),
    "exponential": _Node("Exp"),
    "sine": _Node("Sin"),
}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "LeakyRelu": {"alpha": 0.01},
    "Elu": {"alpha": 1.0},
    "Celu": {"alpha": 1.0},
    "Selu": _SELU,
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "Gelu": {"approximate": "none"},
    "Softmax": {"axis": -1},
    "LogSoftmax": {"axis": -1},
    "Shrink": {"bias": 0.0, "lambd": 0.5},
}
"""What ONNX takes for an attribute that a node leaves out."""

_CLIPS = {"relu6": (0.0, 6.0), "hard_tanh": (-1.0, 1.0)}
_SPECIAL = ("prelu", "softshrink", "threshold", "silu", "swish", *_CLIPS)


def supported_activations() -> tuple[str, ...]:
    """The names of the activations that can be written."""
    return (*_NODES, *_SPECIAL)


# ---- export ----------------------------------------


def to_onnx(mlp: MLP, params: Params, path: str | os.PathLike[str] | None = None) -> onnx.ModelProto:
    """The model as an ONNX graph, written to ``path`` if one is given.

    Parameters
    ----------
    mlp : MLP
        Dropout, which only training has, is left out.
    params : tuple of Dense
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
    dtype = dtype_of(params)
    if dtype not in _FLOATS:
        raise DTypeError(f"params: dtype {dtype} cannot be exported; convert them to float32 first")
    graph = _Graph()
    for i, layer in enumerate(layers_of(mlp, params)):
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
            beside.write_bytes(model.SerializeToString())
    return model


def _out_width(mlp: MLP) -> int:
    final = mlp.final_activation
    return mlp.out_features if final is None else final.width(mlp.out_features)


class _Graph:
    """A chain of nodes under construction."""

    def __init__(self) -> None:
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

    def model(self, inputs: Any, outputs: Callable[[str], Any]) -> onnx.ModelProto:
        self._nodes[-1].output[0] = "Y"
        graph = helper.make_graph(self._nodes, "multimlp", [inputs], [outputs("Y")], self._constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="multimlp",
        )
        onnx.checker.check_model(model)
        return model


def _write_activation(graph: _Graph, i: int, layer: Layer) -> None:
    rule = layer.activation
    assert rule is not None
    kind, options = layer.weight.dtype, rule.options
    if rule.parameters and rule.name in ("prelu", "leaky_relu"):
        ((name, slope),) = layer.learned.items()
        graph.add("PRelu", [graph.constant(f"layers.{i}.activation.{name}", np.atleast_1d(slope))])
    elif rule.parameters:
        raise unsupported_activation("ONNX", rule, supported_activations())
    elif rule.name in _CLIPS:
        ends = [
            graph.constant(f"layers.{i}.{end}", np.asarray(v, kind))
            for end, v in zip(("min", "max"), _CLIPS[rule.name], strict=True)
        ]
        graph.add("Clip", ends)
    elif rule.name == "silu" or (rule.name == "swish" and options["beta"] == 1):
        before = graph.add("Sigmoid")
        graph.add("Mul", [before])
    elif rule.name == "softshrink":
        graph.add("Shrink", bias=float(options["lambd"]), lambd=float(options["lambd"]))
    elif rule.name == "threshold" and options["value"] == 0:
        graph.add("ThresholdedRelu", alpha=float(options["threshold"]))
    elif rule.name in _NODES:
        node = _NODES[rule.name]
        graph.add(
            node.operator,
            **{node.options[o]: v for o, v in options.items() if o in node.options},
            **node.fixed,
        )
    else:
        raise unsupported_activation("ONNX", rule, supported_activations())


# ---- import ----------------------------------------


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
    graph = proto.graph
    constants = {tensor.name: _values(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            (value,) = [a.t for a in node.attribute if a.name == "value"] or [None]
            if value is None:
                raise unsupported_layer("ONNX model", "Constant without a tensor", _operators())
            constants[node.output[0]] = _values(value)
    inputs = [value.name for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise InputError(
            f"ONNX model: expected one input and one output, got {len(inputs)} and {len(graph.output)}"
        )
    reading = Builder("ONNX model")
    _Chain(graph, constants, reading).read(inputs[0])
    return reading.build(backend, device, dtype)


def _load(path: str | os.PathLike[str]) -> onnx.ModelProto:
    try:
        model = onnx.load(os.fspath(path), load_external_data=False)
        onnx.checker.check_model(model)
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except Exception as error:
        raise FileFormatError(f"{str(path)!r} is no valid ONNX model: {str(error).splitlines()[0]}") from None
    return model


def _values(tensor: Any) -> np.ndarray:
    if tensor.data_location == TensorProto.EXTERNAL:
        raise InputError(
            f"ONNX model: the tensor {tensor.name!r} is stored in another file, which is not read"
        )
    return numpy_helper.to_array(tensor)


def _operators() -> tuple[str, ...]:
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
    return (*own, *(node.operator for node in _NODES.values()))


class _Chain:
    """Follows a graph from its input to its output."""

    def __init__(self, graph: Any, constants: Mapping[str, np.ndarray], reading: Builder) -> None:
        self._constants, self._reading = constants, reading
        self._nodes = [node for node in graph.node if node.op_type != "Constant"]
        self._output = graph.output[0].name

    def read(self, current: str) -> None:
        while current != self._output:
            users = [node for node in self._nodes if current in node.input]
            kinds = sorted(node.op_type for node in users)
            if kinds == ["Mul", "Sigmoid"]:
                current = self._silu(current, users)
            elif len(users) == 1:
                current = self._node(users[0], current)
            else:
                raise InputError(
                    f"ONNX model: {current!r} goes to {' and '.join(kinds) or 'nothing'}; an MLP is a chain"
                )

    def _silu(self, current: str, users: list[Any]) -> str:
        gate, product = sorted(users, key=lambda node: node.op_type == "Mul")
        if set(product.input) != {current, gate.output[0]}:
            raise unsupported_layer("ONNX model", "Mul", _operators())
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
        return self._constants[name]

    def _gemm(self, node: Any, current: str, attributes: Mapping[str, Any]) -> None:
        plain = (
            attributes.get("alpha", 1.0) == 1
            and attributes.get("beta", 1.0) == 1
            and not attributes.get("transA")
        )
        if not plain or node.input[0] != current:
            raise unsupported_layer(
                "ONNX model", "Gemm with alpha, beta, transA or a variable weight", _operators()
            )
        weight = self._constant(node.input[1], "Gemm")
        bias = self._constant(node.input[2], "Gemm") if len(node.input) > 2 and node.input[2] else None
        self._reading.dense(
            weight.T if attributes.get("transB") else weight, None if bias is None else bias.reshape(-1)
        )

    def _matmul(self, node: Any, current: str) -> str:
        if node.input[0] != current:
            raise unsupported_layer("ONNX model", "MatMul with the input on the right", _operators())
        weight, output = self._constant(node.input[1], "MatMul"), node.output[0]
        users = [user for user in self._nodes if output in user.input]
        if len(users) != 1 or users[0].op_type != "Add":
            self._reading.dense(weight, None)
            return str(output)
        (other,) = [name for name in users[0].input if name != output]
        self._reading.dense(weight, self._constant(other, "Add").reshape(-1))
        return str(users[0].output[0])

    def _special(self, node: Any, attributes: Mapping[str, Any]) -> None:
        if node.op_type == "PRelu":
            slope = self._constant(node.input[1], "PRelu").reshape(-1)
            per_unit = slope.size > 1
            spec = {"name": "prelu", "learnable": True, "per_unit": per_unit}
            self._reading.activation(spec, {"alpha": slope if per_unit else slope.reshape(())})
        elif node.op_type == "Clip":
            ends = tuple(float(self._constant(name, "Clip")) for name in node.input[1:]) or (
                attributes.get("min"),
                attributes.get("max"),
            )
            named = {clip: name for name, clip in _CLIPS.items()}
            if ends not in named:
                raise unsupported_activation("multimlp", f"Clip to {ends}", _CLIPS)
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
    for name, row in _NODES.items():
        if row.operator == node.op_type:
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
    raise unsupported_layer("ONNX model", node.op_type, _operators())
