"""Any function of arrays as an ONNX graph: it is called once, with arrays that write down what is done with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper

from multimlp.errors import DTypeError, InputError
from multimlp.errors.checks import check_function, check_whole, refuse
from multimlp.files import replacing
from multimlp.interop.onnx import _namespace  # gives values their namespace
from multimlp.interop.onnx._values import CURRENT, KINDS, ML, Graph, Value, constant, made

RECORDING_OPSET = 18
"""The oldest that `record` can be asked for."""


@dataclass(frozen=True)
class Input:
    """What comes into a graph: (rows, columns) of a dtype.

    Parameters
    ----------
    dtype : str
        ``"float32"``, ``"float64"``, ``"float16"``, a dtype of integers, ``"bool"``, or ``"object"``, which is text.
    columns : int
    description : str
        Written beside it, for who reads the graph.
    """

    dtype: str
    columns: int = 1
    description: str = ""


def record(
    function: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    inputs: Mapping[str, Input],
    path: str | os.PathLike[str] | None = None,
    opset: int | None = None,
) -> onnx.ModelProto:
    """A function of arrays as an ONNX graph, written to ``path`` if one is given.

    The function is called once, with arrays that know their dtype and shape, and write down what the array API standard's functions make
    of them: so are activations, chains of blocks, losses and functions of your own. How many rows there are is not known, None in the
    shape, and nothing can be decided by values.

    Parameters
    ----------
    function : callable
        Of a mapping of arrays of shape (None, columns), by the names of ``inputs``; returns a mapping of arrays, the outputs by name.
    inputs : mapping of str to Input
    path : path, optional
    opset : int, optional
        18 to the newest that the package onnx knows; default: 20.

    Raises
    ------
    InputError
        For names that ONNX cannot have, or that an input and an output share.
    CapabilityError
        For what cannot be written down before the graph runs.
    DTypeError, ShapeError
        For arrays that do not fit together.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.interop import onnx as interop
    >>> chain = mm.chain(mm.blocks.periodic(4, 8, 0.1, in_features=2), mm.blocks.dense(1))
    >>> params = chain.init(seed=0)
    >>> def graph(given):
    ...     held = mm.tree.map(interop.held, params)
    ...     return {"Y": chain.apply(held, given["X"], None)}
    >>> model = interop.record(graph, {"X": interop.Input("float32", 2)})
    >>> [(value.name, len(value.type.tensor_type.shape.dim)) for value in model.graph.output]
    [('Y', 2)]
    """
    opset = (
        20
        if opset is None
        else check_whole("opset", opset, low=RECORDING_OPSET, high=onnx.defs.onnx_opset_version())
    )
    check_function("function", function, "a function of a dict of arrays that returns such a dict")
    if not isinstance(inputs, Mapping):
        raise refuse("inputs", "a mapping of names to Input", inputs)
    for name, given in inputs.items():
        if not isinstance(given, Input):
            raise refuse("inputs", f"an Input for {name!r}", given)
        if not name or not isinstance(name, str):
            raise InputError(
                f"inputs: {name!r} cannot be the name of an input; give it one that is text and not empty"
            )
        if given.dtype not in KINDS:
            raise DTypeError(
                f"inputs: expected one of the dtypes {', '.join(KINDS)}, got {given.dtype!r} for {name!r}"
            )
    graph = Graph(tuple(inputs))
    token = CURRENT.set(graph)
    try:
        made_of = {name: Value(name, given.dtype, (None, given.columns)) for name, given in inputs.items()}
        outputs = function(made_of)
        if not isinstance(outputs, Mapping) or not all(isinstance(v, Value) for v in outputs.values()):
            raise refuse(
                "function", "a dict of names and the arrays made of its inputs as its result", outputs
            )
        found = {name: (value.laid_out, value) for name, value in outputs.items()}
    finally:
        CURRENT.reset(token)
    shared = sorted(set(found) & set(inputs))
    if shared:
        raise InputError(f"inputs: {shared[0]!r} is the name of an output, too; rename it")
    if taken := sorted(found.keys() & {name for node in graph.nodes for name in node.output}):
        raise InputError(f"function: the output {taken[0]!r} has the name of a node; call it otherwise")
    ends = [helper.make_node("Identity", [own], [name]) for name, (own, _) in found.items()]
    nodes, read = _needed([*graph.nodes, *ends], set(found))
    proto = helper.make_graph(
        nodes,
        "multimlp",
        [
            _described(name, given.dtype, (None, given.columns), given.description)
            for name, given in inputs.items()
        ],
        [_described(name, value.dtype.name, value.shape, "") for name, (_, value) in found.items()],
        [constant for constant in graph.constants if constant.name in read],
    )
    ml = any(node.domain == ML for node in nodes)
    model = helper.make_model(
        proto,
        opset_imports=[helper.make_opsetid("", opset), *([helper.make_opsetid(ML, 3)] if ml else [])],
        ir_version=helper.OP_SET_ID_VERSION_MAP["ai.onnx", opset],
        producer_name="multimlp",
    )
    onnx.checker.check_model(model)
    if path is not None:
        with replacing(path) as beside:
            beside.write_bytes(model.SerializeToString(deterministic=True))
    return model


def _needed(nodes: Sequence[Any], outputs: set[str]) -> tuple[list[Any], set[str]]:
    """The nodes that the outputs hang on, and all that is read."""
    read, kept = set(outputs), []
    for node in reversed(nodes):
        if read & set(node.output):
            kept.append(node)
            read |= set(node.input)
    return kept[::-1], read


def _described(name: str, dtype: str, shape: Sequence[int | None], text: str) -> Any:
    lengths = ["N" if n is None else n for n in shape]
    return helper.make_tensor_value_info(name, KINDS[dtype], lengths, doc_string=text)


def held(array: Any) -> Any:
    """Numbers or texts that are known, such as parameters, as an array of the graph that is recorded."""
    return constant(np.asarray(array))


def lookup(texts: Any, known: Mapping[str, int]) -> Any:
    """The codes of texts that are known, as float64; -1 for others. An operator of ``ai.onnx.ml``.

    Parameters
    ----------
    texts : array of a graph, dtype object
    known : mapping of str to int
    """
    codes = made(
        "LabelEncoder",
        [texts.laid_out],
        np.int64,
        texts.shape,
        domain=ML,
        keys_strings=list(known),
        values_int64s=list(known.values()),
        default_int64=-1,
    )
    return _namespace.xp.astype(codes, np.float64)
