"""Outputs of several parts: each target has one output of each part, and the parts lie one behind the other."""

from __future__ import annotations

from multimlp.backend import Array, Namespace
from multimlp.errors import ShapeError
from multimlp.losses._align import aligned, check_outputs, require_floating


def parts(outputs: Array, count: int, what: str) -> list[Array]:
    """The parts of outputs (..., n, count d), each (..., n, d)."""
    require_floating(outputs)
    shape = tuple(outputs.shape)
    check_outputs(shape)
    if not shape[-1] or shape[-1] % count:
        raise ShapeError(
            f"outputs: expected shape (..., n, k) with k a multiple of {count}: {what}, got {shape}"
        )
    width = shape[-1] // count
    return [outputs[..., i * width : (i + 1) * width] for i in range(count)]


def parts_and_targets(
    outputs: Array, targets: Array, count: int, what: str
) -> tuple[Namespace, list[Array], Array]:
    """The namespace, the parts, and the targets (..., n, d) in the outputs' dtype."""
    found = parts(outputs, count, what)
    xp, targets = aligned(found[0], targets)
    return xp, found, targets
