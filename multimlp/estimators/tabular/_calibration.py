"""Probabilities of outputs, and probabilities that mean what they say: one temperature for all outputs."""

from __future__ import annotations

import math

import numpy as np

from multimlp.backend import Array, array_namespace

_SMALLEST, _LARGEST = math.log(1 / 32), math.log(32)
_GOLDEN = (math.sqrt(5) - 1) / 2


def probabilities(outputs: Array, temperature: float = 1.0) -> Array:
    """The softmax of outputs (n, k); of the outputs of several members, (members, n, k), the mean of theirs. Float64."""
    xp = array_namespace(outputs)
    scaled = xp.astype(outputs, xp.float64) / temperature
    powers = xp.exp(scaled - xp.max(scaled, axis=-1, keepdims=True))
    found = powers / xp.sum(powers, axis=-1, keepdims=True)
    return found if found.ndim == 2 else xp.mean(found, axis=0)


def log_loss(found: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The mean of -log p of the rows' classes, weighted if they have weights; p counts as no smaller than the smallest float64."""
    own = np.take_along_axis(found, y[:, None], axis=-1)[:, 0]
    return float(np.average(-np.log(np.maximum(own, np.finfo(np.float64).tiny)), weights=weights))


def best_temperature(outputs: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> float:
    r"""The T for which :math:`\mathrm{softmax}(o / T)` gives these rows the smallest log-loss, between 1/32 and 32.

    Of one network the log-loss has one minimum, since it is convex in 1/T; a golden-section search finds it.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger (2017), On calibration of modern neural networks, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.estimators.tabular._calibration import best_temperature
    >>> outputs = np.asarray([[5.0, 0.0]] * 4)  # as if sure of the first class, which is right three times of four
    >>> bool(abs(5.0 / best_temperature(outputs, np.asarray([0, 0, 0, 1])) - np.log(3)) < 1e-5)
    True
    """
    low, high = _SMALLEST, _LARGEST
    while high - low > 1e-7:
        span = _GOLDEN * (high - low)
        colder, warmer = high - span, low + span
        if _at(outputs, y, weights, colder) < _at(outputs, y, weights, warmer):
            high = warmer
        else:
            low = colder
    return math.exp((low + high) / 2)


def _at(outputs: np.ndarray, y: np.ndarray, weights: np.ndarray | None, logarithm: float) -> float:
    return log_loss(probabilities(outputs, math.exp(logarithm)), y, weights)
