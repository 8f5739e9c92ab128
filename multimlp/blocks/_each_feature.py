"""What is done to each feature by itself: a matrix of its own for each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from multimlp import initializers
from multimlp.backend import Array, array_namespace
from multimlp.blocks._block import Parameter


def each_feature(x: Array) -> Array:
    """(..., n, features) to (..., features, n, 1), so that a matrix per feature can act on it."""
    xp = array_namespace(x)
    return xp.expand_dims(xp.moveaxis(x, -1, -2), axis=-1)


def side_by_side(x: Array) -> Array:
    """(..., features, n, k) to (..., n, features * k)."""
    xp = array_namespace(x)
    moved = xp.moveaxis(x, -3, -2)
    shape = tuple(moved.shape)
    return xp.reshape(moved, (*shape[:-2], shape[-2] * shape[-1]))


def of_rows(function: Any, x: Array) -> Array:
    """A function of rows, (..., n, features), of rows or of one row."""
    if x.ndim > 1:
        return function(x)
    xp = array_namespace(x)
    return xp.squeeze(function(xp.expand_dims(x, axis=0)), axis=0)


def linear_parameters(features: int, fan_in: int, fan_out: int) -> dict[str, Parameter]:
    """Of a fully connected layer for each feature: U(-a, a) with a = 1 / sqrt(fan_in)."""
    draw = initializers.uniform(1 / math.sqrt(fan_in))
    return {
        "weight": Parameter((features, fan_in, fan_out), draw),
        "bias": Parameter((features, fan_out), draw),
    }


def linear(x: Array, params: Mapping[str, Array]) -> Array:
    """That layer: (..., features, n, fan_in) to (..., features, n, fan_out)."""
    xp = array_namespace(x)
    units: Array = xp.matmul(x, params["weight"])
    return units + xp.expand_dims(params["bias"], axis=-2) if "bias" in params else units
