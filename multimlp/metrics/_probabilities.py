"""Metrics of probabilities: given as such, or as the logits that a network puts out."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from multimlp import activations
from multimlp.backend import Array, Namespace, array_namespace, op
from multimlp.errors.checks import flag, whole
from multimlp.losses import one_hot
from multimlp.metrics._metric import metric
from multimlp.metrics._shapes import (
    average,
    check_labels,
    distributions,
    in_full_precision,
    in_two,
    or_nan,
    true_distribution,
    weights_of,
)

__all__ = ["brier", "expected_calibration_error", "log_loss"]

Logits: TypeAlias = Annotated[bool, flag]
Bins: TypeAlias = Annotated[int, whole(1, of="of bins")]


def probabilities(xp: Namespace, outputs: Array, from_logits: bool) -> Array:
    """Those of the classes, (..., n, k), of two where there is one output."""
    binary = outputs.shape[-1] == 1
    if not from_logits:
        return distributions(xp, in_two(xp, outputs) if binary else outputs)
    if binary:
        return xp.concat([activations.sigmoid(-outputs), activations.sigmoid(outputs)], axis=-1)
    return activations.softmax(outputs)


def _logarithms(xp: Namespace, outputs: Array, from_logits: bool) -> Array:
    if not from_logits:
        eps = float(xp.finfo(outputs.dtype).eps)
        return xp.log(xp.clip(probabilities(xp, outputs, False), min=eps, max=1 - eps))
    if outputs.shape[-1] == 1:
        return xp.concat([activations.log_sigmoid(-outputs), activations.log_sigmoid(outputs)], axis=-1)
    return activations.log_softmax(outputs)


@metric("log_loss", False, check=check_labels, takes_weights=True)
@op(arrays=3)
def log_loss(
    outputs: Array, targets: Array, sample_weight: Array | None = None, from_logits: Logits = True
) -> Array:
    """The mean of ``-log p`` of the true class.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
        Logits; of one column that of class 1.
    targets : array, shape (n,) of labels, or (n, k) one-hot or probabilities, by which the classes then count
    sample_weight : array, shape (n,), optional
    from_logits : bool
        False: the outputs are probabilities. They are kept apart from 0 and 1 by the dtype's eps, as scikit-learn does; logits
        need no such bound.

    Returns
    -------
    array, shape (...), dtype of the outputs
        NaN where a label does not exist, or where a row should be probabilities and is none.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> of_probabilities = metrics.with_options("log_loss", from_logits=False)
    >>> of_probabilities(np.asarray([[0.5], [0.25]]), np.asarray([1, 0])).round(4)  # (log 2 + log(4 / 3)) / 2
    np.float64(0.4904)
    """
    xp = array_namespace(outputs, targets)
    wide = in_full_precision(outputs)
    truth = true_distribution(xp, wide, targets)
    logs = _logarithms(xp, wide, from_logits)
    # A class that has no part counts nothing, even at the logarithm of zero.
    terms = xp.where(truth == 0, xp.zeros_like(logs), truth * logs)
    per_example = -xp.sum(terms, axis=-1, dtype=logs.dtype)
    return xp.astype(average(xp, per_example, sample_weight), outputs.dtype)


@metric("brier", False, "brier_score", "brier_score_loss", check=check_labels, takes_weights=True)
@op(arrays=3)
def brier(
    outputs: Array, targets: Array, sample_weight: Array | None = None, from_logits: Logits = True
) -> Array:
    """The Brier score: the mean squared distance between the probabilities and what came true.

    Of two classes, in one column or two, it is the square for class 1, from 0 to 1; of more the sum of squares over the classes, from
    0 to 2. So is scikit-learn's ``brier_score_loss``.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
        Logits; of one column that of class 1.
    targets : array, shape (n,) of labels, or (n, k) one-hot or probabilities
    sample_weight : array, shape (n,), optional
    from_logits : bool
        False: the outputs are probabilities.

    Returns
    -------
    array, shape (...), dtype of the outputs
        NaN where a label does not exist, or where a row should be probabilities and is none.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    G. Brier (1950), Verification of forecasts expressed in terms of probability, Monthly Weather Review 78.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> metrics.with_options("brier", from_logits=False)(np.asarray([[0.5], [0.9]]), np.asarray([1, 1])).round(4)
    np.float64(0.13)
    """
    xp = array_namespace(outputs, targets)
    wide = in_full_precision(outputs)
    rest = probabilities(xp, wide, from_logits) - true_distribution(xp, wide, targets)
    squares = xp.sum(rest * rest, axis=-1, dtype=rest.dtype)
    per_example = squares if rest.shape[-1] > 2 else squares / 2
    return xp.astype(average(xp, per_example, sample_weight), outputs.dtype)


@metric("expected_calibration_error", False, "ece", check=check_labels, takes_weights=True)
@op(arrays=3)
def expected_calibration_error(
    outputs: Array,
    targets: Array,
    sample_weight: Array | None = None,
    from_logits: Logits = True,
    bins: Bins = 15,
) -> Array:
    """How far confidence is from accuracy: the mean distance of the two over bins of equal width, each by its share of the rows.

    The confidence of a row is the probability of its likeliest class, also where there is one output alone. A bin holds its lower end,
    the last both.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
        Logits; of one column that of class 1.
    targets : array, shape (n,) of labels, or (n, k) one-hot or probabilities
    sample_weight : array, shape (n,), optional
    from_logits : bool
        False: the outputs are probabilities.
    bins : int
        From 0 to 1.

    Returns
    -------
    array, shape (...), dtype of the outputs
        NaN where a label does not exist, or where a row should be probabilities and is none.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Weinberger (2017), On calibration of modern neural networks, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> ece = metrics.with_options("ece", from_logits=False)
    >>> ece(np.asarray([[0.9], [0.9]]), np.asarray([1, 0])).round(4)  # sure by 0.9, right by 0.5
    np.float64(0.4)
    """
    xp = array_namespace(outputs, targets)
    wide = in_full_precision(outputs)
    p = probabilities(xp, wide, from_logits)
    truth = true_distribution(xp, wide, targets)
    confidence = xp.max(p, axis=-1)
    guess = xp.astype(one_hot(xp, xp.argmax(p, axis=-1), p.shape[-1]), p.dtype)
    weights = weights_of(xp, confidence, sample_weight)
    distance = weights * (confidence - xp.sum(guess * truth, axis=-1, dtype=p.dtype))
    place = xp.floor(confidence * bins)
    inside = one_hot(xp, xp.where(place < bins, place, xp.full_like(place, bins - 1)), bins)
    distance = xp.expand_dims(distance, axis=-1)
    in_bins = xp.sum(xp.where(inside, distance, xp.zeros_like(distance)), axis=-2, dtype=p.dtype)
    error = xp.sum(xp.abs(in_bins), axis=-1, dtype=p.dtype) / xp.sum(weights, dtype=p.dtype)
    # What is not known is in no bin.
    known = xp.all(xp.logical_not(xp.isnan(distance[..., 0])), axis=-1)
    return xp.astype(or_nan(xp, known, error), outputs.dtype)
