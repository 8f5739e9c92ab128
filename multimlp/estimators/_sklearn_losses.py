"""scikit-learn's losses in terms of this package's.

scikit-learn adds the losses of several outputs up, where `multimlp.losses` takes their mean, and it halves
the squared error.
"""

from __future__ import annotations

import functools
from typing import Any

from multimlp import losses
from multimlp.backend import Array
from multimlp.losses import Loss


def _scaled_values(outputs: Array, targets: Array, base: Loss, factor: float) -> Array:
    return base(outputs, targets) * factor


def _scaled_gradient(outputs: Array, targets: Array, base: Loss, factor: float) -> Array:
    return base.gradient(outputs, targets) * factor


def scaled(base: Loss, factor: float) -> Loss:
    """``factor`` times a loss, predictions and checks as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import losses
    >>> from multimlp.estimators._sklearn_losses import scaled
    >>> scaled(losses.mse, 0.5)(np.asarray([[3.0]]), np.asarray([[1.0]]))
    array([2.])
    """
    if factor == 1:
        return base
    bound: dict[str, Any] = {"base": base, "factor": factor}
    values = functools.wraps(base.function)(functools.partial(_scaled_values, **bound))
    gradient = functools.partial(_scaled_gradient, **bound)
    return Loss(
        f"{factor:g} {base.name}",
        values,
        None if base.gradient_function is None else gradient,
        base.check,
        base.predict_function,
        base.activation_function,
    )


def for_regression(loss: Any, outputs: int) -> Loss:
    """The loss that a regressor trains with: scikit-learn's ``"squared_error"`` and ``"poisson"``, or any
    other as it is."""
    if loss == "squared_error":
        return scaled(losses.mse, outputs / 2)
    if loss == "poisson":
        return scaled(losses.poisson, outputs)
    return losses.get(loss)


def for_classification(loss: Any, outputs: int) -> Loss:
    """The loss that a classifier with one sigmoid an output trains with."""
    if loss == "log_loss":
        return scaled(losses.binary_cross_entropy, outputs)
    return losses.get(loss)


OUT_ACTIVATIONS = {
    losses.cross_entropy.activation_function: "softmax",
    losses.binary_cross_entropy.activation_function: "logistic",
    losses.poisson.activation_function: "exp",
}


def out_activation(loss: Loss) -> str:
    """scikit-learn's name for what turns the outputs into probabilities or means."""
    return OUT_ACTIVATIONS.get(loss.activation_function, "identity")
