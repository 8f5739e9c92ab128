"""Losses: ``loss(outputs, targets)`` gives one number an example, `reduce` makes one number of them.

Outputs have shape (..., n, k): n examples of k outputs; leading axes are an ensemble. All losses of scores
take logits, so a network for them ends without an activation. Each loss is a `Loss`: it knows its gradient
in closed form, checks targets at the door, and says what to predict.

Examples
--------
>>> import numpy as np
>>> from multimlp import losses
>>> loss = losses.get("cross_entropy")
>>> logits, labels = np.asarray([[2.0, 0.0], [0.0, 1.0]]), np.asarray([0, 0])
>>> losses.reduce(loss(logits, labels)).round(4)
np.float64(0.7201)
>>> loss.gradient(logits, labels).round(4)
array([[-0.1192,  0.1192],
       [-0.7311,  0.7311]])
>>> loss.predict(logits)
array([0, 1])
"""

# ruff: noqa: F403
from multimlp.losses import _classification, _focal, _likelihood, _quantile, _regression
from multimlp.losses._align import aligned
from multimlp.losses._classification import *
from multimlp.losses._focal import *
from multimlp.losses._likelihood import *
from multimlp.losses._loss import Loss, get, names, with_options
from multimlp.losses._quantile import *
from multimlp.losses._reduce import batch_mean, reduce, total_weight
from multimlp.losses._regression import *

__all__ = ["Loss", "aligned", "batch_mean", "get", "names", "reduce", "total_weight", "with_options"]
__all__ += _classification.__all__
__all__ += _focal.__all__
__all__ += _likelihood.__all__
__all__ += _quantile.__all__
__all__ += _regression.__all__
