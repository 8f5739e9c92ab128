"""Metrics of decisions: of the class that scores highest."""

from __future__ import annotations

from typing import Annotated

from multimlp.backend import Array, Namespace, array_namespace, op, owner
from multimlp.errors import DTypeError, InputError, ShapeError
from multimlp.errors.checks import choice, flag, whole
from multimlp.losses import aligned, one_hot
from multimlp.metrics._metric import metric
from multimlp.metrics._shapes import counted_in, rows, shape_of

__all__ = ["accuracy", "confusion_matrix", "f1", "predicted_classes", "top_k_accuracy"]


def predicted_classes(outputs: Array) -> Array:
    """The class of each row: the first largest of k scores; for k = 1, whether it is positive.

    Parameters
    ----------
    outputs : array, shape (..., n, k), numbers

    Returns
    -------
    array, shape (..., n), int32

    Raises
    ------
    ShapeError, DTypeError
        For outputs without columns, or that are no numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> metrics.predicted_classes(np.asarray([[2.0, 0.0], [0.0, 1.0]]))
    array([0, 1], dtype=int32)
    """
    if not shape_of("outputs", outputs) or not outputs.shape[-1]:
        raise ShapeError(f"outputs: expected shape (..., k) with k >= 1, got {tuple(outputs.shape)}")
    xp = array_namespace(outputs)
    if not xp.isdtype(outputs.dtype, "numeric") and not owner(outputs).is_floating(outputs):
        raise DTypeError(
            f"outputs: expected scores, numbers, got dtype {owner(outputs).dtype_name(outputs.dtype)}"
        )
    if outputs.shape[-1] == 1:
        return xp.astype(outputs[..., 0] > 0, xp.int32)
    return xp.astype(xp.argmax(outputs, axis=-1), xp.int32)


def _true_classes(xp: Namespace, outputs: Array, targets: Array) -> Array:
    """Labels (n,), int32; of two axes the largest of each row, for k = 1 whether it is above one half."""
    rows(outputs, targets)
    if len(targets.shape) == 1:
        return xp.astype(targets, xp.int32)
    if targets.shape[-1] == 1:
        return xp.astype(xp.astype(targets[:, 0], outputs.dtype) > 0.5, xp.int32)
    return xp.astype(xp.argmax(targets, axis=-1), xp.int32)


def _average(xp: Namespace, hits: Array, outputs: Array) -> Array:
    kind = counted_in(outputs)
    mean = xp.mean(xp.astype(hits, kind), axis=-1)
    return mean if kind == outputs.dtype else xp.astype(mean, outputs.dtype)


@metric("accuracy", True)
@op(arrays=2)
def accuracy(outputs: Array, targets: Array, each: Annotated[bool, flag] = False) -> Array:
    """The fraction of rows whose predicted class is the target's.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
    targets : array, shape (n,) of labels, or (n, k) one-hot or probabilities
    each : bool
        Whether each output is a decision of its own, of labels that do not exclude each other: the fraction of decisions that are right,
        positive where the target is above one half. So `fit` counts them for `multimlp.losses.binary_cross_entropy` of several outputs.

    Returns
    -------
    array, shape (...), dtype of the outputs

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> scores, labels = np.asarray([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0]]), np.asarray([0, 1, 1])
    >>> float(metrics.accuracy(scores, labels).round(4))
    0.6667
    """
    xp = array_namespace(outputs, targets)
    if not each:
        return _average(xp, predicted_classes(outputs) == _true_classes(xp, outputs, targets), outputs)
    _, truth = aligned(outputs, targets)
    hits = xp.astype((outputs > 0) == (truth > 0.5), counted_in(outputs))
    return xp.astype(xp.mean(hits, axis=(-2, -1)), outputs.dtype)


