"""From the losses of the examples to one number."""

from __future__ import annotations

from typing import Any

from multimlp.backend import Array, Namespace, array_namespace, is_array, owner
from multimlp.errors import DTypeError, MultimlpError, ShapeError
from multimlp.errors.checks import check_choice, refuse


def reduce(per_example: Array, sample_weight: Array | None = None, reduction: str = "mean") -> Array:
    """Reduce per-example losses over their last axis; leading axes (an ensemble) stay.

    Parameters
    ----------
    per_example : array, shape (..., n), floating
        Losses of the examples.
    sample_weight : array, shape (n,) or (..., n), optional
        One weight an example.
    reduction : {"mean", "sum", "none"}
        ``mean`` with weights is ``sum(w * l) / sum(w)``, so doubling all weights changes nothing, and 0 where all are zero; ``sum``
        is ``sum(w * l)``; ``none`` is ``w * l``.

    Returns
    -------
    array, shape (...), or (..., n) for ``"none"``

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> float(losses.reduce(np.asarray([1.0, 4.0]), sample_weight=np.asarray([3.0, 1.0])))
    1.75
    """
    check_choice("reduction", reduction, ("mean", "sum", "none"))
    _require(per_example, sample_weight)
    if reduction == "mean":
        return batch_mean(per_example, sample_weight)
    xp = array_namespace(per_example, sample_weight)
    if sample_weight is not None:
        per_example = per_example * _weights(xp, per_example, sample_weight)
    return per_example if reduction == "none" else xp.sum(per_example, axis=-1)


def batch_mean(per_example: Array, sample_weight: Array | None = None) -> Array:
    """`reduce` to the mean: the one place where training reduces over a batch.

    Parameters
    ----------
    per_example, sample_weight
        As for `reduce`.

    Returns
    -------
    array, shape (...)

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> float(losses.batch_mean(np.asarray([1.0, 4.0])))
    2.5
    """
    try:
        if sample_weight is None:
            return array_namespace(per_example).mean(per_example, axis=-1)
        xp = array_namespace(per_example, sample_weight)
        weights = _weights(xp, per_example, sample_weight)
        return xp.sum(per_example * weights, axis=-1) / total_weight(weights)
    except Exception:  # libraries have types of their own
        _require(per_example, sample_weight)
        raise


def total_weight(weights: Array) -> Array:
    """What a weighted mean over the last axis is divided by: the sum of the weights, or 1 where all are zero.

    So a batch whose examples all have the weight zero has the loss 0 and the gradient 0: it teaches nothing.

    Parameters
    ----------
    weights : array, shape (..., n), floating, none negative

    Returns
    -------
    array, shape (...)

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.total_weight(np.asarray([[1.0, 2.0], [0.0, 0.0]])).tolist()
    [3.0, 1.0]
    """
    try:
        xp = array_namespace(weights)
        total = xp.sum(weights, axis=-1)
        return total + xp.astype(total == 0, total.dtype)
    except MultimlpError:
        raise
    except Exception:  # libraries have types of their own
        raise refuse(
            "weights", "an array of shape (..., n), of a real floating-point dtype", weights
        ) from None


def _require(per_example: Any, sample_weight: Any) -> None:
    """`InputError` for what cannot be reduced; `batch_mean`, which training calls in each step, does without."""
    if not is_array(per_example) or not tuple(per_example.shape):
        raise refuse("per_example", "an array of shape (..., n), a loss for each example", per_example)
    if not owner(per_example).is_floating(per_example):
        raise DTypeError(f"per_example: expected a real floating-point dtype, got {per_example.dtype}")
    if sample_weight is None:
        return
    if not is_array(sample_weight):
        raise refuse("sample_weight", "an array of shape (n,) or None", sample_weight)
    backend = owner(per_example, sample_weight)
    numbers = ("bool", "integral", "real floating")
    if not backend.xp.isdtype(sample_weight.dtype, numbers) and not backend.is_floating(sample_weight):
        raise DTypeError(f"sample_weight: expected numbers, got {backend.dtype_name(sample_weight.dtype)}")
    given, shape = tuple(sample_weight.shape), tuple(per_example.shape)
    if None not in (*given, *shape) and (not given or given != shape[len(shape) - len(given) :]):
        raise ShapeError(f"sample_weight: expected shape ({shape[-1]},) or {shape}, got {given}")


def _weights(xp: Namespace, per_example: Array, sample_weight: Array) -> Array:
    if sample_weight.dtype == per_example.dtype:
        return sample_weight
    return xp.astype(sample_weight, per_example.dtype)
