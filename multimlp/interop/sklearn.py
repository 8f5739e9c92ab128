"""scikit-learn: its fitted ``MLPClassifier`` and ``MLPRegressor`` both ways.

Weights are (in, out) on both sides and values equal to the bit. scikit-learn applies softmax or the sigmoid
itself, so the network of a classifier ends in scores here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp.backend import Backend
from multimlp.errors import FileFormatError, InputError, missing_dependency
from multimlp.errors.checks import check_choice, refuse
from multimlp.files import opening, read_arrays, replacing
from multimlp.interop._building import Builder
from multimlp.interop._layers import check_axis, layers_of, unsupported_activation
from multimlp.mlp import MLP, Params

try:
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import LabelBinarizer
except ImportError:
    raise missing_dependency("scikit-learn", "multimlp.interop.sklearn", "sklearn") from None

_ACTIVATIONS = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
_OUT_ACTIVATIONS = {"identity": "identity", "sigmoid": "logistic", "softmax": "softmax", "exponential": "exp"}


def supported_activations() -> tuple[str, ...]:
    """The names of the activations that scikit-learn has."""
    return tuple(_ACTIVATIONS)


def to_sklearn(
    mlp: MLP, params: Params, task: str = "classification", classes: Sequence[Any] | None = None
) -> MLPClassifier | MLPRegressor:
    """A fitted scikit-learn estimator that predicts what the model predicts.

    scikit-learn's classifier of two classes has one output, so two outputs become one, their difference.

    Parameters
    ----------
    mlp : MLP
        One activation for all hidden layers: identity, sigmoid, tanh or relu.
    params : tuple of Dense
    task : {"classification", "regression"}
    classes : sequence, optional
        Labels; default 0 .. k-1 for k outputs, and 0, 1 for a single one.

    Raises
    ------
    InputError
        For an activation that scikit-learn lacks; names those that it has.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp.interop import sklearn as interop
    >>> mlp = mm.MLP(2, 3, 4)
    >>> fitted = interop.to_sklearn(mlp, mlp.init(seed=0), classes=list("abcd"))
    >>> fitted.predict_proba(np.zeros((1, 2))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    check_choice("task", task, ("classification", "regression"))
    layers = layers_of(mlp, params, "scikit-learn")
    hidden = {layer.activation for layer in layers[:-1]}
    for rule in hidden:
        if rule is None or rule.name not in _ACTIVATIONS:
            raise unsupported_activation("scikit-learn", rule or "None", _ACTIVATIONS)
    if len(hidden) > 1:
        raise InputError(
            "activation: scikit-learn has one activation for all hidden layers, this model has several"
        )
    name = _ACTIVATIONS[hidden.pop().name] if hidden else "identity"  # type: ignore[union-attr]
    kind: Any = MLPClassifier if task == "classification" else MLPRegressor
    fitted = kind(hidden_layer_sizes=tuple(mlp.hidden), activation=name)
    fitted.coefs_ = [layer.weight.copy() for layer in layers]
    fitted.intercepts_ = [
        np.zeros(layer.weight.shape[1], layer.weight.dtype) if layer.bias is None else layer.bias.copy()
        for layer in layers
    ]
    fitted.n_features_in_, fitted.n_outputs_, fitted.n_layers_ = (
        mlp.in_features,
        mlp.out_features,
        len(layers) + 1,
    )
    fitted.out_activation_ = _label(fitted, mlp, classes) if task == "classification" else "identity"
    given = mlp.final_activation
    if given is not None:
        own = _OUT_ACTIVATIONS.get(given.name)
        if own is None or (task == "classification" and own != fitted.out_activation_):
            raise unsupported_activation("scikit-learn's last layer", given, _OUT_ACTIVATIONS)
        check_axis("scikit-learn", given)
        fitted.out_activation_ = own
    fitted.n_iter_ = fitted.t_ = 0
    fitted.loss_, fitted.best_loss_, fitted.loss_curve_ = np.nan, None, []
    return fitted


def _label(fitted: MLPClassifier, mlp: MLP, classes: Sequence[Any] | None) -> str:
    try:
        labels = np.arange(max(mlp.out_features, 2)) if classes is None else np.asarray(classes)
    except ValueError:
        raise refuse("classes", "a sequence of labels", classes) from None
    expected = max(mlp.out_features, 2)
    if labels.shape != (expected,) or len(np.unique(labels)) != expected or np.any(labels != np.sort(labels)):
        raise InputError(
            f"classes: expected {expected} different labels in ascending order, got {labels.tolist()}"
        )
    fitted.classes_ = labels
    fitted._label_binarizer = LabelBinarizer().fit(labels)
    if mlp.out_features > 2:
        return "softmax"
    if mlp.out_features == 2:  # softmax over two scores is the sigmoid of their difference
        fitted.coefs_[-1] = fitted.coefs_[-1][:, 1:] - fitted.coefs_[-1][:, :1]
        fitted.intercepts_[-1] = fitted.intercepts_[-1][1:] - fitted.intercepts_[-1][:1]
        fitted.n_outputs_ = 1
    return "logistic"


def from_sklearn(
    estimator: MLPClassifier | MLPRegressor,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
) -> tuple[MLP, Params]:
    """An MLP and its parameters from a fitted scikit-learn estimator.

    A classifier's outputs are scores: apply `multimlp.activations.softmax` or ``sigmoid``
    (``out_activation_`` says which) for probabilities. A regressor ends in its ``out_activation_``, one of the Poisson loss in
    ``exponential``.

    Parameters
    ----------
    estimator : sklearn.neural_network.MLPClassifier or MLPRegressor
    backend, device, dtype : optional

    Raises
    ------
    InputError
        If it is not fitted or something else.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neural_network import MLPRegressor
    >>> from multimlp.interop import sklearn as interop
    >>> fitted = MLPRegressor(hidden_layer_sizes=3, max_iter=500, tol=0.1, random_state=0)
    >>> interop.from_sklearn(fitted.fit(np.eye(4), np.arange(4.0)))[0]
    MLP(4, [3], 1, activation='relu')
    """
    if not isinstance(estimator, (MLPClassifier, MLPRegressor)):
        raise InputError(
            "estimator: expected scikit-learn's MLPClassifier or MLPRegressor, got "
            f"{type(estimator).__name__}"
        )
    if not hasattr(estimator, "coefs_"):
        raise InputError("estimator: it is not fitted; call its fit first")
    names = {theirs: ours for ours, theirs in _ACTIVATIONS.items()}
    reading = Builder("scikit-learn estimator")
    last = len(estimator.coefs_) - 1
    for i, (weight, bias) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        reading.dense(weight.copy(), bias.copy())
        if i < last:
            reading.activation(names[estimator.activation])
        elif isinstance(estimator, MLPRegressor):  # a classifier's is left to the loss
            reading.activation(_final(estimator.out_activation_))
    return reading.build(backend, device, dtype)


def _final(out_activation: str) -> str:
    finals = {theirs: ours for ours, theirs in _OUT_ACTIVATIONS.items()}
    if out_activation not in finals:
        raise unsupported_activation("multimlp", f"scikit-learn's {out_activation!r}", finals)
    return finals[out_activation]


# ---- files without pickle ----------------------------------------


def write_npz(path: str | os.PathLike[str], estimator: MLPClassifier | MLPRegressor) -> None:
    """Write a fitted estimator as a NumPy ``.npz`` file, which, unlike joblib's, runs nothing when it is
    opened.

    It holds ``coefs_0``, ``intercepts_0``, ..., ``classes`` (of a classifier) and ``description``, a JSON
    text with ``task`` and ``activation``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import multimlp as mm
    >>> from multimlp.interop import sklearn as interop
    >>> mlp = mm.MLP(2, 3, 4)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.npz"
    >>> interop.write_npz(path, interop.to_sklearn(mlp, mlp.init(seed=0)))
    >>> interop.read_npz(path).classes_.tolist()
    [0, 1, 2, 3]
    """
    task = "classification" if isinstance(estimator, MLPClassifier) else "regression"
    description = {
        "task": task,
        "activation": estimator.activation,
        "out_activation": estimator.out_activation_,
    }
    arrays: dict[str, Any] = {"description": np.asarray(json.dumps(description))}
    for i, (weight, bias) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        arrays |= {f"coefs_{i}": weight, f"intercepts_{i}": bias}
    if task == "classification":
        arrays["classes"] = np.asarray(estimator.classes_)
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez(file, **arrays)


def read_npz(path: str | os.PathLike[str]) -> MLPClassifier | MLPRegressor:
    """The estimator that `write_npz` wrote.

    Raises
    ------
    InputError
        If there is no such file.
    FileFormatError
        If it is damaged or another kind of file.
    """
    with opening(path, "is no model that write_npz wrote, or is damaged"):
        try:
            return _estimator_of(read_arrays(path))
        except InputError as error:
            raise FileFormatError(str(error)) from None


def _estimator_of(arrays: dict[str, np.ndarray]) -> MLPClassifier | MLPRegressor:
    names = {theirs: ours for ours, theirs in _ACTIVATIONS.items()}
    finals = {theirs: ours for ours, theirs in _OUT_ACTIVATIONS.items()}
    if "description" not in arrays:
        raise FileFormatError("it has no array 'description'")
    description = json.loads(str(arrays["description"][()]))
    if not isinstance(description, dict):
        raise FileFormatError("its description is not a JSON object")
    task, activation, final = (description.get(key) for key in ("task", "activation", "out_activation"))
    if activation not in names or final not in finals:
        raise FileFormatError(f"its description has the activation {activation!r} and, last, {final!r}")
    reading = Builder("scikit-learn file")
    last = sum(name.startswith("coefs_") for name in arrays) - 1
    for i in range(last + 1):
        for part in (f"coefs_{i}", f"intercepts_{i}"):
            if part not in arrays:
                raise FileFormatError(f"it has no array {part!r}")
        reading.dense(arrays[f"coefs_{i}"], arrays[f"intercepts_{i}"])
        reading.activation(names[activation] if i < last else finals[final])
    mlp, params = reading.build("numpy")
    if not isinstance(task, str):
        raise FileFormatError(f"its description has the task {task!r}")
    if task == "classification" and ("classes" not in arrays or arrays["classes"].dtype.kind not in "biufU"):
        raise FileFormatError("it is a classifier, and has no array 'classes' of numbers or text")
    classes: Any = arrays["classes"] if task == "classification" else None
    return to_sklearn(mlp, params, task, classes)
