"""Losses of scores that look at hard examples above all, or at the order of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import numpy as np

from multimlp import activations
from multimlp.backend import Array, Namespace, array_namespace, op, owner
from multimlp.errors import DataError, InputError, ShapeError
from multimlp.errors.checks import check_number, number
from multimlp.losses._align import aligned, check_classes, check_numbers, check_outputs, check_range
from multimlp.losses._classification import (
    ClassWeights,
    check_binary,
    decision,
    distribution,
    first_largest,
    sigmoid_cross_entropy,
    sigmoid_cross_entropy_gradient,
)
from multimlp.losses._loss import define
from multimlp.losses._op import per_example

__all__ = ["binary_focal", "focal", "ordinal"]


def _focus(where: str, value: Any) -> float:
    gamma = check_number(where, value, low=0)
    if 0 < gamma < 1:
        raise InputError(
            f"{where}: expected 0 or a number >= 1, below which the slope at certainty is infinite, got {value!r}"
        )
    return gamma


def _share(where: str, value: Any) -> float | None:
    return None if value is None else check_number(where, value, low=0, high=1)


Focus: TypeAlias = Annotated[float, _focus]
Gamma: TypeAlias = Annotated[float, number(low=0)]
Share: TypeAlias = Annotated[float | None, _share]


# ---- focal, of classes that exclude each other


def _focused(
    outputs: Array, targets: Array, class_weights: Sequence[float] | None
) -> tuple[Namespace, Array, Array, Array]:
    """The namespace, the weighted target probabilities, log-probabilities where those are not 0, and what is missing to 1."""
    xp, q = distribution(outputs, targets, 0.0, class_weights)
    logs = activations.log_softmax(outputs)
    logs = xp.where(q == 0, xp.zeros_like(logs), logs)
    return xp, q, logs, -xp.expm1(logs)


@per_example
def focal_loss(
    outputs: Array, targets: Array, gamma: Focus = 2.0, class_weights: ClassWeights = None
) -> Array:
    r"""Focal loss of classes, :math:`-\sum_k w_k q_k (1 - p_k)^\gamma \log p_k` with p the softmax of the outputs.

    What is nearly right already counts little; :math:`\gamma = 0` is `cross_entropy`.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
        Logits.
    targets : array, shape (n,) of integer labels 0 .. k-1, or (..., n, k) of probabilities
    gamma : float
        0, or at least 1.
    class_weights : sequence of k floats, optional
        w.

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient :math:`a - p \sum_k a_k` with :math:`a = w q (\gamma (1 - p)^{\gamma - 1} p \log p -
        (1 - p)^\gamma)`.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    T. Lin, P. Goyal, R. Girshick, K. He, P. Dollár (2017), Focal loss for dense object detection, arXiv:1708.02002.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.focal(np.asarray([[0.0, 0.0], [4.0, 0.0]]), np.asarray([0, 0])).round(6)
    array([1.73287e-01, 6.00000e-06])
    """
    xp, q, logs, rest = _focused(outputs, targets, class_weights)
    return -xp.sum((rest**gamma if gamma else 1.0) * logs * q, axis=-1)


@op(arrays=2)
def focal_loss_gradient(
    outputs: Array, targets: Array, gamma: Focus = 2.0, class_weights: ClassWeights = None
) -> Array:
    """The gradient of `focal_loss` in the outputs: ``a - p sum_k a_k``, ``a = w q (g (1 - p)^(g - 1) p log p - (1 - p)^g)``."""
    xp, q, logs, rest = _focused(outputs, targets, class_weights)
    if gamma:
        some = xp.exp(logs) != 0  # p log p is 0 where p is
        product = xp.where(
            some, xp.exp(logs) * xp.where(some, logs, xp.zeros_like(logs)), xp.zeros_like(logs)
        )
        slopes = q * (gamma * rest ** (gamma - 1) * product - rest**gamma)
    else:
        slopes = -q
    return slopes - activations.softmax(outputs) * xp.sum(slopes, axis=-1, keepdims=True)


# ---- focal, of decisions


def _signed(outputs: Array, targets: Array, alpha: float | None) -> tuple[Namespace, Array, Array, Array]:
    """The namespace, +1 and -1 for the targets, the outputs' sizes in their direction, and the weights."""
    xp, targets = aligned(outputs, targets)
    one = xp.ones_like(outputs)
    positive = targets > 0.5
    weights = one if alpha is None else xp.where(positive, alpha * one, (1 - alpha) * one)
    return xp, xp.where(positive, one, -one), xp.where(positive, outputs, -outputs), weights


@per_example
def binary_focal_loss(outputs: Array, targets: Array, gamma: Gamma = 2.0, alpha: Share = None) -> Array:
    r"""Focal loss of decisions, :math:`-(1 - p)^\gamma \log p` with p the probability of what is true, the mean over k.

    It is :math:`\sigma(-x)^\gamma \log(1 + e^{-x})` with x = o where the target is 1, else -o.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
        Logits.
    targets : array, shape (..., n, k), or (n,) if k is 1; 0 or 1
    gamma : float
        >= 0; 0 is `binary_cross_entropy`.
    alpha : float, optional
        What losses where the target is 1 are multiplied by, the others by ``1 - alpha``; default: neither.

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient :math:`-\sigma(-x)^\gamma (\gamma \sigma(x) \log(1 + e^{-x}) + \sigma(-x)) / k` in x.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    T. Lin, P. Goyal, R. Girshick, K. He, P. Dollár (2017), Focal loss for dense object detection, arXiv:1708.02002.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.binary_focal(np.asarray([[0.0], [-100.0]]), np.asarray([1, 1])).round(4)
    array([  0.1733, 100.    ])
    """
    xp, _, x, weights = _signed(outputs, targets, alpha)
    values = activations.softplus(-x)
    if gamma:  # zero times infinity otherwise
        values = xp.exp(-gamma * activations.softplus(x)) * values
    return xp.mean(weights * values, axis=-1)


