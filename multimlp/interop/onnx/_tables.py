"""The columns of a table as inputs of a graph, one each, and as the two matrices that a schema makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multimlp.frames import Column, Encoded, Meanings, Schema
from multimlp.interop.onnx._namespace import xp
from multimlp.interop.onnx._recording import Input, lookup

_MEANINGS = {
    "number": "number; NaN for a missing one",
    "date": "date, as days since 1970-01-01 in UTC; NaN for a missing one",
    "boolean": "truth value: 0 or 1; NaN for a missing one",
    "category": "category, as text; for a missing one any text that training had not",
}


def table_inputs(schema: Schema) -> dict[str, Input]:
    """What `record` takes for the columns of a table: float64 with NaN for numbers, days for dates, 0 and 1 for truth values, text.

    Examples
    --------
    >>> from multimlp.frames import Schema
    >>> from multimlp.interop import onnx as interop
    >>> schema = Schema.of({"age": [31, None], "job": ["cook", "nurse"]})
    >>> [(name, given.dtype) for name, given in interop.table_inputs(schema).items()]
    [('age', 'float64'), ('job', 'object')]
    """
    return {
        column.name: Input("object" if column.kind == "category" else "float64", 1, _MEANINGS[column.kind])
        for column in schema.columns
    }


def encode_table(schema: Schema, given: Mapping[str, Any]) -> Encoded:
    """As ``schema.encode``, of a graph's inputs."""
    numbers = [given[column.name] for column in schema.numeric]
    codes = [_codes(column, given[column.name]) for column in schema.categorical]
    nothing = xp.asarray([[0.0]])  # where there are no such columns, and nobody looks
    return Encoded(*(xp.concat(part, axis=1) if part else nothing for part in (numbers, codes)))


def _codes(column: Column, values: Any) -> Any:
    if column.kind == "category":
        # A column without categories, which no network looks at, gets one that is no text of anybody's.
        categories, meanings = column.categories or ("\ufffe",), Meanings(column.categories)
        codes = {category: code for code, category in enumerate(categories)}
        for category in column.categories:
            codes |= dict.fromkeys(meanings.spellings(category), codes[category])
        return lookup(values, codes)
    ones = xp.ones_like(values)
    return xp.where(values == 0, xp.zeros_like(values), xp.where(values == 1, ones, -ones))
