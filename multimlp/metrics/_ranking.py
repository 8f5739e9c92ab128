"""Metrics of the order in which outputs put the examples."""

from __future__ import annotations

from multimlp import activations
from multimlp.backend import Array, Namespace, array_namespace, op
from multimlp.metrics._metric import metric
from multimlp.metrics._probabilities import Logits, probabilities
from multimlp.metrics._shapes import (
    check_labels,
    in_full_precision,
    or_nan,
    true_distribution,
    weights_of,
)

__all__ = ["roc_auc"]


@metric("roc_auc", True, "auc", "roc_auc_score", check=check_labels, takes_weights=True)
@op(arrays=3)
def roc_auc(
    outputs: Array,
    targets: Array,
    sample_weight: Array | None = None,
    from_logits: Logits = True,
) -> Array:
    r"""The area under the ROC curve: how likely an example of class 1 scores higher than one of class 0; a tie counts one half.

    Of more than two classes the mean over classes, each against the rest, ranked by its probability (scikit-learn's ``multi_class="ovr",
    average="macro"``).

    It sorts the scores, so that it costs :math:`O(n \log n)`, on every library eager and compiled.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
        Scores of class 1 in one column, or one column for each of k classes; two are ranked by their difference.
    targets : array, shape (n,) of labels, or (n, k) one-hot or probabilities, by which an example then counts in each class
    sample_weight : array, shape (n,), optional
    from_logits : bool
        False: the outputs are probabilities. Else any scores of class 1 will do; those of more than two classes are compared by the
        logarithm of their softmax.

    Returns
    -------
    array, shape (...), dtype of the outputs
        Where one class alone has examples there is nothing to compare: NaN, as scikit-learn has it. Of more than two classes those
        without examples are left out of the mean, of which scikit-learn makes NaN; NaN if none is left. NaN also where an
        output is NaN, a label does not exist, or a row should be probabilities and is none.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    J. Hanley, B. McNeil (1982), The meaning and use of the area under a receiver operating characteristic curve, Radiology 143.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> float(metrics.roc_auc(np.asarray([[0.1], [0.4], [0.35], [0.8]]), np.asarray([0, 0, 1, 1])))
    0.75
    """
    xp = array_namespace(outputs, targets)
    wide = in_full_precision(outputs)
    truth = true_distribution(xp, wide, targets)
    weights = weights_of(xp, wide[..., 0], sample_weight)
    scores = _scores(xp, wide, from_logits)
    members, count = scores.shape[:-1], scores.shape[-1]
    positive = truth[:, 1:] if truth.shape[-1] == 2 else truth
    positive = xp.matrix_transpose(positive)
    flat = xp.reshape(scores, (-1, positive.shape[0], count))
    areas = _areas(xp, flat, positive * weights, (1 - positive) * weights)
    found = xp.astype(xp.logical_not(xp.isnan(areas)), areas.dtype)
    total = xp.sum(xp.where(found > 0, areas, xp.zeros_like(areas)), axis=-1, dtype=areas.dtype)
    classes = xp.sum(found, axis=-1, dtype=areas.dtype)
    known = xp.logical_and(
        xp.all(xp.logical_not(xp.isnan(flat)), axis=(-2, -1)),
        xp.all(xp.logical_not(xp.isnan(positive * weights))),
    )
    mean = total / xp.where(classes > 0, classes, xp.ones_like(classes))
    mean = or_nan(xp, xp.logical_and(known, classes > 0), mean)
    return xp.astype(xp.reshape(mean, members[:-1]), outputs.dtype)


def _scores(xp: Namespace, outputs: Array, from_logits: bool) -> Array:
    """What each class is ranked by, (..., c, n); c is 1 for two classes."""
    classes = outputs.shape[-1]
    if not from_logits:
        scores = probabilities(xp, outputs, False)
        scores = scores[..., 1:] if classes <= 2 else scores
    elif classes == 2:
        scores = outputs[..., 1:] - outputs[..., :1]
    else:
        scores = outputs if classes == 1 else activations.log_softmax(outputs)
    return xp.matrix_transpose(scores)


def _areas(xp: Namespace, scores: Array, positive: Array, negative: Array) -> Array:
    """The areas (m, c) of m members' scores (m, c, n) of c classes, with the weights (c, n) of both sides; NaN where one has none."""
    shape = tuple(scores.shape)
    lines, n = shape[0] * shape[1], shape[2]
    order = xp.argsort(scores, axis=-1)
    ordered = xp.take_along_axis(scores, order, axis=-1)
    more, less = (
        xp.reshape(xp.take_along_axis(xp.broadcast_to(w, shape), order, axis=-1), (lines, n))
        for w in (positive, negative)
    )
    first, last = _ends_of_ties(xp, xp.reshape(ordered, (lines, n)))
    zero = xp.zeros_like(less[:, :1])
    below = xp.concat([zero, xp.cumulative_sum(less, axis=-1)], axis=-1)
    beaten = (xp.take_along_axis(below, first, axis=-1) + xp.take_along_axis(below, last, axis=-1)) / 2
    total_more = xp.sum(more, axis=-1, dtype=more.dtype)
    total_less = below[:, -1]
    both = xp.logical_and(total_more > 0, total_less > 0)
    one = xp.ones_like(total_more)
    share = beaten / xp.expand_dims(xp.where(both, total_less, one), axis=-1)
    area = xp.sum(more * share, axis=-1, dtype=more.dtype) / xp.where(both, total_more, one)
    return xp.reshape(or_nan(xp, both, area), shape[:2])


def _ends_of_ties(xp: Namespace, ordered: Array) -> tuple[Array, Array]:
    """How many of the ordered scores (lines, n) are lower than each, and how many lower or equal: integers.

    Scores become the numbers of their ties, which rise from line to line, so that one search is enough for all lines.
    """
    lines, n = ordered.shape
    device = getattr(ordered, "device", None) or None
    rises = xp.astype(ordered[:, 1:] > ordered[:, :-1], xp.int32)
    ties = xp.concat(
        [
            xp.zeros((lines, 1), dtype=xp.int32, device=device),
            xp.cumulative_sum(rises, axis=-1, dtype=xp.int32),
        ],
        axis=-1,
    )
    start = xp.expand_dims(xp.arange(lines, dtype=xp.int32, device=device) * n, axis=-1)
    flat = xp.reshape(ties + start, (-1,))
    first, last = (
        xp.reshape(xp.searchsorted(flat, flat, side=side), (lines, n)) for side in ("left", "right")
    )
    start = xp.astype(start, first.dtype)  # the library's own for an index
    return first - start, last - start