@metric("top_k_accuracy", True)
@op(arrays=2)
def top_k_accuracy(outputs: Array, targets: Array, k: Annotated[int, whole(1)] = 5) -> Array:
    """The fraction of rows in which fewer than ``k`` classes score higher than the true one.

    So a tie counts as found. A class whose score is NaN, or that does not exist, is not found, and a NaN scores higher than any class.

    Parameters
    ----------
    outputs : array, shape (..., n, classes), floating
    targets : array, shape (n,) of labels, or (n, classes)
    k : int
        From 1 to the number of classes.

    Returns
    -------
    array, shape (...), dtype of the outputs

    Raises
    ------
    InputError
        For another k.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> best_two = metrics.with_options("top_k_accuracy", k=2)
    >>> float(best_two(np.asarray([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]]), np.asarray([1, 0])))
    0.5
    """
    xp = array_namespace(outputs, targets)
    classes = rows(outputs, targets)[-1]
    if not 1 <= k <= classes:
        raise InputError(f"k: expected an integer from 1 to {classes}, the number of outputs, got {k!r}")
    truth = one_hot(xp, _true_classes(xp, outputs, targets), classes)
    own = xp.sum(
        xp.where(truth, outputs, xp.zeros_like(outputs)), axis=-1, keepdims=True, dtype=outputs.dtype
    )
    higher = xp.sum(xp.astype(xp.logical_not(outputs <= own), xp.int32), axis=-1)
    return _average(xp, xp.logical_and(higher < k, xp.any(truth, axis=-1)), outputs)


@op(arrays=2)
def confusion_matrix(outputs: Array, targets: Array) -> Array:
    """Counts of (true class, predicted class), in the outputs' dtype, of half precision in float32.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
    targets : array, shape (n,) of labels, or (n, k)

    Returns
    -------
    array, shape (..., k, k); (..., 2, 2) for k = 1

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> scores, labels = np.asarray([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0]]), np.asarray([0, 1, 1])
    >>> metrics.confusion_matrix(scores, labels)
    array([[1., 0.],
           [1., 1.]])
    """
    xp = array_namespace(outputs, targets)
    classes = max(rows(outputs, targets)[-1], 2)
    kind = counted_in(outputs)
    truth = xp.astype(one_hot(xp, _true_classes(xp, outputs, targets), classes), kind)
    guess = xp.astype(one_hot(xp, predicted_classes(outputs), classes), kind)
    return xp.matmul(xp.matrix_transpose(truth), guess)


@metric("f1", True)
@op(arrays=2)
def f1(
    outputs: Array, targets: Array, average: Annotated[str, choice("macro", "micro", "binary")] = "macro"
) -> Array:
    """The harmonic mean of precision and recall, ``2 TP / (2 TP + FP + FN)``.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
    targets : array, shape (n,) of labels, or (n, k)
    average : {"macro", "micro", "binary"}
        The mean over classes that occur among targets or predictions; over all decisions together; of class
        1 alone.

    Returns
    -------
    array, shape (...), dtype of the outputs

    Raises
    ------
    InputError
        For ``"binary"`` with more than two classes.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> scores, labels = np.asarray([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0]]), np.asarray([0, 1, 1])
    >>> float(metrics.f1(scores, labels).round(4))
    0.6667
    """
    xp = array_namespace(outputs, targets)
    counts = confusion_matrix(outputs, targets)
    classes = counts.shape[-1]
    if average == "binary" and classes != 2:
        raise InputError(f"average: 'binary' needs two classes, got {classes}; use 'macro' or 'micro'")
    diagonal = xp.eye(classes, dtype=counts.dtype, device=getattr(counts, "device", None) or None)
    hits = xp.sum(counts * diagonal, axis=-1)
    seen = xp.sum(counts, axis=-1) + xp.sum(counts, axis=-2)
    occurs = seen > 0
    scores = 2 * hits / xp.where(occurs, seen, xp.ones_like(seen))
    if average == "micro":
        found = 2 * xp.sum(hits, axis=-1) / xp.sum(seen, axis=-1)
    elif average == "binary":
        found = scores[..., 1]
    else:
        found = xp.sum(scores, axis=-1) / xp.sum(xp.astype(occurs, scores.dtype), axis=-1)
    return found if found.dtype == outputs.dtype else xp.astype(found, outputs.dtype)
