"""A fitted scikit-learn estimator: what it predicts, probabilities if it is a classifier, and its hidden layers. It has no gradients that
others may ask for; in float64 its slopes can be had from its outputs."""

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
    each = getattr(model, "out_activation_", "") == "logistic" and model.n_outputs_ > 1

    def outputs(X: np.ndarray) -> np.ndarray:
        found = np.asarray(model.predict_proba(X) if classifies else model.predict(X))
        return found if found.ndim == 2 else found[:, None]

    def run(X: np.ndarray, cotangent: np.ndarray | None) -> Run:
        kind = ("each" if each else "classes") if classifies else ""
        run = Run(outputs(X), probabilities=kind, without_last=True)
        for i, hidden in enumerate(_hidden(model, X)):
            run.layers[Place(i, AFTER)] = Seen(f"layer {i + 1}", hidden)
        return run

    own = type(model).__module__.partition(".")[0] == "multimlp"
    library = "multimlp's estimator" if own else "scikit-learn"
    return Opened(library, int(model.n_features_in_), str(model.coefs_[0].dtype), run, outputs)


def _hidden(model: Any, X: np.ndarray) -> list[np.ndarray]:
    """What each hidden layer gives, by scikit-learn's own pass; none where it has no such method."""
    if not hasattr(model, "_forward_pass"):
        return []
    return [np.array(values) for values in model._forward_pass([X] + [None] * (model.n_layers_ - 1))[1:-1]]
