"""How good outputs are: ``metric(outputs, targets)`` -> an array of shape (), or one number a member.

Outputs are what a network gives, shape (..., n, k): scores of k classes, or with k = 1 the logit of a
binary decision, or values. A `Metric` says whether higher is better.

Examples
--------
>>> import numpy as np
>>> from multimlp import metrics
>>> logits, labels = np.asarray([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0]]), np.asarray([0, 1, 1])
>>> float(metrics.accuracy(logits, labels).round(4)), metrics.accuracy.higher_is_better
(0.6667, True)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from multimlp._naming import Named, Options, Table, document_as
from multimlp.backend import Array, Namespace, array_namespace, is_array, op, owner
from multimlp.errors import DTypeError, InputError, ShapeError
from multimlp.errors.checks import choice, refuse, whole
from multimlp.losses import aligned, one_hot
from multimlp.losses import mae as mae_loss
from multimlp.losses import mse as mse_loss

METRICS: Table[Metric] = Table("metric")


@dataclass(frozen=True, eq=False, repr=False)
class Metric(Named):
    """A named measure with its options.

    Attributes
    ----------
    name : str
    higher_is_better : bool
    options : dict
        Those given to `with_options`.
    """

    name: str
    function: Callable[..., Array]
    higher_is_better: bool
    known: Options = Options()  # noqa: RUF009 - nobody changes it
    options: Mapping[str, Any] = field(default_factory=dict)

    table = METRICS

    def __post_init__(self) -> None:
        document_as(self, self.function)

    def _computes(self) -> tuple[Any, ...]:
        return (self.function,)

    def __call__(self, outputs: Array, targets: Array) -> Array:
        return self.function(outputs, targets, **self.options)


def _metric(name: str, higher_is_better: bool, *aliases: str) -> Callable[[Callable[..., Array]], Metric]:
    def add(function: Callable[..., Array]) -> Metric:
        return METRICS.add(
            name, Metric(name, function, higher_is_better, Options(function, skip=2)), *aliases
        )

    return add


def with_options(metric: str | Metric, **options: Any) -> Metric:
    """The metric with options set: ``k`` (top_k_accuracy), ``average`` (f1).

    Examples
    --------
    >>> from multimlp import metrics
    >>> metrics.with_options("top_k_accuracy", k=3)
    <metric top_k_accuracy, k=3>
    """
    return get(metric).configured(options)


@METRICS.reader
def get(metric: str | Metric | Mapping[str, Any] | Callable[[Array, Array], Any]) -> Metric:
    """The metric for a name, a `Metric`, a ``{"name", "options"}`` mapping, or a callable (higher is better).

    Raises
    ------
    InputError
        For an unknown name or anything else.
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, (str, Mapping)):
        found: Metric = METRICS.make(metric)
        return found
    METRICS.own(metric, "a multimlp.metrics.Metric or a callable (outputs, targets) -> number")
    return Metric(getattr(metric, "__name__", type(metric).__name__), metric, higher_is_better=True)


def names() -> tuple[str, ...]:
    """The names of the metrics."""
    return METRICS.names()


# ---- classes


def _rows(outputs: Array, targets: Array) -> tuple[int, ...]:
    """The shape of the outputs; `ShapeError` unless there is one target a row."""
    shape, given = _shape("outputs", outputs), _shape("targets", targets)
    if len(shape) < 2 or len(given) not in (1, 2) or given[0] != shape[-2]:
        raise ShapeError(
            f"outputs, targets: expected shapes (..., n, k) and (n,) or (n, k), got {shape} and {given}"
        )
    return shape


def _shape(name: str, x: Any) -> tuple[int, ...]:
    if not is_array(x):
        raise refuse(name, "an array", x)
    library = owner(x)
    if library.dtype_name(x.dtype).startswith(("complex", "str", "object", "datetime", "timedelta", "bytes")):
        raise DTypeError(f"{name}: expected numbers, got dtype {library.dtype_name(x.dtype)}")
    return tuple(x.shape)


def predicted_classes(outputs: Array) -> Array:
    """The class of each row, int32: the first largest of k scores; for k = 1, whether it is positive."""
    if not _shape("outputs", outputs) or not outputs.shape[-1]:
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
    _rows(outputs, targets)
    if len(targets.shape) == 1:
        return xp.astype(targets, xp.int32)
    if targets.shape[-1] == 1:
        return xp.astype(xp.astype(targets[:, 0], outputs.dtype) > 0.5, xp.int32)
    return xp.astype(xp.argmax(targets, axis=-1), xp.int32)


def _average(xp: Namespace, hits: Array, dtype: Any) -> Array:
    return xp.mean(xp.astype(hits, dtype), axis=-1)


