"""Losses of outputs that are scores of classes, each a function and its closed-form gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import numpy as np

from multimlp import activations
from multimlp.backend import Array, Namespace, array_namespace, op, owner
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import number
from multimlp.losses._align import (
    aligned,
    check_classes,
    check_numbers,
    check_range,
    check_trailing,
    check_values,
    require_floating,
)
from multimlp.losses._loss import define
from multimlp.losses._op import per_example

__all__ = ["binary_cross_entropy", "cross_entropy", "hinge", "one_hot"]


def _class_weights(where: str, value: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    try:
        weights = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        weights = np.asarray(np.nan)
    if (
        weights.ndim != 1
        or not np.all(weights >= 0)
        or not np.any(weights > 0)
        or not np.all(np.isfinite(weights))
    ):
        raise InputError(f"{where}: expected finite weights >= 0, one per class, not all zero; got {value!r}")
    return tuple(weights.tolist())


Smoothing: TypeAlias = Annotated[float, number(low=0, high=1, high_open=True)]
ClassWeights: TypeAlias = Annotated[Sequence[float] | None, _class_weights]


def distribution(
    outputs: Array, targets: Array, label_smoothing: float, class_weights: Sequence[float] | None
) -> tuple[Namespace, Array]:
    """The namespace, and the weighted target probabilities, shape (..., n, k), dtype of the outputs."""
    xp = array_namespace(outputs, targets)
    require_floating(outputs)
    outputs_shape, targets_shape = tuple(outputs.shape), tuple(targets.shape)
    if not outputs_shape:
        raise ShapeError("outputs: expected shape (..., n, k), one row per example, got ()")
    k = outputs_shape[-1]
    if len(targets_shape) == 1:
        if len(outputs_shape) < 2 or targets_shape[0] not in (outputs_shape[-2], None):
            raise ShapeError(
                f"targets: expected one label a row for outputs of shape {outputs_shape}, got {targets_shape}"
            )
        labels = _widened(xp, targets)
        q = xp.astype(one_hot(xp, labels, k), outputs.dtype)
        exists = xp.expand_dims(xp.logical_and(labels >= 0, labels < k), axis=-1)
        q = xp.where(exists, q, xp.full_like(q, float("nan")))  # not zeros, a loss of zero
    else:
        check_trailing(outputs_shape, targets_shape, " (probabilities) or (n,) (class labels)")
        q = targets if targets.dtype == outputs.dtype else xp.astype(targets, outputs.dtype)
    if label_smoothing:
        q = q * (1 - label_smoothing) + label_smoothing / k
    if class_weights is not None:
        if len(class_weights) != k:
            raise ShapeError(f"class_weights: expected {k} weights, one per class, got {len(class_weights)}")
        q = q * xp.stack([xp.full_like(q[..., i], weight) for i, weight in enumerate(class_weights)], axis=-1)
    return xp, q


_WIDER = {
    **dict.fromkeys(("bool", "int8", "uint8", "int16", "uint16"), "int32"),
    **dict.fromkeys(("float16", "bfloat16"), "float32"),
}
"""What labels are compared in: of a few bits, the numbers of many classes begin anew, or are rounded to one another."""


def _widened(xp: Namespace, labels: Array) -> Array:
    wide = _WIDER.get(owner(labels).dtype_name(labels.dtype))
    return labels if wide is None else xp.astype(labels, getattr(xp, wide))


def one_hot(xp: Namespace, labels: Array, k: int) -> Array:
    """Labels as booleans, true where the class is the label.

    Parameters
    ----------
    xp : namespace
    labels : array, shape (...), integers
    k : int
        How many classes there are.

    Returns
    -------
    array, shape (..., k), bool

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.one_hot(np, np.asarray([1, 0]), 2)
    array([[False,  True],
           [ True, False]])
    """
    labels = _widened(xp, labels)
    classes = xp.arange(k, dtype=labels.dtype, device=getattr(labels, "device", None) or None)
    return xp.expand_dims(labels, axis=-1) == classes


@per_example
def softmax_cross_entropy(
    outputs: Array,
    targets: Array,
    label_smoothing: Smoothing = 0.0,
    class_weights: ClassWeights = None,
) -> Array:
    """Cross-entropy of target classes and the softmax of the outputs: ``-sum_k w_k q_k log softmax(o)_k``.

    q is the one-hot form of a label (or the probabilities given), mixed with the uniform distribution by
    label smoothing: ``q_k (1 - s) + s / k``.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
        Logits, any size up to the largest of the dtype: the maximum is subtracted first. A class masked by
        ``-inf`` costs nothing while its probability q is 0.
    targets : array, shape (n,) of integer labels 0 .. k-1, or (..., n, k) of probabilities
    label_smoothing : float
        s in [0, 1).
    class_weights : sequence of k floats, optional
        w. The mean over a batch divides by the number of examples, as Keras does; torch divides by the sum
        of the labels' weights, which ``sample_weight`` gives.

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient ``softmax(o) sum_k(w_k q_k) - w q``. NaN for a label that does not exist, which torch and
        TensorFlow refuse where they do not compile.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.2.2.3; label smoothing: Szegedy et al.,
    arXiv:1512.00567.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.cross_entropy(np.asarray([[0.0, 0.0], [1e4, 0.0]]), np.asarray([0, 1])).round(4)
    array([6.931e-01, 1.000e+04])
    """
    xp, q = distribution(outputs, targets, label_smoothing, class_weights)
    logs = activations.log_softmax(outputs)
    return -xp.sum(xp.where(q == 0, xp.zeros_like(logs), logs) * q, axis=-1)


@op(arrays=2)
def softmax_cross_entropy_gradient(
    outputs: Array,
    targets: Array,
    label_smoothing: Smoothing = 0.0,
    class_weights: ClassWeights = None,
) -> Array:
    """The gradient of `softmax_cross_entropy` in the outputs: ``softmax(o) sum_k(w_k q_k) - w q``."""
    xp, q = distribution(outputs, targets, label_smoothing, class_weights)
    return activations.softmax(outputs) * xp.sum(q, axis=-1, keepdims=True) - q


@per_example
def sigmoid_cross_entropy(outputs: Array, targets: Array) -> Array:
    """Binary cross-entropy with the sigmoid of the outputs (logits), the mean over k independent decisions.

    ``mean_k |o| w + log(1 + exp(-|o|))`` with w = 1 - t where o > 0, else t, which equals ``-t log sigmoid(o) - (1 - t) log(1 -
    sigmoid(o))`` without overflow or cancellation. At infinite outputs the limits: 0 where the target is 1 (o = inf) or 0 (o = -inf),
    else infinite.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
        Logits.
    targets : array, shape (..., n, k), or (n,) if k is 1; in [0, 1]; cast to the dtype of the outputs

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient ``(sigmoid(o) - t) / k``.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.2.2.2.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.binary_cross_entropy(np.asarray([[0.0], [1e4]]), np.asarray([1, 1])).round(4)
    array([0.6931, 0.    ])
    """
    xp, targets = aligned(outputs, targets)
    positive = outputs > 0
    size = xp.where(positive, outputs, -outputs)
    weight = xp.where(positive, 1 - targets, targets)
    certain = xp.logical_and(xp.isinf(outputs), weight == 0)  # infinity times zero, whose limit is 0
    linear = xp.where(certain, xp.zeros_like(size), size) * weight
    return xp.mean(linear + xp.log1p(xp.exp(-size)), axis=-1)


@op(arrays=2)
def sigmoid_cross_entropy_gradient(outputs: Array, targets: Array) -> Array:
    """The gradient of `sigmoid_cross_entropy` in the outputs: ``(sigmoid(o) - t) / k``."""
    _, targets = aligned(outputs, targets)
    return (activations.sigmoid(outputs) - targets) / outputs.shape[-1]


@per_example
def hinge_loss(outputs: Array, targets: Array) -> Array:
    """The margin loss of support vector machines: ``mean_k max(0, 1 - s o)`` with s = 1 where t > 0, else -1.

    So targets may be 0 / 1 as well as -1 / 1. The derivative where the margin ``s o`` is exactly 1 is 0.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
        Signed scores.
    targets : array, shape (..., n, k), or (n,) if k is 1; values 0 / 1 or -1 / 1

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient ``-s / k`` where ``s o < 1``, else 0.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    Cortes, Vapnik, Support-vector networks, Machine Learning 20 (1995).

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.hinge(np.asarray([[2.0], [0.5], [0.5]]), np.asarray([1, 1, 0]))
    array([0. , 0.5, 1.5])
    """
    xp, targets = aligned(outputs, targets)
    slack = 1 - xp.where(targets > 0, outputs, -outputs)
    return xp.mean(xp.where(slack <= 0, xp.zeros_like(slack), slack), axis=-1)


@op(arrays=2)
def hinge_loss_gradient(outputs: Array, targets: Array) -> Array:
    """The gradient of `hinge_loss` in the outputs: ``-s / k`` where ``s o < 1``, else 0."""
    xp, targets = aligned(outputs, targets)
    one = xp.ones_like(outputs)
    sign = xp.where(targets > 0, one, -one)
    return xp.where(1 - sign * outputs <= 0, xp.zeros_like(outputs), -sign) / outputs.shape[-1]


def check_binary(outputs_shape: tuple[int, ...], targets: np.ndarray) -> None:
    """Targets are numbers from 0 to 1, of the outputs' shape."""
    check_values(outputs_shape, targets)
    check_range(targets, 0, 1, "values between 0 and 1")


