"""A fitted scikit-learn estimator: what it predicts, probabilities if it is a classifier. It shows no layers and no gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.errors import InputError
from multimlp.interop._verify.run import Opened, Run


def opened(name: str, model: Any) -> Opened:
    """See `multimlp.interop._verify.opened`."""
    if not hasattr(model, "coefs_"):
        raise InputError(f"{name}: expected a fitted network of scikit-learn, got {type(model).__name__}")
    classifies = hasattr(model, "predict_proba")

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        found = np.asarray(model.predict_proba(X) if classifies else model.predict(X))
        return Run(found if found.ndim == 2 else found[:, None], probabilities=classifies)

    return Opened("scikit-learn", int(model.n_features_in_), str(model.coefs_[0].dtype), run)
