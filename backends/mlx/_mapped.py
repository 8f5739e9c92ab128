"""What the rules for ``vmap`` of `mlx.core.custom_function` begin with."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx

from multimlp.backend import Array


def in_front(inputs: Sequence[Array], axes: Sequence[int | None]) -> list[Array]:
    """The arrays with the mapped axis in front, of length 1 where one is not mapped."""
    pairs = zip(inputs, axes, strict=True)
    return [mx.expand_dims(x, 0) if axis is None else mx.moveaxis(x, axis, 0) for x, axis in pairs]
