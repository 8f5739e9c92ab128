"""scikit-learn's losses in terms of this package's.

scikit-learn adds the losses of several outputs up, where `multimlp.losses` takes their mean, it halves the squared error, and its Poisson
loss is 0 where the prediction is right.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from multimlp import losses
from multimlp.backend import Array
from multimlp.losses import Loss


def _half_poisson_deviance(outputs: Array, targets: Array) -> Array:
    """``mean_k (exp(o_k) - t_k o_k + t_k log t_k - t_k)``, 0 log 0 being 0."""
    xp, counts = losses.aligned(outputs, targets)
    logarithms = xp.log(xp.where(counts > 0, counts, xp.ones_like(counts)))
    return losses.poisson(outputs, targets) + xp.mean(counts * logarithms - counts, axis=-1)


HALF_POISSON_DEVIANCE = replace(losses.poisson, name="half_poisson_deviance", function=_half_poisson_deviance)


def for_regression(loss: Any, outputs: int) -> Loss:
    """The loss that a regressor trains with: scikit-learn's ``"squared_error"`` and ``"poisson"``, or any
    other as it is."""
    if loss == "squared_error":
        return losses.mse.scaled(outputs / 2)
    if loss == "poisson":
        return HALF_POISSON_DEVIANCE.scaled(outputs)
    return losses.get(loss)


def for_classification(loss: Any, outputs: int) -> Loss:
    """The loss that a classifier with one sigmoid an output trains with."""
    if loss == "log_loss":
        return losses.binary_cross_entropy.scaled(outputs)
    return losses.get(loss)


OUT_ACTIVATIONS = {
    losses.cross_entropy.activation_function: "softmax",
    losses.binary_cross_entropy.activation_function: "logistic",
    losses.poisson.activation_function: "exp",
}


def out_activation(loss: Loss) -> str:
    """scikit-learn's name for what turns the outputs into probabilities or means."""
    return OUT_ACTIVATIONS.get(loss.activation_function, "identity")
