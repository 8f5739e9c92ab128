"""scikit-learn estimators on any backend: ``MLPClassifier`` and ``MLPRegressor``, drop-in for scikit-learn's
own, and ensembles of them.

Examples
--------
>>> from sklearn.datasets import load_iris
>>> from sklearn.model_selection import cross_val_score
>>> from multimlp.estimators import MLPClassifier
>>> X, y = load_iris(return_X_y=True)
>>> bool(cross_val_score(MLPClassifier(solver="lbfgs", random_state=0), X, y).mean() > 0.9)
True
"""

from multimlp.errors import missing_dependency

try:
    import sklearn  # noqa: F401
except ImportError:
    raise missing_dependency("scikit-learn", "multimlp.estimators", "sklearn") from None

from multimlp.estimators._classifier import MLPClassifier
from multimlp.estimators._ensemble import EnsembleMLPClassifier, EnsembleMLPRegressor
from multimlp.estimators._onnx import to_onnx
from multimlp.estimators._regressor import MLPRegressor
from multimlp.estimators._search import MLPSearchCV
from multimlp.estimators.tabular import (
    RealMLPClassifier,
    RealMLPRegressor,
    TabMClassifier,
    TabMRegressor,
    load,
)

__all__ = [
    "EnsembleMLPClassifier",
    "EnsembleMLPRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "MLPSearchCV",
    "RealMLPClassifier",
    "RealMLPRegressor",
    "TabMClassifier",
    "TabMRegressor",
    "load",
    "to_onnx",
]