def _check_signs(outputs_shape: tuple[int, ...], targets: np.ndarray) -> None:
    check_values(outputs_shape, targets)
    check_numbers(targets)
    found = set(np.unique(targets).tolist())
    if not (found <= {0, 1} or found <= {-1, 1}):
        check_range(targets, 1, 1, "0 and 1, or -1 and 1")


def first_largest(outputs: Array) -> Array:
    """The class with the largest score."""
    return array_namespace(outputs).argmax(outputs, axis=-1)


def decision(outputs: Array) -> Array:
    """1 where the score is positive, else 0; a single output a row loses its axis."""
    xp = array_namespace(outputs)
    decided = xp.astype(outputs > 0, xp.int32)
    return decided[..., 0] if outputs.shape[-1] == 1 else decided


cross_entropy = define(
    "cross_entropy",
    softmax_cross_entropy,
    softmax_cross_entropy_gradient,
    check_classes,
    first_largest,
    activations.softmax,
    decides="class",
    aliases=(
        "softmax_cross_entropy",
        "categorical_cross_entropy",
        "sparse_categorical_cross_entropy",
        "log_loss",
    ),
)
binary_cross_entropy = define(
    "binary_cross_entropy",
    sigmoid_cross_entropy,
    sigmoid_cross_entropy_gradient,
    check_binary,
    decision,
    activations.sigmoid,
    decides="binary",
    aliases=("bce", "sigmoid_cross_entropy"),
)
hinge = define("hinge", hinge_loss, hinge_loss_gradient, _check_signs, decision, decides="sign")