@op(arrays=2)
def binary_focal_loss_gradient(
    outputs: Array, targets: Array, gamma: Gamma = 2.0, alpha: Share = None
) -> Array:
    """The gradient of `binary_focal_loss` in the outputs."""
    xp, sign, x, weights = _signed(outputs, targets, alpha)
    slope = activations.sigmoid(-x)
    if gamma:
        chance, zero = activations.sigmoid(x), xp.zeros_like(x)
        none = chance == 0  # p log p is 0 where p is
        product = xp.where(none, zero, chance * xp.where(none, zero, activations.softplus(-x)))
        slope = xp.exp(-gamma * activations.softplus(x)) * (gamma * product + slope)
    return -sign * weights * slope / outputs.shape[-1]


def _check_decisions(outputs_shape: tuple[int, ...], targets: np.ndarray) -> None:
    check_binary(outputs_shape, targets)
    if not np.isin(targets, (0, 1)).all():
        check_range(targets, 1, 1, "0 and 1")


# ---- ordinal


def _levels(outputs: Array, targets: Array) -> Array:
    """Of labels (n,) the decisions whether they are above 0, above 1, ..., of the dtype and width of the outputs."""
    xp = array_namespace(outputs, targets)
    shape, given = tuple(outputs.shape), tuple(targets.shape)
    check_outputs(shape)
    if len(given) != 1 or given[0] not in (shape[-2], None):
        raise ShapeError(f"targets: expected one label a row for outputs of shape {shape}, got {given}")
    # Of half precision the numbers of many classes would be rounded to one another.
    half = owner(outputs).dtype_name(outputs.dtype) in ("float16", "bfloat16")
    labels = xp.astype(targets, xp.float32 if half else outputs.dtype)
    steps = xp.arange(shape[-1], dtype=labels.dtype, device=getattr(labels, "device", None) or None)
    return xp.astype(xp.expand_dims(labels, axis=-1) > steps, outputs.dtype)


@per_example
def ordinal_loss(outputs: Array, targets: Array) -> Array:
    """Loss of ordered classes: of k decisions, whether the class is above 0, above 1, ..., the mean binary cross-entropy.

    So k outputs, cumulative logits, tell k + 1 classes apart, and a mistake costs the more the further it is off. The class that
    they say is the number of decisions that are positive. CORAL's networks give all outputs one vector of weights and biases of their
    own, so that the decisions agree with each other; the loss asks for no such network.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
        Logits of "above class i", i from 0 to k - 1.
    targets : array, shape (n,) of labels 0 .. k

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient ``(sigmoid(o_i) - [t > i]) / k``.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    W. Cao, V. Mirjalili, S. Raschka (2020), Rank consistent ordinal regression for neural networks, Pattern Recognition Letters 140,
    arXiv:1901.07884, eq. 4 with equal weights; divided by k.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> losses.ordinal(np.asarray([[3.0, -3.0]] * 3), np.asarray([0, 1, 2])).round(4)
    array([1.5486, 0.0486, 1.5486])
    >>> losses.ordinal.predict(np.asarray([[3.0, -3.0], [2.0, 1.0]]))
    array([1, 2], dtype=int32)
    """
    return sigmoid_cross_entropy(outputs, _levels(outputs, targets))


@op(arrays=2)
def ordinal_loss_gradient(outputs: Array, targets: Array) -> Array:
    """The gradient of `ordinal_loss` in the outputs: ``(sigmoid(o_i) - [t > i]) / k``."""
    return sigmoid_cross_entropy_gradient(outputs, _levels(outputs, targets))


def _check_ranks(outputs_shape: tuple[int, ...], targets: np.ndarray) -> None:
    check_outputs(outputs_shape)
    n, k = outputs_shape[-2:]
    if targets.ndim != 1 or targets.shape[0] != n:
        raise ShapeError(
            f"targets: expected {n} labels, one per row of the outputs, got shape {targets.shape}"
        )
    check_numbers(targets)
    if not np.all(targets == np.floor(targets)):
        raise DataError("targets: expected class labels, whole numbers, got fractions")
    check_range(targets, 0, k, f"class labels from 0 to {k}, since there are {k} outputs")


def _rank(outputs: Array) -> Array:
    xp = array_namespace(outputs)
    return xp.sum(xp.astype(outputs > 0, xp.int32), axis=-1, dtype=xp.int32)


focal = define(
    "focal",
    focal_loss,
    focal_loss_gradient,
    check_classes,
    first_largest,
    activations.softmax,
    decides="class",
    aliases=("focal_loss", "categorical_focal_cross_entropy"),
)
binary_focal = define(
    "binary_focal",
    binary_focal_loss,
    binary_focal_loss_gradient,
    _check_decisions,
    decision,
    activations.sigmoid,
    decides="binary",
    aliases=("sigmoid_focal_loss", "binary_focal_cross_entropy"),
)
ordinal = define(
    "ordinal",
    ordinal_loss,
    ordinal_loss_gradient,
    _check_ranks,
    _rank,
    activations.sigmoid,
    decides="rank",
    aliases=("coral",),
)
