"""The classifier: scikit-learn's ``MLPClassifier`` on any backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if

from multimlp import losses
from multimlp.backend import Array, owner
from multimlp.errors import DataError, InputError
from multimlp.estimators import _inputs
from multimlp.estimators._base import BaseMLP, is_stochastic, store
from multimlp.estimators._targets import Labels, class_weights
from multimlp.losses import Loss


def _has_probabilities(estimator: Any) -> bool:
    learned = estimator._trained_as
    loss = estimator.loss if learned is None else learned.loss
    if loss != "log_loss" and losses.get(loss).activation_function is None:
        raise AttributeError(f"loss={loss!r} has no probabilities; use 'log_loss' or 'cross_entropy'")
    return True


class MLPClassifier(ClassifierMixin, BaseMLP):
    """A multilayer perceptron that classifies; scikit-learn's ``MLPClassifier`` with a choice of backend.

    Parameters, defaults and attributes are scikit-learn's, where they have the same name.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
    activation : str, callable, or one a layer
        Any of `multimlp.activations.names`; ``"logistic"`` is the sigmoid.
    solver : {"adam", "sgd", "lbfgs"}, any of `multimlp.optimizers.names`, or an Optimizer
        An Optimizer brings its own learning rate; only ``"sgd"`` heeds ``learning_rate``, ``momentum`` and
        ``nesterovs_momentum``.
    alpha : float
        L2 penalty ``alpha / 2 * sum(w^2) / (weight of a batch)``.
    batch_size : int or "auto"
        ``"auto"`` is min(200, rows).
    learning_rate : {"constant", "invscaling", "adaptive"}
    learning_rate_init : float
    power_t, max_iter, shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum
        As in scikit-learn.
    early_stopping, validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change
        As in scikit-learn.
    max_fun : int
        Evaluations of the loss by L-BFGS, at most.
    loss : str or Loss
        ``"log_loss"``: softmax and cross-entropy for more than two classes, else a sigmoid an output. Or any
        of `multimlp.losses`, such as ``multimlp.losses.with_options("cross_entropy", label_smoothing=0.1)``.
    class_weight : dict, "balanced" or None
    dropout : float
        Fraction of each hidden layer's units that is zeroed while training.
    n_members : int, optional
        So many networks from different initial parameters, trained together; see `EnsembleMLPClassifier`. Default: one network.
    callbacks : sequence
        See `multimlp.callbacks`. Where ``early_stopping`` holds no rows out, one that restores the best parameters says which are kept.
    backend, device, dtype : str, optional
        Where to train; by the usual order of precedence. The dtype is that of X (float32, or else float64) if
        nothing else is said.
    devices : "all", int or sequence of str, optional
        What training is shared by, as in `multimlp.fit`: every process fits with the same arguments and data.

    Attributes
    ----------
    classes_ : numpy.ndarray
    coefs_, intercepts_ : list of numpy.ndarray
        Weights (in, out) and biases (out,), layer by layer.
    loss_, best_loss_ : float
    loss_curve_ : list of float
    validation_scores_, best_validation_score_
        With ``early_stopping``, else None.
    n_iter_, t_, n_layers_, n_outputs_, n_features_in_ : int
    feature_names_in_ : numpy.ndarray
    out_activation_ : str

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.estimators import MLPClassifier
    >>> X = np.asarray([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> y = np.asarray(["no", "yes", "yes", "no"])
    >>> model = MLPClassifier(8, solver="lbfgs", random_state=1).fit(X, y)
    >>> model.predict(X).tolist()
    ['no', 'yes', 'yes', 'no']
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        loss: Any = "log_loss",
        class_weight: Any = None,
        dropout: float = 0.0,
        n_members: int | None = None,
        callbacks: Sequence[Any] = (),
        backend: Any = None,
        device: str | None = None,
        dtype: Any = None,
        devices: Any = None,
    ) -> None:
        store(self, locals())

    # ---- targets

    def _learn_targets(self, y: np.ndarray, first: bool, classes: Any) -> None:
        if first:
            self._labels = Labels(y, None if classes is None else np.asarray(_inputs.to_host(classes)))
            self.classes_ = self._labels.classes
        elif self.warm_start:
            self._labels.check_same(y)

    def _encode(self, y: np.ndarray) -> np.ndarray:
        return self._labels.encode(y, self._loss())

    def _loss_of(self, loss: Any) -> Loss:
        return self._labels.loss(loss)

    def _width(self) -> int:
        return self._labels.outputs(self.loss)

    def _weighted(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        if self.class_weight is None:
            return weights
        of_classes = class_weights(self.class_weight, y, self._labels.classes)
        return of_classes if weights is None else weights * of_classes

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        return y.astype(bool) if self._width() == 1 else None

    def _score_of(self, outputs: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None) -> float:
        truth = self._labels.decode_targets(y)
        return float(accuracy_score(truth, self._decided(outputs), sample_weight=sample_weight))

    def _decided(self, outputs: Array) -> np.ndarray:
        """Labels for the network's outputs."""
        scores, threshold = self._scores(outputs)
        return np.asarray(self._labels.decode(_inputs.to_host(scores), threshold))

    def _scores(self, outputs: Array) -> tuple[Array, float]:
        """What decides, and where one number does, the threshold; an ensemble decides by its mean probabilities, if it has any."""
        loss = self._outputs_loss()
        if not self._has_members or loss.activation_function is None:
            return self._mean(outputs), 0.0
        with owner(outputs).scope_of(outputs):
            return self._mean(loss.activation(outputs)), 0.5

    def _predicted(self, outputs: Array) -> Array:
        """Probabilities of the classes for outputs (..., n, k)."""
        backend = owner(outputs)
        xp = backend.xp
        with backend.scope_of(outputs):
            chances = self._outputs_loss().activation(outputs)
            if self._labels.multilabel:
                return chances
            if self._labels.count == 1:
                return xp.ones_like(chances)
            if chances.shape[-1] == 1:
                return xp.concat([1 - chances, chances], axis=-1)
            return chances / xp.sum(chances, axis=-1, keepdims=True)

    def _results(self, outputs: Array) -> dict[str, Array]:
        found = {"label": self._labels.decode(*self._scores(outputs))}
        if self._outputs_loss().activation_function is None:
            return found
        return found | {"probabilities": self._mean(self._predicted(outputs))}

    # ---- public

    @available_if(is_stochastic)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> MLPClassifier:
        """One epoch over the rows given, going on from the last call.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array of shape (k,)
            All classes; needed in the first call.

        Returns
        -------
        self
        """
        if isinstance(self.class_weight, str):
            raise InputError(
                f"class_weight: {self.class_weight!r} is about all rows, and partial_fit sees some at a time; give numbers, as "
                "sklearn.utils.class_weight.compute_class_weight makes them of all labels"
            )
        first = not hasattr(self, "_network")  # a call that failed was none
        if classes is None and first:
            raise InputError("classes must be passed on the first call to partial_fit.")
        if classes is not None and not first:
            given = np.unique(np.asarray(_inputs.to_host(classes)))
            if not np.array_equal(given, self.classes_):
                raise DataError(
                    f"`classes={given}` is not the same as on last call to partial_fit, was: {self.classes_}"
                )
        return self._fit_on(X, y, sample_weight, classes)

    def predict(self, X: Any) -> Array:
        """The most probable class of each row (n,), or zeros and ones (n, k) for multi-label."""
        outputs, origin = self._outputs(X)
        return origin.give(self._decided(outputs))

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes, shape (n, k), in the order of ``classes_``."""
        outputs, origin = self._outputs(X)
        return origin.give(self._mean(self._predicted(outputs)))

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of `predict_proba`."""
        probabilities = self.predict_proba(X)
        backend = owner(probabilities)
        with backend.scope_of(probabilities), np.errstate(divide="ignore"):
            return backend.xp.log(probabilities)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on the rows given."""
        predicted = _inputs.to_host(self.predict(X))
        return float(
            accuracy_score(
                _inputs.as_targets(y, "y"), predicted, sample_weight=_inputs.to_host(sample_weight)
            )
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
