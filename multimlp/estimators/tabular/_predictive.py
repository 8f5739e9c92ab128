"""What a network says of how sure it is: quantiles, or a normal distribution, of each target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtri

from multimlp import losses
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


def with_members(outputs: np.ndarray) -> np.ndarray:
    """Outputs (members, n, k), float64, of one network or of several."""
    return np.asarray(outputs if outputs.ndim == 3 else outputs[None], dtype=np.float64)


def sorted_quantiles(outputs: np.ndarray, levels: int) -> np.ndarray:
    """Shape (n, targets, levels): the mean over the members of their quantiles, each brought into order, so that none cross.

    References
    ----------
    V. Chernozhukov, I. Fernández-Val, A. Galichon (2010), Quantile and probability curves without crossing, Econometrica 78.
    """
    every = with_members(outputs)
    apart = every.reshape(*every.shape[:-1], levels, -1)
    return np.asarray(np.swapaxes(np.sort(apart, axis=-2).mean(axis=0), -1, -2))


def moments(outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and second moment, (n, targets), of the mixture of the members' normal distributions."""
    every = with_members(outputs)
    mean, log_deviation = np.split(every, 2, axis=-1)
    return mean.mean(axis=0), (np.exp(2 * log_deviation) + mean**2).mean(axis=0)


def deviation_of(mean: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of a distribution with these moments."""
    return np.asarray(np.sqrt(np.maximum(second - mean**2, np.finfo(np.float64).tiny)))


def error(output: str, quantiles: Sequence[float], outputs: np.ndarray, y: np.ndarray) -> float:
    """How bad outputs are for standardised targets (n, k): root of squares, pinball loss, or negative log-likelihood."""
    if output == "quantile":
        found = sorted_quantiles(outputs, len(quantiles))
        joined = np.swapaxes(found, -1, -2).reshape(len(y), -1)
        return float(loss_of(output, quantiles)(joined, y).mean())
    if output == "gaussian":
        mean, second = moments(outputs)
        joined = np.concatenate([mean, np.log(deviation_of(mean, second))], axis=-1)
        return float(losses.gaussian_nll(joined, y).mean())
    return float(np.sqrt(np.mean((with_members(outputs).mean(axis=0) - y) ** 2)))


def between(known: Sequence[float], found: np.ndarray, wanted: Sequence[float]) -> np.ndarray:
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
    share = places - low
    return np.asarray(found[..., low] * (1 - share) + found[..., high] * share)


def of_normal(mean: np.ndarray, deviation: np.ndarray, wanted: Sequence[float]) -> np.ndarray:
    """The quantiles, (..., wanted), of normal distributions."""
    return np.asarray(mean[..., None] + deviation[..., None] * ndtri(np.asarray(wanted)))


def in_units(scale: Standard, values: np.ndarray) -> np.ndarray:
    """Standardised values (n, targets, ...) in the units of the targets, also where these never were."""
    ones = (1,) * (values.ndim - 2)
    deviation, mean = (a.reshape(-1, *ones) for a in (scale.deviation, scale.mean))
    return np.asarray(values * deviation + mean)


def check_levels(where: str, value: Any) -> list[float]:
    """One or several numbers strictly between 0 and 1, in any order."""
    given = [value] if np.ndim(value) == 0 else list(value)
    return [check_number(where, q, low=0, high=1, low_open=True, high_open=True) for q in given]
