"""Fitted estimators as ONNX models, with all that prepares their inputs and makes predictions of their outputs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from multimlp.backend import Array, array_namespace
from multimlp.errors import InputError
from multimlp.errors.checks import refuse
from multimlp.estimators._base import BaseMLP


def to_onnx(estimator: Any, path: str | os.PathLike[str] | None = None, opset: int | None = None) -> Any:
    """A fitted estimator as an ONNX model, from what ``predict`` takes to what it says, written to ``path`` if one is given.

    In float64 equal to ``predict`` and ``predict_proba`` to 1e-12, in float32 to 1e-6 (of the deviation of targets).

    Inputs of estimators for tables are their columns, each by its name and of shape (rows, 1): float64 for numbers, for dates (days since
    1970 in UTC) and for truth values (0 or 1), NaN for a missing one; text for categories, as Python's ``str`` writes them (whole numbers
    with a point or without), and any other text for a missing one. Multilayer perceptrons have the input ``X`` of shape (rows, features),
    of their network's dtype; pipelines too, float64.

    Outputs of classifiers are ``label`` and, where there are any, ``probabilities``; those of regressors ``prediction``, with
    ``quantiles`` (those of the parameter) for ``output="quantile"`` or ``"gaussian"``, and ``deviation`` for the latter.

    Parameters
    ----------
    estimator : estimator of this package, or scikit-learn's Pipeline that ends with a multilayer perceptron
        The steps before it are StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler or ``"passthrough"``.
    path : path, optional
    opset : int, optional
        18 to the newest that the package onnx knows; default: 20. Texts need a runtime with ``ai.onnx.ml``, as onnxruntime is.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    InputError
        For another estimator or step; for a column whose name ONNX cannot have, or that is the name of an output.
    DTypeError
        For networks in 16 bits.
    MissingDependencyError
        If the package onnx is missing.
    sklearn.exceptions.NotFittedError

    Examples
    --------
    >>> from multimlp import estimators
    >>> X = {"size": [1.0, 2.0, None, 8.0, 9.0, 7.5] * 5, "shape": ["round", "flat"] * 15}
    >>> y = ["small", "small", "small", "large", "large", "large"] * 5
    >>> model = estimators.RealMLPClassifier(n_epochs=2, hidden_layer_sizes=[8], random_state=0).fit(X, y)
    >>> graph = estimators.to_onnx(model).graph
    >>> [value.name for value in graph.input], [value.name for value in graph.output]
    (['size', 'shape'], ['label', 'probabilities'])
    """
    from multimlp.interop.onnx import Input, record  # onnx is an extra

    steps, last = _steps(estimator) if isinstance(estimator, Pipeline) else ([], estimator)
    if not hasattr(last, "_recorded"):
        raise refuse(
            "estimator",
            "an estimator of multimlp, or a Pipeline of scalers and an MLPClassifier, MLPRegressor or ensemble of these",
            last,
        )
    check_is_fitted(last)
    inputs, function = last._recorded()
    if not steps:
        return record(function, inputs, path, opset)
    if not isinstance(last, BaseMLP):
        raise InputError(
            f"estimator: {type(last).__name__} prepares tables itself and takes no scaled matrix; export it without the steps before it"
        )

    def graph(given: Mapping[str, Array]) -> Mapping[str, Array]:
        x = given["X"]
        for name, step in steps:
            x = _scaled(name, step, x)
        return function({"X": x})

    return record(graph, {"X": Input("float64", steps[0][1].n_features_in_)}, path, opset)


def _steps(pipeline: Pipeline) -> tuple[list[tuple[str, Any]], Any]:
    """The steps that do something, and the last one."""
    *before, (_, last) = pipeline.steps
    return [(name, step) for name, step in before if step is not None and step != "passthrough"], last


def _scaled(name: str, step: Any, x: Array) -> Array:
    """What a scaler makes of rows."""
    xp = array_namespace(x)

    def numbers(values: Any) -> Array:
        return xp.asarray(np.asarray(values, dtype=np.float64))

    check_is_fitted(step)
    if isinstance(step, (StandardScaler, RobustScaler)):
        centre = getattr(step, "mean_" if isinstance(step, StandardScaler) else "center_", None)
        centred = isinstance(step, StandardScaler) and not step.with_mean
        x = x if centre is None or centred else x - numbers(centre)
        return x if step.scale_ is None else x / numbers(step.scale_)
    if isinstance(step, MaxAbsScaler):
        x = x / numbers(step.scale_)
        low, high = -1.0, 1.0
    elif isinstance(step, MinMaxScaler):
        x = x * numbers(step.scale_) + numbers(step.min_)
        low, high = step.feature_range
    else:
        raise InputError(
            f"estimator: the step {name!r}, {type(step).__name__}, is not exported; those that are: StandardScaler, MinMaxScaler, "
            "MaxAbsScaler, RobustScaler; or take RealMLP or TabM, which prepare tables themselves"
        )
    if not getattr(step, "clip", False):
        return x
    return xp.minimum(xp.maximum(x, numbers(low)), numbers(high))
