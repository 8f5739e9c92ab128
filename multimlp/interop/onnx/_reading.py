"""An ONNX graph as an MLP, if it is one."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from multimlp.activations import Activation
from multimlp.backend import FLOAT_DTYPES, Backend
from multimlp.errors import InputError, MultimlpError
from multimlp.errors.shown import one_line
from multimlp.files import opening
from multimlp.interop._branches import Branches
from multimlp.interop._building import Builder
from multimlp.interop._layers import unsupported_activation, unsupported_layer
from multimlp.interop._names import chosen
from multimlp.interop.onnx._expansions import expanded
from multimlp.interop.onnx._operators import CLIPS, OPERATORS, SELU, supported_activations

_OLDEST = 7
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
    combine: str = "members",
) -> tuple[Any, Any]:
    """A model and its parameters from an ONNX model or file: an MLP where it is one, else a chain of blocks.

    Batch normalisation and constants that are added, subtracted, multiplied and divided by are folded into the weights beside them.

    Parameters
    ----------
    model : ModelProto or path
        External data are not read.
    backend, device, dtype : optional
    combine : {"members", "mean", "probabilities", "vote"}
        What an ensemble that `to_onnx` has written makes of its members' outputs. That is no part of the network that comes back, which
        gives them all: whoever reads it says it.

    Raises
    ------
    FileFormatError
        If the file is no valid ONNX model.
    InputError
        For an operator or a structure that there is nothing for here, and names it and its place; for another ``combine``.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop import onnx as interop
    >>> mlp = mm.MLP(2, [3, 3], 1, activation="elu")
    >>> interop.from_onnx(interop.to_onnx(mlp, mlp.init(seed=0)))[0] == mlp
    True
    """
    proto = model if isinstance(model, onnx.ModelProto) else _load(model)
    opset = min((row.version for row in proto.opset_import if row.domain in ("", "ai.onnx")), default=_OLDEST)
    if opset < _OLDEST:  # whose arithmetic is written in another way
        raise InputError(
            f"ONNX model: it is of opset {opset}, and read are graphs from opset {_OLDEST} on; onnx.version_converter makes a newer one"
        )
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
    return reading.build(backend, device, dtype, combine=combine)


def _read(graph: Any) -> Builder:
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            value = next((a.t for a in node.attribute if a.name == "value"), None)
            if value is None:
                raise unsupported_layer("ONNX model", "Constant without a tensor", _readable())
            constants[node.output[0]] = value
        elif node.op_type == "Identity" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]]
    inputs = [value.name for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise InputError(
            f"ONNX model: expected one input and one output, got {len(inputs)} and {len(graph.output)}"
        )
    reading = Builder("ONNX model")
    _Graph(graph, constants, reading).read(inputs[0])
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
        "BatchNormalization",
        "LayerNormalization",
        "RMSNormalization",
        "Add, Sub, Mul, Div of constants",
        "Add of a value and what it has become",
        "Flatten",
        "Dropout",
        "PRelu",
        "Clip",
        "Shrink",
        "ThresholdedRelu",
        "Erf in gelu",
    )
    return (*own, *(node.name for node in OPERATORS.values()))


class _Graph:
    """Follows a graph from its input to its output."""

    def __init__(self, graph: Any, constants: Mapping[str, TensorProto], reading: Builder) -> None:
        self._graph, self._constants, self._reading = graph, constants, reading
        self._values = Branches(reading)
        self._sizes: dict[str, Any] = {}
        """Values that are made of shapes, and the nodes that make them."""
        self._users: dict[str, list[Any]] = {}
        """The nodes that take a value, of those that the output hangs on."""
        self._expanded: set[str] = set()
        """What nodes give that have been taken as one activation."""
        self._makers: dict[str, Any] = {}
        """The node that gives a value."""
        self._batch: int | None = None
        """How many rows the graph takes, if it says a number."""

    def read(self, source: str) -> None:
        given = next(value for value in self._graph.input if value.name == source)
        axes = given.type.tensor_type.shape.dim
        self._batch = axes[0].dim_value or None if axes else None
        output = self._graph.output[0].name
        self._values.start(source)
        self._makers = {name: node for node in self._graph.node for name in node.output}
        needed = self._needed(output)
        nodes = [node for node in self._graph.node if not needed.isdisjoint(node.output)]
        for node in nodes:
            for name in dict.fromkeys(node.input):
                self._users.setdefault(name, []).append(node)
        self._expand(source)
        for node in nodes:
            if node.output[0] not in self._expanded:
                self._node(node)
                self._expand(node.output[0])
        if output not in self._values:
            raise InputError(
                f"ONNX model: nothing leads from {source!r} to {output!r}; its nodes stand in another order than they are computed, or go "
                "round in a circle"
            )
        self._values.end(output)

    def _expand(self, value: str) -> None:
        """Take the nodes behind a value together where they make up an activation of an older opset."""
        while value in self._values and len(self._users.get(value, ())) > 1:
            found = expanded(value, self._users, self._value_of)
            if found is None:
                return
            spec, outputs = found
            self._reading.at(spec["name"], outputs[-1])
            self._values.step(outputs[-1], value, functools.partial(self._reading.activation, spec))
            self._expanded.update(outputs)
            value = outputs[-1]

    def _value_of(self, name: str) -> np.ndarray | None:
        return _values(self._constants[name]) if name in self._constants else None

    def _needed(self, output: str) -> set[str]:
        """What the output hangs on."""
        needed, waiting = {output}, [output]
        while waiting:
            node = self._makers.get(waiting.pop())
            new = set() if node is None else set(node.input) - needed
            needed |= new
            waiting += new
        return needed

    def _node(self, node: Any) -> None:
        values = [name for name in node.input if name in self._values]
        if node.op_type == "Shape" or (not values and any(name in self._sizes for name in node.input)):
            self._sizes |= dict.fromkeys(node.output, node)
            return
        if not values:
            return
        out = node.output[0]
        self._reading.at(node.op_type, node.name or out, _name_of(node))
        if node.domain not in ("", "ai.onnx"):
            raise self._unknown(f"{node.domain}.{self._reading.where}")
        if len(values) == 2 and node.op_type == "Add":
            self._values.add(out, *values)
        elif len(values) == 2 and node.op_type == "Mul":
            self._values.multiply(out, *values)
        elif len(values) == 2 and node.op_type == "Concat" and _attribute(node.attribute[0]) in (-1, 1):
            self._values.join(out, *values)
        elif len(values) == 1:
            attributes = {a.name: _attribute(a) for a in node.attribute}
            self._values.step(out, values[0], lambda: self._step(node, values[0], attributes))
        else:
            raise self._unknown()

    def _step(self, node: Any, value: str, attributes: Mapping[str, Any]) -> None:
        kind = node.op_type
        if kind in ("Add", "Sub", "Mul", "Div", "Neg"):
            self._arithmetic(node, value)
        elif kind in _STEPS:
            if node.input[0] != value:
                raise self._unknown(f"{self._reading.where} with the input elsewhere than in the first place")
            _STEPS[kind](self, node, attributes)
        else:
            if attributes.get("axis", -1) != -1:
                self._reading.on_rows()
            self._reading.activation(_activation_of(node, attributes, self._reading.where))

    def _unknown(self, what: str = "") -> InputError:
        return unsupported_layer("ONNX model", what or self._reading.where, _readable())

    def _constant(self, name: str) -> np.ndarray:
        if name not in self._constants:
            raise InputError(
                f"ONNX model: {self._reading.where} takes {name!r}, which is not stored in the model"
            )
        return _values(self._constants[name])

    def _optional(self, node: Any, place: int) -> np.ndarray | None:
        return self._constant(node.input[place]) if len(node.input) > place and node.input[place] else None

    def _row(self, values: np.ndarray, what: str) -> np.ndarray:
        """Numbers of the features, one each or one for all; others are of the rows."""
        if values.ndim > 1 and values.shape[-1] != values.size:
            raise self._unknown(f"{self._reading.where} with {what} of shape {values.shape}")
        return values.reshape(-1)

    def _arithmetic(self, node: Any, value: str) -> None:
        affine = self._reading.affine
        if node.op_type == "Neg":
            affine(-1.0)
            return
        first = node.input[0] == value
        constant = self._constant(node.input[1] if first else node.input[0]).astype(np.float64)
        if node.op_type == "Add":
            affine(1.0, constant)
        elif node.op_type == "Mul":
            affine(constant)
        elif node.op_type == "Sub" and first:
            affine(1.0, -constant)
        elif node.op_type == "Sub":
            affine(-1.0, constant)
        elif first and constant.all():
            affine(1 / constant)
        else:
            raise self._unknown(f"{self._reading.where} by the value, or by 0")

    def _gemm(self, node: Any, attributes: Mapping[str, Any]) -> None:
        plain = (
            attributes.get("alpha", 1.0) == 1
            and attributes.get("beta", 1.0) == 1
            and not attributes.get("transA")
        )
        if not plain:
            raise self._unknown(f"{self._reading.where} with alpha, beta or transA")
        weight, bias = self._constant(node.input[1]), self._optional(node, 2)
        weight = weight.T if attributes.get("transB") else weight
        if bias is not None:
            bias = self._row(bias, "a bias")
            bias = np.broadcast_to(bias, weight.shape[-1:]) if bias.size == 1 else bias
        self._reading.dense(weight, bias)

    def _matmul(self, node: Any, attributes: Mapping[str, Any]) -> None:
        weight = self._constant(node.input[1])
        if weight.ndim == 3:
            self._reading.dense_of_members(weight, None)
        else:
            self._reading.dense(weight, None)

    # ---- what is made of the outputs of an ensemble

    def _mean(self, node: Any, attributes: Mapping[str, Any]) -> None:
        axes = self._numbers(node.input[1]) if len(node.input) > 1 else attributes.get("axes")
        if axes != [0] or attributes.get("keepdims", 1):
            raise self._unknown(f"{self._reading.where} of other axes than that of the members")
        self._reading.combined("mean")

    def _above(self, node: Any, attributes: Mapping[str, Any]) -> None:
        if self._constant(node.input[1]).any():
            raise self._unknown(f"{self._reading.where} than something else than 0")
        self._reading.combined("above 0")

    def _cast(self, node: Any, attributes: Mapping[str, Any]) -> None:
        maker = self._makers.get(node.input[0])
        if maker is None or maker.op_type != "Greater":
            raise self._unknown()
        self._reading.combined("number")

    def _argmax(self, node: Any, attributes: Mapping[str, Any]) -> None:
        if attributes.get("axis", 0) != -1 or attributes.get("keepdims", 1):
            raise self._unknown(f"{self._reading.where} of another axis than the last")
        self._reading.combined("argmax")

    def _one_hot(self, node: Any, attributes: Mapping[str, Any]) -> None:
        depth, values = self._numbers(node.input[1]), self._constant(node.input[2]).tolist()
        if len(depth) != 1 or values != [0.0, 1.0] or attributes.get("axis", -1) != -1:
            raise self._unknown(f"{self._reading.where} of other numbers than 0 and 1")
        self._reading.combined(f"one-hot {depth[0]}")

    def _numbers(self, name: str) -> list[int]:
        """Whole numbers that are stored in the model."""
        if name not in self._constants:
            raise self._unknown(f"{self._reading.where} of {name!r}, which is not stored in the model")
        return [int(value) for value in numpy_helper.to_array(self._constants[name]).reshape(-1)]

    def _batch_norm(self, node: Any, attributes: Mapping[str, Any]) -> None:
        if attributes.get("training_mode") or len([name for name in node.output if name]) > 1:
            raise self._unknown(f"{self._reading.where} in training mode")
        scale, shift, mean, variance = (self._constant(name) for name in node.input[1:5])
        self._reading.batch_norm(mean, variance, scale, shift, attributes.get("epsilon", 1e-5))

    def _layer_norm(self, node: Any, attributes: Mapping[str, Any]) -> None:
        self._last_axis(attributes)
        epsilon = attributes.get("epsilon", 1e-5)
        self._reading.layer_norm(self._constant(node.input[1]), self._optional(node, 2), epsilon)

    def _rms_norm(self, node: Any, attributes: Mapping[str, Any]) -> None:
        self._last_axis(attributes)
        self._reading.rms_norm(self._constant(node.input[1]), attributes.get("epsilon", 1e-5))

    def _last_axis(self, attributes: Mapping[str, Any]) -> None:
        if attributes.get("axis", -1) not in (-1, 1):
            raise self._unknown(f"{self._reading.where} of another axis than the last")

    def _flatten(self, node: Any, attributes: Mapping[str, Any]) -> None:
        self._reading.on_rows()
        if attributes.get("axis", 1) != 1:
            raise self._unknown(f"{self._reading.where} with axis {attributes['axis']}")

    def _reshape(self, node: Any, attributes: Mapping[str, Any]) -> None:
        """Rows stay rows if two axes are asked for: the first as long as before, the second by what that leaves or as wide as before."""
        self._reading.on_rows()
        name, maker = node.input[1], self._sizes.get(node.input[1])
        if name in self._constants:
            shape: list[Any] = self._numbers(name)
        else:
            shape = [] if maker is None or maker.op_type != "Concat" else [*map(self._extent, maker.input)]
        rows, features = shape if len(shape) == 2 else (None, None)
        if isinstance(features, int) and features > 0:
            kept = rows == -1 or self._is_rows(rows)
            kept = kept and self._values.width(node.input[0]) in (None, features)
        else:
            kept = self._is_rows(rows) and features is not None
        if not kept:
            raise self._unknown(f"{self._reading.where} to something else than rows")

    def _is_rows(self, extent: int | str | None) -> bool:
        return extent in (0, "rows") or (extent is not None and extent == self._batch)

    def _extent(self, name: str) -> int | str | None:
        """A number that is stored, or which axis of the shape of the inputs it is the extent of; None for anything else."""
        if name in self._constants:
            numbers = self._numbers(name)
            return numbers[0] if len(numbers) == 1 else None
        node = self._sizes.get(name)
        while node is not None and node.op_type in ("Unsqueeze", "Squeeze", "Cast", "Identity"):
            node = self._sizes.get(node.input[0])
        if node is None:
            return None
        of_shape = (
            node.op_type == "Shape" or getattr(self._sizes.get(node.input[0]), "op_type", "") == "Shape"
        )
        taken: list[int] = []
        if node.op_type == "Gather" and of_shape and node.input[1] in self._constants:
            taken = self._numbers(node.input[1])
        elif node.op_type == "Slice" and of_shape and all(end in self._constants for end in node.input[1:3]):
            taken = [*range(*(self._numbers(end)[0] for end in node.input[1:3]))]
        elif node.op_type == "Shape":
            ends = {a.name: _attribute(a) for a in node.attribute}
            taken = [*range(ends.get("start", 0), ends.get("end", 2))]
        return {0: "rows", 1: "features", -1: "features"}.get(taken[0]) if len(taken) == 1 else None

    def _dropout(self, node: Any, attributes: Mapping[str, Any]) -> None:
        """Nothing, unless it says that it is training."""
        training = node.input[2] if len(node.input) > 2 else ""
        if training and (training not in self._constants or any(self._numbers(training))):
            raise self._unknown(f"{self._reading.where} in training mode")

    def _erf(self, node: Any, attributes: Mapping[str, Any]) -> None:
        self._reading.erf()

    def _prelu(self, node: Any, attributes: Mapping[str, Any]) -> None:
        self._reading.prelu(self._row(self._constant(node.input[1]), "slopes"))

    def _clip(self, node: Any, attributes: Mapping[str, Any]) -> None:
        ends = tuple(self._constant(name).item() for name in node.input[1:]) or (
            attributes.get("min"),
            attributes.get("max"),
        )
        named = {clip: name for name, clip in CLIPS.items()}
        if ends not in named:
            raise unsupported_activation("multimlp", f"{self._reading.where} to {ends}", CLIPS)
        self._reading.activation(named[ends])

    def _shrink(self, node: Any, attributes: Mapping[str, Any]) -> None:
        given = {**_DEFAULTS["Shrink"], **attributes}
        if given["bias"] not in (0.0, given["lambd"]):
            shown = f"{self._reading.where} with {given}"
            raise unsupported_activation("multimlp", shown, ("hardshrink", "softshrink"))
        name = "softshrink" if given["bias"] else "hardshrink"
        self._reading.activation({"name": name, "lambd": given["lambd"]})

    def _threshold(self, node: Any, attributes: Mapping[str, Any]) -> None:
        self._reading.activation(
            {"name": "threshold", "threshold": attributes.get("alpha", 1.0), "value": 0.0}
        )


_STEPS: dict[str, Callable[[_Graph, Any, Mapping[str, Any]], None]] = {
    "ArgMax": _Graph._argmax,
    "BatchNormalization": _Graph._batch_norm,
    "Cast": _Graph._cast,
    "Clip": _Graph._clip,
    "Dropout": _Graph._dropout,
    "Erf": _Graph._erf,
    "Flatten": _Graph._flatten,
    "Gemm": _Graph._gemm,
    "Greater": _Graph._above,
    "LayerNormalization": _Graph._layer_norm,
    "MatMul": _Graph._matmul,
    "OneHot": _Graph._one_hot,
    "PRelu": _Graph._prelu,
    "RMSNormalization": _Graph._rms_norm,
    "ReduceMean": _Graph._mean,
    "Reshape": _Graph._reshape,
    "Shrink": _Graph._shrink,
    "ThresholdedRelu": _Graph._threshold,
}


def _name_of(node: Any) -> str:
    """What a layer was called where the graph comes from: the stem of its numbers' names, else what is in its path beside operators."""
    kind = node.op_type.lower()
    for name in node.input[1:]:
        stem, dot, _ = name.rpartition(".")
        if dot and (found := chosen(stem, kind, "others")):
            return found
    path = [step for step in node.name.split("/") if step and chosen(step, kind, f"node{kind}")]
    return ".".join(path)


def _attribute(attribute: Any) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, float):  # stored in single precision: the shortest decimal is what was meant
        return float(str(np.float32(value)))
    return value.decode() if isinstance(value, bytes) else value


def _activation_of(node: Any, attributes: Mapping[str, Any], where: str) -> dict[str, Any] | Activation | str:
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
                raise unsupported_activation("multimlp", f"{where} with {wrong}", supported_activations())
            options = {option: given[attribute] for option, attribute in row.options.items()}
            return {"name": name, **options}
    raise unsupported_layer("ONNX model", where, _readable())
