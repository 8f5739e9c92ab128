"""What a network says of how sure it is: quantiles, or a normal distribution, of each target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtri

from multimlp import losses
from multimlp.backend import Array, array_namespace
from multimlp.errors import InputError
from multimlp.errors.checks import check_number
from multimlp.estimators._standard import Standard
from multimlp.losses import Loss

OUTPUTS = ("mean", "quantile", "gaussian")


def loss_of(output: str, quantiles: Sequence[float]) -> Loss:
    """What a network learns to say it; `InputError` for quantiles that are none."""
    if output == "quantile":
        return losses.with_options("quantile", quantiles=quantiles)
    found: Loss = losses.get("gaussian_nll" if output == "gaussian" else "mse")
    return found


def with_members(outputs: Array) -> Array:
    """Outputs (members, n, k), float64, of one network or of several."""
    xp = array_namespace(outputs)
    return xp.astype(outputs if outputs.ndim == 3 else xp.expand_dims(outputs, axis=0), xp.float64)


def mean_of(outputs: Array) -> Array:
    """Shape (n, k), float64: the outputs, or the mean of those of several members."""
    return array_namespace(outputs).mean(with_members(outputs), axis=0)


def sorted_quantiles(outputs: Array, levels: int) -> Array:
    """Shape (n, targets, levels): the mean over the members of their quantiles, each brought into order, so that none cross.

    References
    ----------
    V. Chernozhukov, I. Fernández-Val, A. Galichon (2010), Quantile and probability curves without crossing, Econometrica 78.
    """
    xp = array_namespace(outputs)
    every = with_members(outputs)
    apart = xp.reshape(every, (*every.shape[:-1], levels, every.shape[-1] // levels))
    return xp.moveaxis(xp.mean(xp.sort(apart, axis=-2), axis=0), -1, -2)


def moments(outputs: Array) -> tuple[Array, Array]:
    """Mean and second moment, (n, targets), of the mixture of the members' normal distributions."""
    xp = array_namespace(outputs)
    every = with_members(outputs)
    targets = every.shape[-1] // 2
    mean, log_deviation = every[..., :targets], every[..., targets:]
    return xp.mean(mean, axis=0), xp.mean(xp.exp(2 * log_deviation) + mean**2, axis=0)


def deviation_of(mean: Array, second: Array) -> Array:
    """Of a distribution with these moments."""
    xp = array_namespace(mean)
    variance = second - mean**2
    least = xp.full_like(variance, float(np.finfo(np.float64).tiny))
    return xp.sqrt(xp.maximum(variance, least))


def error(
    output: str,
    quantiles: Sequence[float],
    outputs: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    scale: Standard | None = None,
) -> float:
    """How bad outputs are for standardised targets (n, k): root of squares, pinball loss, or negative log-likelihood; the mean over the
    rows, weighted if they have weights. With the ``scale`` of the targets the squares are those of what is predicted, which its range
    bounds, as pytabkit has it."""
    if output == "quantile":
        found = sorted_quantiles(outputs, len(quantiles))
        joined = np.swapaxes(found, -1, -2).reshape(len(y), -1)
        return float(np.average(loss_of(output, quantiles)(joined, y), weights=weights))
    if output == "gaussian":
        mean, second = moments(outputs)
        joined = np.concatenate([mean, np.log(deviation_of(mean, second))], axis=-1)
        return float(np.average(losses.gaussian_nll(joined, y), weights=weights))
    predicted = mean_of(outputs)
    if scale is not None:
        predicted = scale.standard(scale.back(predicted))
    return float(np.sqrt(np.average(np.mean((predicted - y) ** 2, axis=-1), weights=weights)))


def between(known: Sequence[float], found: Array, wanted: Sequence[float]) -> Array:
    """Quantiles of other levels, (..., wanted), on straight lines between those found, (..., known)."""
    levels = np.asarray(known)
    outside = [q for q in wanted if q < levels[0] - 1e-9 or q > levels[-1] + 1e-9]
    if outside:
        raise InputError(
            f"q: the network learned the quantiles from {levels[0]:g} to {levels[-1]:g}, got {outside[0]:g}; fit with others, or with "
            "output='gaussian'"
        )
    places = np.interp(wanted, levels, np.arange(len(levels)))
    low = np.minimum(places.astype(int), max(len(levels) - 2, 0))
    high = np.minimum(low + 1, len(levels) - 1)
    xp = array_namespace(found)
    share = constant(found, places - low)
    below, above = (xp.take(found, constant(found, ends, xp.int64), axis=-1) for ends in (low, high))
    return below * (1 - share) + above * share


def of_normal(mean: Array, deviation: Array, wanted: Sequence[float]) -> Array:
    """The quantiles, (..., wanted), of normal distributions."""
    mean, deviation = (array_namespace(mean).expand_dims(part, axis=-1) for part in (mean, deviation))
    return mean + deviation * constant(mean, ndtri(np.asarray(wanted)))


def in_units(scale: Standard, values: Array) -> Array:
    """Standardised values (n, targets, ...) in the units of the targets, also where these never were."""
    ones = (1,) * (values.ndim - 2)
    deviation, mean = (constant(values, a.reshape(-1, *ones)) for a in (scale.deviation, scale.mean))
    return values * deviation + mean


def constant(like: Array, numbers: np.ndarray, dtype: Any = None) -> Array:
    """Numbers as an array of the library of another, and of its dtype unless one is given."""
    return array_namespace(like).asarray(numbers, dtype=like.dtype if dtype is None else dtype)


def check_levels(where: str, value: Any) -> list[float]:
    """One or several numbers strictly between 0 and 1, in any order."""
    given = [value] if np.ndim(value) == 0 else list(value)
    if not given:
        raise InputError(f"{where}: expected one or several levels, got none")
    return [check_number(where, q, low=0, high=1, low_open=True, high_open=True) for q in given]
