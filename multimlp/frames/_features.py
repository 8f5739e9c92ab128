"""A table as one matrix of plain features, for a model that knows numbers alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimlp.backend import Array, array_namespace
from multimlp.errors import DataError, FileFormatError
from multimlp.frames._median import median
from multimlp.frames._schema import Encoded, Schema

MOST_CATEGORIES = 1000
"""Of one column: each of them becomes a column of the matrix."""


@dataclass(frozen=True)
class Features:
    """The columns of a table as numbers: the median for a missing one and an indicator beside it, a 0 or 1 for each category.

    Attributes
    ----------
    schema : Schema
    fill : tuple of float
        What stands for a missing value of each numeric column.
    gaps : tuple of int
        The numeric columns that get an indicator.

    Examples
    --------
    >>> from multimlp.frames import Features, Schema
    >>> table = {"age": [31, None, 54], "job": ["cook", "nurse", "cook"]}
    >>> schema = Schema.of(table)
    >>> features = Features.of(schema, schema.encode(table))
    >>> features.names
    ('age', 'age is missing', 'job = cook', 'job = nurse')
    >>> features.matrix(schema.encode({"age": [None], "job": ["pilot"]}))
    array([[42.5,  1. ,  0. ,  0. ]])
    """

    schema: Schema
    fill: tuple[float, ...]
    gaps: tuple[int, ...]

    @classmethod
    def of(cls, schema: Schema, table: Encoded) -> Features:
        """Learned from an encoded table.

        Raises
        ------
        DataError
            For a column of more than `MOST_CATEGORIES` categories; for a table without a value; where two features would have one name.
        """
        if not schema.numeric and not any(column.categories for column in schema.categorical):
            raise DataError("X: no column holds a value, so there is nothing to learn from")
        for column in schema.categorical:
            if len(column.categories) > MOST_CATEGORIES:
                raise DataError(
                    f"the column {column.name!r} has {len(column.categories)} different texts, and at most {MOST_CATEGORIES} become "
                    f"features of this model; leave it out (--drop {column.name!r}) or take a model that embeds them (--model realmlp)"
                )
        missing = np.isnan(table.numbers)
        fill = [
            median(column[~gone]) if not gone.all() else 0.0
            for column, gone in zip(table.numbers.T, missing.T, strict=True)
        ]
        gaps = [j for j, gone in enumerate(missing.T) if gone.any()]
        found = cls(schema, tuple(fill), tuple(gaps))
        seen: set[str] = set()
        for name in found.names:
            if name in seen:
                raise DataError(f"X: two features would be called {name!r}; rename a column")
            seen.add(name)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns of a matrix."""
        numeric = [column.name for column in self.schema.numeric]
        shown = [
            f"{column.name} = {item}" for column in self.schema.categorical for item in column.categories
        ]
        return (*numeric, *(f"{numeric[j]} is missing" for j in self.gaps), *shown)

    def matrix(self, table: Encoded) -> np.ndarray:
        """Shape (n, len(names)), float64, of an encoded table."""
        return np.asarray(self.matrix_of(table))

    def matrix_of(self, table: Encoded) -> Array:
        """As `matrix`, of arrays of any library."""
        numbers, codes = table
        xp = array_namespace(numbers, codes)
        parts = []
        if self.fill:
            missing = xp.isnan(numbers)
            parts.append(xp.where(missing, xp.asarray(np.asarray(self.fill)), numbers))
            parts += [xp.astype(missing[:, j : j + 1], xp.float64) for j in self.gaps]
        for j, column in enumerate(self.schema.categorical):
            if column.categories:
                own = xp.asarray(np.arange(float(len(column.categories))))
                parts.append(xp.astype(codes[:, j : j + 1] == own, xp.float64))
        return xp.concat(parts, axis=1)

    def to_spec(self) -> dict[str, Any]:
        """As plain values (JSON)."""
        return {"schema": self.schema.to_spec(), "fill": list(self.fill), "gaps": list(self.gaps)}

    @classmethod
    def from_spec(cls, spec: Any) -> Features:
        """The inverse of `to_spec`; `FileFormatError` for anything else."""
        if not isinstance(spec, Mapping) or spec.keys() != {"schema", "fill", "gaps"}:
            raise FileFormatError(f"not the description of features: {str(spec)[:80]}")
        schema, fill, gaps = Schema.from_spec(spec["schema"]), spec["fill"], spec["gaps"]
        count = len(schema.numeric)
        good = (
            isinstance(fill, list)
            and len(fill) == count
            and all(isinstance(value, float) and math.isfinite(value) for value in fill)
            and isinstance(gaps, list)
            and all(type(j) is int and 0 <= j < count for j in gaps)
        )
        if not good:
            raise FileFormatError("features: the values for missing numbers do not fit the columns")
        return cls(schema, tuple(fill), tuple(gaps))
