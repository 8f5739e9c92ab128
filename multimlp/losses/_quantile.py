"""The loss of quantiles: one or several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import numpy as np

from multimlp.backend import Array, op
from multimlp.errors import InputError
from multimlp.losses._align import check_values
from multimlp.losses._loss import define
from multimlp.losses._op import per_example
from multimlp.losses._parts import parts_and_targets

__all__ = ["quantile"]


def check_quantiles(where: str, value: Any) -> tuple[float, ...]:
    """Levels strictly between 0 and 1, the lower first."""
    try:
        levels = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        levels = np.asarray(np.nan)
    inside = levels.ndim == 1 and levels.size > 0 and bool(np.all((levels > 0) & (levels < 1)))
    if not inside or np.any(np.diff(levels) <= 0):
        raise InputError(
            f"{where}: expected a sequence of numbers between 0 and 1, the lower first, got {value!r}"
        )
    return tuple(levels.tolist())


Levels: TypeAlias = Annotated[Sequence[float], check_quantiles]
_WHAT = "one output a target for each of the quantiles"


@per_example
def pinball_loss(outputs: Array, targets: Array, quantiles: Levels = (0.5,)) -> Array:
    """The pinball loss, least where outputs are quantiles: the mean of ``q (t - o)`` where o < t, else ``(1 - q) (o - t)``.

    For the median alone it is half the absolute error. The derivative where o = t is 0.

    Parameters
    ----------
    outputs : array, shape (..., n, m d), floating
        First the d outputs for the lowest of m quantiles, then those for the next, and so on.
    targets : array, shape (..., n, d), or (n,) if d is 1; cast to the dtype of the outputs
    quantiles : sequence of m floats
        Strictly between 0 and 1, the lower first.

    Returns
    -------
    array, shape (..., n)
        The loss of each example; gradient ``((o > t) - q) / (m d)``, 0 where o = t.

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    References
    ----------
    R. Koenker, G. Bassett (1978), Regression quantiles, Econometrica 46.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> ends = losses.with_options("quantile", quantiles=(0.25, 0.75))
    >>> ends(np.asarray([[0.0, 2.0], [2.0, 3.0]]), np.asarray([1.0, 1.0]))
    array([0.25 , 0.625])
    """
    xp, found, targets = parts_and_targets(outputs, targets, len(quantiles), _WHAT)
    total = xp.zeros_like(targets)
    for q, part in zip(quantiles, found, strict=True):
        r = part - targets
        total = total + xp.where(r == 0, xp.zeros_like(r), xp.where(r < 0, -q * r, (1 - q) * r))
    return xp.mean(total, axis=-1) / len(quantiles)


@op(arrays=2)
def pinball_loss_gradient(outputs: Array, targets: Array, quantiles: Levels = (0.5,)) -> Array:
    """The gradient of `pinball_loss` in the outputs: ``((o > t) - q) / (m d)``, 0 where o = t."""
    xp, found, targets = parts_and_targets(outputs, targets, len(quantiles), _WHAT)
    slopes = []
    for q, part in zip(quantiles, found, strict=True):
        r = part - targets
        one = xp.ones_like(r)
        slopes.append(xp.where(r == 0, 0 * one, xp.where(r < 0, -q * one, (1 - q) * one)))
    return xp.concat(slopes, axis=-1) / outputs.shape[-1]


quantile = define(
    "quantile",
    pinball_loss,
    pinball_loss_gradient,
    check_values,
    aliases=("pinball", "pinball_loss"),
    parts=lambda d, quantiles: d * len(quantiles),
)
