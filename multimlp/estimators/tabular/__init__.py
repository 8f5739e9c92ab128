"""Estimators for tables as people have them, on networks of blocks."""

from multimlp.estimators.tabular._loading import load
from multimlp.estimators.tabular.realmlp import RealMLPClassifier, RealMLPRegressor
from multimlp.estimators.tabular.tabm import TabMClassifier, TabMRegressor

__all__ = ["RealMLPClassifier", "RealMLPRegressor", "TabMClassifier", "TabMRegressor", "load"]
