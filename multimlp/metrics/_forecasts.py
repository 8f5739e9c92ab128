"""Metrics of forecasts that are more than one number: quantiles, intervals, normal distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import numpy as np

from multimlp import activations
from multimlp.backend import Array, array_namespace, op
from multimlp.errors import ShapeError
from multimlp.losses import aligned, gaussian_nll, mae, quantile, with_options
from multimlp.metrics._metric import metric
from multimlp.metrics._shapes import average, in_full_precision, or_nan, rows

__all__ = ["crps_gaussian", "crps_quantile", "interval_coverage", "pinball"]


def _levels(where: str, value: Any) -> tuple[float, ...]:
    """Levels that the loss takes."""
    levels: tuple[float, ...] = quantile.known.checked({where: value})[where]
    return levels


Levels: TypeAlias = Annotated[Sequence[float], _levels]


def _check_quantiles(
    outputs_shape: tuple[int, ...], targets: np.ndarray, quantiles: Sequence[float] = (0.5,)
) -> None:
    with_options(quantile, quantiles=quantiles).validate(outputs_shape, targets)


def _check_gaussian(outputs_shape: tuple[int, ...], targets: np.ndarray) -> None:
    gaussian_nll.validate(outputs_shape, targets)


def _check_interval(outputs_shape: tuple[int, ...], targets: np.ndarray) -> None:
    columns = _columns(outputs_shape, targets.shape)
    mae.validate((*outputs_shape[:-1], columns), targets)


def _columns(outputs_shape: tuple[int, ...], targets_shape: tuple[int, ...]) -> int:
    """How many targets a row has; `ShapeError` where the outputs are no ends of intervals for them."""
    columns = targets_shape[-1] if len(targets_shape) > 1 else 1
    if (
        len(outputs_shape) < 2
        or not columns
        or outputs_shape[-1] % columns
        or outputs_shape[-1] < 2 * columns
    ):
        raise ShapeError(
            f"outputs: expected shape (..., n, m d) with m >= 2 for the {columns} targets a row: the lower ends first, the upper "
            f"ones last, got {outputs_shape}"
        )
    return columns


@metric("pinball", False, "mean_pinball_loss", check=_check_quantiles, takes_weights=True)
@op(arrays=3)
def pinball(
    outputs: Array, targets: Array, sample_weight: Array | None = None, quantiles: Levels = (0.5,)
) -> Array:
    """The mean of `multimlp.losses.quantile` over rows, columns and levels.

    Parameters
    ----------
    outputs : array, shape (..., n, m d), floating
        First the d outputs for the lowest of m quantiles, then those for the next, and so on.
    targets : array, shape (n, d), or (n,) if d is 1
    sample_weight : array, shape (n,), optional
    quantiles : sequence of m floats
        Strictly between 0 and 1, the lower first.

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
    >>> ends = metrics.with_options("pinball", quantiles=(0.25, 0.75))
    >>> float(ends(np.asarray([[0.0, 2.0], [2.0, 3.0]]), np.asarray([1.0, 1.0])))
    0.4375
    """
    return _mean_pinball(outputs, targets, sample_weight, quantiles)


@metric("crps_quantile", False, check=_check_quantiles, takes_weights=True)
@op(arrays=3)
def crps_quantile(
    outputs: Array, targets: Array, sample_weight: Array | None = None, quantiles: Levels = (0.5,)
) -> Array:
    r"""The continuous ranked probability score of forecasts by quantiles: twice the mean pinball loss.

    :math:`\text{CRPS} = 2 \int_0^1 \rho_q(F^{-1}(q), t)\,dq`; with m levels in the middle of m equal parts of (0, 1), such as 0.05, 0.15,
    ..., 0.95, their mean is the integral's midpoint rule. Of the median alone it is the mean absolute error.

    Parameters
    ----------
    outputs, targets, sample_weight, quantiles
        As for `pinball`.

    Returns
    -------
    array, shape (...), dtype of the outputs

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    F. Laio, S. Tamea (2007), Verification tools for probabilistic forecasts of continuous hydrological variables, HESS 11.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> float(metrics.crps_quantile(np.asarray([[0.0], [2.0]]), np.asarray([1.0, 5.0])))
    2.0
    """
    return 2 * _mean_pinball(outputs, targets, sample_weight, quantiles)


def _mean_pinball(
    outputs: Array, targets: Array, sample_weight: Array | None, quantiles: Sequence[float]
) -> Array:
    per_example = quantile.function(in_full_precision(outputs), targets, quantiles)
    xp = array_namespace(per_example)
    return xp.astype(average(xp, per_example, sample_weight), outputs.dtype)


@metric("crps_gaussian", False, check=_check_gaussian, takes_weights=True)
@op(arrays=3)
def crps_gaussian(outputs: Array, targets: Array, sample_weight: Array | None = None) -> Array:
    r"""The continuous ranked probability score of normal distributions, in the unit of the targets.

    The mean over rows and d targets of :math:`\sigma (z (2 \Phi(z) - 1) + 2 \varphi(z) - 1 / \sqrt{\pi})` with :math:`z = (t - m) /
    \sigma`. Of a distribution without width it is the absolute error.

    Parameters
    ----------
    outputs : array, shape (..., n, 2 d), floating
        First the d means m, then the d logarithms of the standard deviations: those of `multimlp.losses.gaussian_nll`.
    targets : array, shape (n, d), or (n,) if d is 1
    sample_weight : array, shape (n,), optional

    Returns
    -------
    array, shape (...), dtype of the outputs

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    T. Gneiting, A. Raftery (2007), Strictly proper scoring rules, prediction, and estimation, JASA 102, eq. 21.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> float(metrics.crps_gaussian(np.asarray([[0.0, 0.0]]), np.asarray([0.0])).round(4))  # (sqrt(2) - 1) / sqrt(pi)
    0.2337
    """
    shape = rows(outputs, targets)
    width = shape[-1] // 2
    if shape[-1] % 2 or not width:
        raise ShapeError(
            f"outputs: expected shape (..., n, 2 d): a mean and the logarithm of a deviation for each target, got {shape}"
        )
    wide = in_full_precision(outputs)
    xp, wanted = aligned(wide[..., :width], targets)
    r, sigma = wanted - wide[..., :width], xp.exp(wide[..., width:])
    size = xp.where(r < 0, -r, r)
    # Far out, and where there is no width, it is the distance less a constant: z could be infinite, or zero by zero.
    near = size < 50 * sigma
    z = xp.where(near, r, xp.zeros_like(r)) / xp.where(near, sigma, xp.ones_like(sigma))
    by_place = xp.where(near, r * activations.erf(z / math.sqrt(2)), size)
    density = xp.where(near, xp.exp(-z * z / 2) * math.sqrt(2 / math.pi), xp.zeros_like(z))
    per_example = xp.mean(by_place + sigma * (density - 1 / math.sqrt(math.pi)), axis=-1)
    return xp.astype(average(xp, per_example, sample_weight), outputs.dtype)


@metric("interval_coverage", True, check=_check_interval, takes_weights=True)
@op(arrays=3)
def interval_coverage(outputs: Array, targets: Array, sample_weight: Array | None = None) -> Array:
    """The fraction of targets from the lower to the upper end of their intervals, ends included, the mean over d columns.

    It ought to be near what the interval promises: 0.9 for quantiles 0.05 and 0.95. More is better only of intervals that are as
    wide; compare forecasts by `pinball` or the `crps_quantile` of their ends.

    Parameters
    ----------
    outputs : array, shape (..., n, m d) with m >= 2, floating
        First the d lower ends, last the d upper ends; what is between, as of three quantiles, does not count. An interval whose
        lower end is above its upper one holds nothing.
    targets : array, shape (n, d), or (n,) if d is 1
    sample_weight : array, shape (n,), optional

    Returns
    -------
    array, shape (...), dtype of the outputs
        NaN where a target or an end is NaN.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> float(metrics.interval_coverage(np.asarray([[0.0, 2.0], [2.0, 3.0]]), np.asarray([1.0, 1.0])))
    0.5
    """
    width = _columns(rows(outputs, targets), tuple(targets.shape))
    wide = in_full_precision(outputs)
    lower, upper = wide[..., :width], wide[..., -width:]
    xp, wanted = aligned(lower, targets)
    inside = xp.astype(xp.logical_and(lower <= wanted, wanted <= upper), wide.dtype)
    unknown = xp.logical_or(xp.isnan(wanted), xp.logical_or(xp.isnan(lower), xp.isnan(upper)))
    inside = or_nan(xp, xp.logical_not(unknown), inside)
    return xp.astype(average(xp, xp.mean(inside, axis=-1), sample_weight), outputs.dtype)
