"""Metrics of outputs that are numbers."""

from __future__ import annotations

from multimlp.backend import Array, array_namespace, op
from multimlp.losses import aligned
from multimlp.losses import mae as mae_loss
from multimlp.losses import mse as mse_loss
from multimlp.metrics._metric import metric
from multimlp.metrics._shapes import in_full_precision

__all__ = ["mae", "r2", "rmse"]


@metric("mae", False, "mean_absolute_error")
@op(arrays=2)
def mae(outputs: Array, targets: Array) -> Array:
    """Mean absolute error over rows and columns, ``mean |o - t|``.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
    targets : array, shape (n, k), or (n,) if k is 1

    Returns
    -------
    array, shape (...), dtype of the outputs

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> outputs, targets = np.asarray([[1.0], [2.0], [4.0]]), np.asarray([1.0, 2.0, 3.0])
    >>> float(metrics.mae(outputs, targets).round(4))
    0.3333
    """
    per_example = mae_loss(in_full_precision(outputs), targets)
    return _as_given(array_namespace(per_example).mean(per_example, axis=-1), outputs)


@metric("rmse", False, "root_mean_squared_error")
@op(arrays=2)
def rmse(outputs: Array, targets: Array) -> Array:
    """The root of the mean squared error over rows and columns, ``sqrt(mean (o - t)^2)``.

    Parameters
    ----------
    outputs : array, shape (..., n, k), floating
    targets : array, shape (n, k), or (n,) if k is 1

    Returns
    -------
    array, shape (...), dtype of the outputs

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> outputs, targets = np.asarray([[1.0], [2.0], [4.0]]), np.asarray([1.0, 2.0, 3.0])
    >>> float(metrics.rmse(outputs, targets).round(4))
    0.5774
    """
    per_example = mse_loss(in_full_precision(outputs), targets)
    xp = array_namespace(per_example)
    return _as_given(xp.sqrt(xp.mean(per_example, axis=-1)), outputs)


@metric("r2", True)
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

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import metrics
    >>> outputs, targets = np.asarray([[1.0], [2.0], [4.0]]), np.asarray([1.0, 2.0, 3.0])
    >>> float(metrics.r2(outputs, targets))
    0.5
    """
    wide = in_full_precision(outputs)
    xp, targets = aligned(wide, targets)
    r = wide - targets
    # From the first on: the mean of equal numbers may be rounded to another one, and they would seem to vary.
    shifted = targets - targets[..., :1, :]
    spread = shifted - xp.mean(shifted, axis=-2, keepdims=True)
    rest, total = xp.sum(r * r, axis=-2), xp.sum(spread * spread, axis=-2)
    one, zero = xp.ones_like(rest), xp.zeros_like(rest)
    varies = total > 0
    explained = 1 - rest / xp.where(varies, total, xp.ones_like(total))
    return _as_given(xp.mean(xp.where(varies, explained, xp.where(rest == 0, one, zero)), axis=-1), outputs)


def _as_given(found: Array, outputs: Array) -> Array:
    """In the dtype of the outputs."""
    same = found.dtype == outputs.dtype
    return found if same else array_namespace(found).astype(found, outputs.dtype)
