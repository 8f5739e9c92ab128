"""A fitted scikit-learn estimator: what it predicts, probabilities if it is a classifier, and its hidden layers. It has no gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimlp.errors import InputError
from multimlp.interop._verify.run import AFTER, Opened, Place, Run, Seen


def opened(name: str, model: Any) -> Opened:
    """See `multimlp.interop._verify.opened`."""
    if not hasattr(model, "coefs_"):
        raise InputError(f"{name}: expected a fitted network of scikit-learn, got {type(model).__name__}")
    classifies = hasattr(model, "predict_proba")

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        found = np.asarray(model.predict_proba(X) if classifies else model.predict(X))
        run = Run(found if found.ndim == 2 else found[:, None], probabilities=classifies, without_last=True)
        for i, hidden in enumerate(_hidden(model, X)):
            run.layers[Place(i, AFTER)] = Seen(f"layer {i + 1}", hidden)
        return run

    return Opened("scikit-learn", int(model.n_features_in_), str(model.coefs_[0].dtype), run)


def _hidden(model: Any, X: np.ndarray) -> list[np.ndarray]:
    """What each hidden layer gives, by scikit-learn's own pass; none where it has no such method."""
    if not hasattr(model, "_forward_pass"):
        return []
    return [np.array(values) for values in model._forward_pass([X] + [None] * (model.n_layers_ - 1))[1:-1]]
