"""scikit-learn's losses in terms of this package's.

scikit-learn adds the losses of several outputs up, where `multimlp.losses` takes their mean, and it halves
the squared error.
"""

from __future__ import annotations

from typing import Any

from multimlp import losses
from multimlp.losses import Loss


def for_regression(loss: Any, outputs: int) -> Loss:
    """The loss that a regressor trains with: scikit-learn's ``"squared_error"`` and ``"poisson"``, or any
    other as it is."""
    if loss == "squared_error":
        return losses.mse.scaled(outputs / 2)
    if loss == "poisson":
        return losses.poisson.scaled(outputs)
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
