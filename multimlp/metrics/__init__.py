"""How good outputs are: ``metric(outputs, targets)`` -> an array of shape (), or one number a member.

Outputs are what a network gives, shape (..., n, k): scores of k classes (logits), or with k = 1 the logit of a
binary decision, or values, or what describes a distribution. A `Metric` says whether higher is better, and what
targets it takes.

Examples
--------
>>> import numpy as np
>>> from multimlp import metrics
>>> logits, labels = np.asarray([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0]]), np.asarray([0, 1, 1])
>>> float(metrics.accuracy(logits, labels).round(4)), metrics.accuracy.higher_is_better
(0.6667, True)
>>> float(metrics.roc_auc(logits, labels)), float(metrics.log_loss(logits, labels).round(4))
(0.75, 0.8557)

Metrics of probabilities read logits as they come from the network; of probabilities themselves they take ``from_logits=False``.

>>> probabilities = np.asarray([[0.9, 0.1], [0.25, 0.75], [0.8, 0.2]])
>>> brier = metrics.with_options("brier", from_logits=False)
>>> float(brier(probabilities, labels).round(4)), brier.higher_is_better
(0.2375, False)
"""

# ruff: noqa: F403
from multimlp.metrics import _classes, _forecasts, _probabilities, _ranking, _values
from multimlp.metrics._classes import *
from multimlp.metrics._forecasts import *
from multimlp.metrics._metric import Metric, get, names, with_options
from multimlp.metrics._probabilities import *
from multimlp.metrics._ranking import *
from multimlp.metrics._values import *

__all__ = ["Metric", "get", "names", "with_options"]
__all__ += _classes.__all__
__all__ += _forecasts.__all__
__all__ += _probabilities.__all__
__all__ += _ranking.__all__
__all__ += _values.__all__