@_metric("accuracy", True)
@op(arrays=2)
def accuracy(outputs: Array, targets: Array) -> Array:
    """The fraction of rows whose predicted class is the target's.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
    targets : array, shape (n,) of labels, or (n, k) one-hot or probabilities

    Returns
    -------
    array, shape (...), dtype of the outputs
    """
    xp = array_namespace(outputs, targets)
    return _average(xp, predicted_classes(outputs) == _true_classes(xp, outputs, targets), outputs.dtype)


@_metric("top_k_accuracy", True)
@op(arrays=2)
def top_k_accuracy(outputs: Array, targets: Array, k: Annotated[int, whole(1)] = 5) -> Array:
    """The fraction of rows in which fewer than ``k`` classes score higher than the true one.

    So a tie counts as found.

    Parameters
    ----------
    outputs : array, shape (..., n, classes), floating
    targets : array, shape (n,) of labels, or (n, classes)
    k : int
        From 1 to the number of classes.

    Returns
    -------
    array, shape (...), dtype of the outputs
    """
    xp = array_namespace(outputs, targets)
    classes = _rows(outputs, targets)[-1]
    if not 1 <= k <= classes:
        raise InputError(f"k: expected an integer from 1 to {classes}, the number of outputs, got {k!r}")
    truth = one_hot(xp, _true_classes(xp, outputs, targets), classes)
    own = xp.sum(
        xp.where(truth, outputs, xp.zeros_like(outputs)), axis=-1, keepdims=True, dtype=outputs.dtype
    )
    higher = xp.sum(xp.astype(outputs > own, xp.int32), axis=-1)
    return _average(xp, higher < k, outputs.dtype)


@op(arrays=2)
def confusion_matrix(outputs: Array, targets: Array) -> Array:
    """Counts of (true class, predicted class), in the outputs' dtype.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
    targets : array, shape (n,) of labels, or (n, k)

    Returns
    -------
    array, shape (..., k, k); (..., 2, 2) for k = 1
    """
    xp = array_namespace(outputs, targets)
    classes = max(_rows(outputs, targets)[-1], 2)
    truth = xp.astype(one_hot(xp, _true_classes(xp, outputs, targets), classes), outputs.dtype)
    guess = xp.astype(one_hot(xp, predicted_classes(outputs), classes), outputs.dtype)
    return xp.matmul(xp.matrix_transpose(truth), guess)


@_metric("f1", True)
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
    """
    xp = array_namespace(outputs, targets)
    counts = confusion_matrix(outputs, targets)
    classes = counts.shape[-1]
    if average == "binary" and classes != 2:
        raise InputError(f"average: 'binary' needs two classes, got {classes}; use 'macro' or 'micro'")
    diagonal = xp.eye(classes, dtype=counts.dtype, device=getattr(counts, "device", None) or None)
    hits = xp.sum(counts * diagonal, axis=-1)
    seen = xp.sum(counts, axis=-1) + xp.sum(counts, axis=-2)
    if average == "micro":
        return 2 * xp.sum(hits, axis=-1) / xp.sum(seen, axis=-1)
    occurs = seen > 0
    scores = 2 * hits / xp.where(occurs, seen, xp.ones_like(seen))
    if average == "binary":
        return scores[..., 1]
    return xp.sum(scores, axis=-1) / xp.sum(xp.astype(occurs, scores.dtype), axis=-1)


# ---- values


@_metric("mae", False, "mean_absolute_error")
@op(arrays=2)
def mae(outputs: Array, targets: Array) -> Array:
    """Mean absolute error over rows and columns."""
    per_example = mae_loss(outputs, targets)
    return array_namespace(per_example).mean(per_example, axis=-1)


@_metric("rmse", False, "root_mean_squared_error")
@op(arrays=2)
def rmse(outputs: Array, targets: Array) -> Array:
    """The root of the mean squared error over rows and columns."""
    per_example = mse_loss(outputs, targets)
    xp = array_namespace(per_example)
    return xp.sqrt(xp.mean(per_example, axis=-1))


@_metric("r2", True)
@op(arrays=2)
def r2(outputs: Array, targets: Array) -> Array:
    """The coefficient of determination, ``1 - sum (o - t)^2 / sum (t - mean t)^2``, the mean over k columns.

    1 is perfect, 0 as good as the mean. A column of equal targets counts 1 if it is met exactly and else 0.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
    targets : array, shape (n, k), or (n,) if k is 1

    Returns
    -------
    array, shape (...), dtype of the outputs
    """
    xp, targets = aligned(outputs, targets)
    r = outputs - targets
    spread = targets - xp.mean(targets, axis=-2, keepdims=True)
    rest, total = xp.sum(r * r, axis=-2), xp.sum(spread * spread, axis=-2)
    one, zero = xp.ones_like(rest), xp.zeros_like(rest)
    varies = total > 0
    explained = 1 - rest / xp.where(varies, total, xp.ones_like(total))
    return xp.mean(xp.where(varies, explained, xp.where(rest == 0, one, zero)), axis=-1)
