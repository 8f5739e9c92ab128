"""A model of `multimlp train` as an ONNX model from the columns of a file to predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from multimlp import files, tree
from multimlp.backend import Array, array_namespace
from multimlp.cli.pipeline import Pipeline
from multimlp.errors import InputError


def write_estimator(model: str, output: str, opset: int | None) -> Any:
    """Write an estimator for tables; returns it."""
    from multimlp import estimators  # needs scikit-learn

    found = estimators.load(model, backend="numpy")
    estimators.to_onnx(found, output, opset)
    return found


def write_network(model: str, mlp: Any, params: Any, output: str, opset: int | None) -> None:
    """Write a network with what prepares its inputs and makes predictions of its outputs.

    Raises
    ------
    FileFormatError
        If the file ``model`` holds the network alone.
    """
    from multimlp.interop.onnx import Input, encode_table, held, record, table_inputs

    pipeline = Pipeline.from_dict(model, files.load_extra(model), mlp)
    table, leaves = pipeline.table, tree.leaves(params)
    if mlp.members(params) is not None:
        raise InputError(f"model: {model!r} holds an ensemble, expected one network")

    def graph(given: Mapping[str, Array]) -> dict[str, Array]:
        x = given["X"] if table is None else table.matrix_of(encode_table(table.schema, given))
        xp = array_namespace(x)
        x = (x - xp.asarray(np.array(pipeline.inputs.mean))) / xp.asarray(np.array(pipeline.inputs.scale))
        outputs = mlp(tree.map(held, params), xp.astype(x, np.dtype(leaves[0].dtype.name)))
        return pipeline.results(xp.astype(outputs, xp.float64))

    inputs = {"X": Input("float64", mlp.in_features)} if table is None else table_inputs(table.schema)
    record(graph, inputs, output, opset)
