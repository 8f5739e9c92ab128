"""A fitted estimator for tables as the function of an ONNX graph: what predicts here writes the graph there."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from multimlp import tree
from multimlp.backend import Array, array_namespace
from multimlp.estimators.tabular._ranks import normal_scores
from multimlp.frames import Encoded, Schema
from multimlp.interop.onnx import Input, encode_table, held, table_inputs

Results = dict[str, Array]


def of(
    schema: Schema, members: Sequence[Any], results: Callable[[Sequence[Array]], Results]
) -> tuple[dict[str, Input], Callable[[Mapping[str, Array]], Results]]:
    """A graph's inputs, and the function that writes it: what ``results`` makes of the networks' outputs."""
    dtypes = [member.fitted.network.exported_dtype for member in members]

    def graph(given: Mapping[str, Array]) -> Results:
        encoded = encode_table(schema, given)
        return results(
            [_outputs(member, encoded, dtype) for member, dtype in zip(members, dtypes, strict=True)]
        )

    return table_inputs(schema), graph


def _outputs(member: Any, encoded: Encoded, dtype: str) -> Array:
    preparation, network = member.preparation, member.fitted.network
    ranks = preparation.ranks
    normal = None if ranks is None else functools.partial(normal_scores, ranks.quantiles_)
    matrix = preparation.matrix_of(*encoded, normal)
    xp = array_namespace(matrix)
    params = tree.map(held, network.host_params)
    found: Array = network.mlp.apply(params, xp.astype(matrix, getattr(xp, dtype)), None)
    return found
