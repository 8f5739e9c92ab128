"""Bring targets to the shape and dtype of the outputs, and check their values on the host."""

from __future__ import annotations

import numpy as np

from multimlp.backend import Array, Namespace, array_namespace, owner
from multimlp.errors import DataError, DTypeError, ShapeError


def check_outputs(shape: tuple[int | None, ...]) -> None:
    """`ShapeError` unless outputs have a row an example (sizes that are not known, None, pass)."""
    if len(shape) < 2:
        raise ShapeError(f"outputs: expected shape (..., n, k), one row per example, got {shape}")


def check_trailing(outputs_shape: tuple[int, ...], targets_shape: tuple[int, ...], also: str = "") -> None:
    """Targets of two or more axes must equal the trailing axes of the outputs (unknown sizes, None, pass)."""
    trailing = outputs_shape[len(outputs_shape) - len(targets_shape) :]
    same = len(targets_shape) <= len(outputs_shape) and all(
        a == b or a is None or b is None for a, b in zip(trailing, targets_shape, strict=True)
    )
    if not same or len(targets_shape) < 2:
        raise ShapeError(
            f"targets: expected shape {outputs_shape[-2:]}{also} for outputs of shape {outputs_shape}, "
            f"got {targets_shape}"
        )


def _is_column(outputs_shape: tuple[int, ...], targets_shape: tuple[int, ...]) -> bool:
    """Whether 1-d targets (n,) go with outputs (..., n, 1)."""
    return (
        len(targets_shape) == 1 and outputs_shape[-1] == 1 and targets_shape[0] in (outputs_shape[-2], None)
    )


def aligned(outputs: Array, targets: Array) -> tuple[Namespace, Array]:
    """The namespace, and the targets as a loss of values takes them.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
    targets : array, shape (..., n, k), or (n,) if k is 1

    Returns
    -------
    xp : namespace
    targets : array, shape (..., n, k), of the dtype of the outputs

    Raises
    ------
    ShapeError, DTypeError, MixedBackendsError
        If the shapes do not fit, the outputs are no real floating-point numbers, or the arrays are of two libraries.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> _, targets = losses.aligned(np.ones((3, 1)), np.asarray([1, 2, 3]))
    >>> targets.shape, targets.dtype.name
    ((3, 1), 'float64')
    """
    xp = array_namespace(outputs, targets)
    require_floating(outputs)
    outputs_shape, targets_shape = tuple(outputs.shape), tuple(targets.shape)
    check_outputs(outputs_shape)
    if _is_column(outputs_shape, targets_shape):
        targets = xp.expand_dims(targets, axis=-1)
    else:
        check_trailing(outputs_shape, targets_shape)
    return xp, targets if targets.dtype == outputs.dtype else xp.astype(targets, outputs.dtype)


def require_floating(outputs: Array) -> None:
    """`DTypeError` for outputs that are no real floating-point numbers, such as complex ones, whose loss would be complex."""
    backend = owner(outputs)
    if not backend.is_floating(outputs):
        raise DTypeError(
            f"outputs: expected a real floating-point dtype, got {backend.dtype_name(outputs.dtype)}"
        )


def check_values(outputs_shape: tuple[int, ...], targets: np.ndarray) -> None:
    """Targets are finite numbers of the outputs' shape."""
    check_outputs(outputs_shape)
    if not _is_column(outputs_shape, targets.shape):
        check_trailing(outputs_shape, targets.shape)
    check_numbers(targets)


def check_numbers(targets: np.ndarray) -> None:
    """Targets are finite real numbers."""
    if targets.dtype.kind not in "biuf":
        raise DataError(f"targets: expected numbers, got an array of dtype {targets.dtype}")
    if not np.all(np.isfinite(targets)):
        raise DataError(f"targets: {int(np.sum(~np.isfinite(targets)))} values are NaN or infinite")


def check_range(targets: np.ndarray, low: float, high: float, expected: str) -> None:
    """All values lie in [low, high]."""
    outside = targets[(targets < low) | (targets > high)]
    if outside.size:
        raise DataError(f"targets: expected {expected}, got {outside.flat[0].item()!r}")


def check_classes(outputs_shape: tuple[int, ...], targets: np.ndarray) -> None:
    """Targets are labels (n,) in 0 .. k-1, or probabilities of shape (..., n, k)."""
    check_outputs(outputs_shape)
    n, k = outputs_shape[-2:]
    if targets.ndim != 1:
        also = f" (probabilities) or ({n},) (class labels)"
        check_trailing(outputs_shape, targets.shape, also)
        check_numbers(targets)
        check_range(targets, 0, 1, "one-hot rows or probabilities between 0 and 1")
        sums = np.sum(targets, axis=-1, dtype=np.float64)
        if np.any(np.abs(sums - 1) > 1e-2):
            worst = sums.flat[np.argmax(np.abs(sums - 1))]
            raise DataError(
                f"targets: expected probabilities, rows that add up to 1; got a row with the sum {worst:g}"
            )
        return
    if targets.shape[0] != n:
        raise ShapeError(f"targets: expected {n} labels, one per row of the outputs, got {targets.shape[0]}")
    check_numbers(targets)
    if targets.dtype.kind == "f":
        whole = bool(np.all(targets == np.floor(targets)))
        remedy = "convert them with .astype('int64')" if whole else "encode the classes as integers first"
        raise DataError(f"targets: expected integer class labels, got dtype {targets.dtype}; {remedy}")
    check_range(targets, 0, k - 1, f"class labels from 0 to {k - 1}, since there are {k} outputs")
