"""The shapes of outputs and targets, and what is made of targets and weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.backend import Array, Namespace, is_array, owner
from multimlp.errors import DTypeError, ShapeError
from multimlp.errors.checks import refuse
from multimlp.losses import binary_cross_entropy, cross_entropy, one_hot, reduce


def rows(outputs: Array, targets: Array) -> tuple[int, ...]:
    """The shape of the outputs; `ShapeError` unless there is one target a row."""
    shape, given = shape_of("outputs", outputs), shape_of("targets", targets)
    if len(shape) < 2 or len(given) not in (1, 2) or given[0] != shape[-2]:
        raise ShapeError(
            f"outputs, targets: expected shapes (..., n, k) and (n,) or (n, k), got {shape} and {given}"
        )
    return shape


def shape_of(name: str, x: Any) -> tuple[int, ...]:
    if not is_array(x):
        raise refuse(name, "an array", x)
    library = owner(x)
    if library.dtype_name(x.dtype).startswith(("complex", "str", "object", "datetime", "timedelta", "bytes")):
        raise DTypeError(f"{name}: expected numbers, got dtype {library.dtype_name(x.dtype)}")
    return tuple(x.shape)


def check_labels(outputs_shape: tuple[int, ...], targets: np.ndarray, **options: Any) -> None:
    """Targets are labels, or probabilities of classes, for so many outputs."""
    loss = binary_cross_entropy if outputs_shape[-1:] == (1,) else cross_entropy
    loss.validate(outputs_shape, targets)


def in_full_precision(outputs: Array) -> Array:
    """The outputs, float32 where they are of half precision, in which counts of rows would be rounded."""
    library = owner(outputs)
    if not library.is_floating(outputs):
        raise DTypeError(
            f"outputs: expected a real floating-point dtype, got {library.dtype_name(outputs.dtype)}"
        )
    kind = counted_in(outputs)
    return outputs if kind == outputs.dtype else library.xp.astype(outputs, kind)


def counted_in(outputs: Array) -> Any:
    """The dtype of the outputs, float32 where it is of half precision, which holds no counts beyond 2048."""
    library = owner(outputs)
    is_half = library.is_floating(outputs) and library.xp.finfo(outputs.dtype).bits < 32
    return library.xp.float32 if is_half else outputs.dtype


def or_nan(xp: Namespace, known: Array, x: Array) -> Array:
    """x where it is known, else NaN."""
    return xp.where(known, x, xp.full_like(x, float("nan")))


def distributions(xp: Namespace, p: Array) -> Array:
    """Rows of probabilities, (..., n, k), as they are; NaN those that are none."""
    inside = xp.all(xp.logical_and(p >= 0, p <= 1), axis=-1, keepdims=True)
    rest = xp.sum(p, axis=-1, keepdims=True, dtype=p.dtype) - 1
    return or_nan(xp, xp.logical_and(inside, xp.logical_and(rest >= -0.01, rest <= 0.01)), p)


def in_two(xp: Namespace, p: Array) -> Array:
    """Probabilities of class 1, (..., n, 1), as those of both classes."""
    return xp.concat([1 - p, p], axis=-1)


def true_distribution(xp: Namespace, outputs: Array, targets: Array) -> Array:
    """The probabilities of the classes, (n, k), of two where k is 1, in the outputs' dtype; of an impossible label NaN."""
    shape, given = rows(outputs, targets), tuple(targets.shape)
    classes = shape[-1]
    if len(given) == 2 and given[1] != classes:
        raise ShapeError(
            f"targets: expected shape {shape[-2:]} or ({given[0]},) for outputs of shape {shape}, got {given}"
        )
    if len(given) == 1 and classes > 1:
        return distributions(xp, xp.astype(one_hot(xp, targets, classes), outputs.dtype))
    q = xp.astype(targets, outputs.dtype)
    q = xp.expand_dims(q, axis=-1) if len(given) == 1 else q
    return distributions(xp, in_two(xp, q) if classes == 1 else q)


def weights_of(xp: Namespace, per_example: Array, sample_weight: Array | None) -> Array:
    """One weight a row, (n,), in the dtype of what has shape (..., n); NaN where one is negative."""
    count = per_example.shape[-1]
    if sample_weight is None:
        return xp.ones((count,), dtype=per_example.dtype, device=getattr(per_example, "device", None) or None)
    if shape_of("sample_weight", sample_weight) != (count,):
        raise ShapeError(
            f"sample_weight: expected shape ({count},), one weight a row, got {tuple(sample_weight.shape)}"
        )
    weights = xp.astype(sample_weight, per_example.dtype)
    return or_nan(xp, weights >= 0, weights)


def average(xp: Namespace, per_example: Array, sample_weight: Array | None) -> Array:
    """The mean over the last axis, by the weights; NaN where all of them are zero."""
    if sample_weight is None:
        return reduce(per_example)
    weights = weights_of(xp, per_example, sample_weight)
    known = xp.sum(weights, axis=-1, dtype=weights.dtype) > 0
    return or_nan(xp, known, reduce(per_example, weights))
