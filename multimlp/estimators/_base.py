"""What classifier, regressor and their ensembles share: fitting and predicting as scikit-learn's multilayer
perceptrons do."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from multimlp import regularizers, tree
from multimlp.backend import Array, Target, select
from multimlp.callbacks import Run, as_callback
from multimlp.errors import DataError, InputError
from multimlp.estimators import _inputs, _parameters, _policy
from multimlp.estimators._fitted_network import Network
from multimlp.estimators._session import Session
from multimlp.estimators._sklearn_losses import out_activation
from multimlp.estimators._solvers import full_batch, optimizer_for
from multimlp.estimators._stopping import Holdout
from multimlp.losses import Loss
from multimlp.mlp import MLP, Params
from multimlp.training import place
from multimlp.training.engines import Chunk, Problem

LARGEST_BATCH = 200
"""What ``batch_size="auto"`` is, unless there are fewer rows."""


def is_stochastic(estimator: Any) -> bool:
    """Whether the solver works on batches; AttributeError if not, for methods that need it."""
    if full_batch(estimator.solver):
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic."
        )
    return True


class BaseMLP(BaseEstimator):
    """Fitting and the way to the outputs; subclasses say what targets, losses and scores are."""

    _numeric_targets = False
    _network: Network
    _session: Session | None
    _optimizer_state: Any
    loss_curve_: list[float]
    t_: int

    # ---- what subclasses provide

    def _learn_targets(self, y: np.ndarray, first: bool, classes: Any) -> None:
        """Note classes or the number of outputs, or check that they are the same as before."""
        raise TypeError("a subclass says what it learns of its targets")

    def _encode(self, y: np.ndarray) -> np.ndarray:
        """The targets that the loss wants."""
        raise TypeError("a subclass says how it encodes its targets")

    def _loss(self) -> Loss:
        raise TypeError("a subclass says what its loss is")

    def _width(self) -> int:
        """The number of outputs."""
        raise TypeError("a subclass says how many outputs it has")

    def _score_of(self, outputs: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None) -> float:
        """The validation score for outputs and encoded targets on the host."""
        raise TypeError("a subclass says what its score is")

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        """What a validation split keeps in proportion."""
        return None

    def _weighted(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """The sample weights, class weights included."""
        return weights

    # ---- what ensembles change

    def _seeds(self, seed: int) -> int | list[int]:
        """The seed of the initial parameters, or one for each member of an ensemble."""
        return seed

    def _mean(self, values: Array) -> Array:
        """One prediction of each row's: an ensemble's mean over its members."""
        return values

    # ---- fitting

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit to inputs X and targets y.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (n, features)
            Arrays of any supported library; with ``backend=None`` their library trains. Sparse matrices
            become dense.
        y : array of shape (n,) or (n, k)
        sample_weight : array of shape (n,), optional
            A batch's loss is ``sum(w * l) / sum(w)``; rows of weight 0 are left out.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters or data that cannot be used (`multimlp.errors.InputError` is one).
        multimlp.errors.NonFiniteLossError
            If training diverges.
        """
        _parameters.check(self.get_params(deep=False))
        first = not (self.warm_start and hasattr(self, "_network"))
        X, y, weights = self._enter(X, y, sample_weight, first)
        seed, holdout = self._seed(), None
        if self.early_stopping and not full_batch(self.solver):
            X, y, weights, holdout = Holdout.split(self, X, y, weights, seed)
        problem, params = self._problem(X, y, weights, seed, None if first else self._network)
        chunk = self._place(problem, X, y, weights)
        self._begin(first)
        run = Run(problem.model, self.max_iter, {}, lambda: session.params())
        watchers = [as_callback(callback) for callback in self.callbacks or ()]
        session = Session(problem, params)
        with _policy.watched(watchers, run):
            if full_batch(self.solver):
                _policy.run_full_batch(self, session, chunk, run, watchers)
            else:
                _policy.run_epochs(self, session, chunk, run, watchers, holdout, seed)
        self._session = None if full_batch(self.solver) else session
        self._optimizer_state = None
        best = None if holdout is None else holdout.best_params
        self._keep(problem, session.params() if best is None else best)
        return self

    def _fit_on(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Any:
        """One epoch over the rows given, going on from the last call."""
        _parameters.check(self.get_params(deep=False))
        if self.early_stopping:
            raise InputError("early_stopping: partial_fit does not support early_stopping=True")
        first = not hasattr(self, "_network")
        X, y, weights = self._enter(X, y, sample_weight, first, classes)
        if first:
            self._begin(True)
            self._session = self._optimizer_state = None
        seed = self._seed() + self.t_
        if self._session is None:
            problem, params = self._problem(X, y, weights, seed, None if first else self._network)
            self._session = Session(problem, params, self._resumed(problem))
        session = self._session
        self.n_iter_ = 0
        loss = session.epoch(
            self._place(session.problem, X, y, weights), _policy.order(self, seed, 0, len(y))
        )
        _policy.record(self, loss, len(y))
        self._keep(session.problem, session.params())
        return self

    def _enter(
        self, X: Any, y: Any, sample_weight: Any, first: bool, classes: Any = None
    ) -> tuple[Array, np.ndarray, np.ndarray | None]:
        """Checked inputs, encoded targets and weights, without the rows that weigh nothing."""
        inputs, labels = _inputs.check_pair(self, X, y, first, self._numeric_targets)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = column_or_1d(labels, warn=True)
        self._learn_targets(labels, first, classes)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(
                _inputs.to_host(sample_weight), np.empty((len(labels), 1)), ensure_non_negative=True
            )
        weights, targets = self._weighted(labels, weights), self._encode(labels)
        if weights is not None and not np.all(weights > 0):
            kept = np.flatnonzero(weights > 0)
            if not len(kept):
                raise DataError(
                    "sample_weight: Sample weights are all zero, so there is nothing to learn from"
                )
            inputs, targets, weights = _inputs.rows(inputs, kept), targets[kept], weights[kept]
        return inputs, targets, weights

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _target(self, X: Array) -> Target:
        natural = "float32" if str(X.dtype).rpartition(".")[2] == "float32" else "float64"
        return select(self.backend, self.device, self.dtype, [X], default_dtype=natural)

    def _problem(
        self, X: Array, y: np.ndarray, weights: np.ndarray | None, seed: int, network: Network | None
    ) -> tuple[Problem, Params]:
        """What is to be trained, and where it starts: from fresh parameters or from a network's."""
        target, rows, seeds = self._target(X), len(y), self._seeds(seed)
        if network is None:
            mlp = self._mlp(int(X.shape[1]))
            params = mlp.init(seeds, target.backend, target.dtype, target.device)
        else:
            mlp, params = network.mlp, tree.map(lambda leaf: _moved(leaf, target), network.host_params)
        batch = rows if full_batch(self.solver) else self._batch(rows)
        weight_of_batch = batch * (1.0 if weights is None else float(weights.mean()))
        problem = Problem(
            model=mlp,
            loss=self._loss(),
            optimizer=optimizer_for(self, self.learning_rate_init, rows, -(-rows // batch)),
            regularizer=regularizers.l2(self.alpha / (2 * weight_of_batch)) if self.alpha else None,
            backend=target.backend,
            device=target.device,
            dtype=target.dtype,
            members=None if isinstance(seeds, int) else len(seeds),
            batch_size=batch,
            seed=seed,
        )
        return problem, params

    def _mlp(self, features: int) -> MLP:
        widths = self.hidden_layer_sizes
        hidden = [int(width) for width in widths] if hasattr(widths, "__iter__") else int(widths)
        return MLP(features, hidden, self._width(), activation=self.activation, dropout=self.dropout)

    def _batch(self, rows: int) -> int:
        if self.batch_size == "auto":
            return min(LARGEST_BATCH, rows)
        if self.batch_size > rows:
            warnings.warn(
                "Got `batch_size` larger than the sample size. It is going to be clipped", stacklevel=4
            )
        return min(int(self.batch_size), rows)

    @staticmethod
    def _place(problem: Problem, X: Array, y: np.ndarray, weights: np.ndarray | None) -> Chunk:
        target = Target(problem.backend, problem.device, problem.dtype)
        return place(target, y.dtype.kind == "i", X, y, weights)

    def _begin(self, first: bool) -> None:
        self.n_iter_ = 0
        if not first:
            return
        self.t_ = 0
        self.loss_curve_ = []
        self.best_loss_ = None if self.early_stopping else math.inf
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_validation_score_ = -math.inf if self.early_stopping else None

    def _keep(self, problem: Problem, params: Params) -> None:
        mlp: Any = problem.model
        self._network = Network(mlp, params)
        self.n_outputs_ = mlp.out_features
        self.n_layers_ = len(params) + 1
        self.out_activation_ = out_activation(problem.loss)

    def _resumed(self, problem: Problem) -> Any:
        state = getattr(self, "_optimizer_state", None)
        if state is None:
            return None

        def move(leaf: np.ndarray) -> Array:
            kind = problem.dtype if leaf.dtype.kind == "f" else leaf.dtype.name
            return problem.backend.asarray(leaf, dtype=kind, device=problem.device)

        return tree.map(move, state)

    # ---- what was learned

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Weight matrices (in, out), layer by layer, as NumPy arrays; with a leading axis of members in
        ensembles."""
        return [layer.weight for layer in self._learned()]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Bias vectors (out,), layer by layer, as NumPy arrays; with a leading axis of members in
        ensembles."""
        return [layer.bias for layer in self._learned() if layer.bias is not None]

    def _learned(self) -> Params:
        if not hasattr(self, "_network"):
            raise AttributeError("not fitted yet: call fit first")
        return self._network.host_params

    def to_mlp(self) -> tuple[MLP, Params]:
        """The network as ``(mlp, params)``, the parameters on the backend that trained them."""
        check_is_fitted(self)
        return self._network.mlp, self._network.params

    def _outputs(self, X: Any) -> tuple[Array, _inputs.Origin]:
        """The network's outputs for new rows, and where results go."""
        check_is_fitted(self)
        return self._network.outputs(_inputs.check_inputs(self, X, reset=False)), _inputs.origin_of(X)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_network")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        session = state.pop("_session", None)
        if session is not None:
            state["_optimizer_state"] = session.host_optimizer_state()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._session = None


def store(estimator: BaseEstimator, arguments: dict[str, Any]) -> None:
    """Keep the arguments of ``__init__`` under their names and as they are, as scikit-learn wants it."""
    for name, value in arguments.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)


def _moved(leaf: np.ndarray, target: Target) -> Array:
    return target.backend.asarray(leaf, dtype=target.dtype, device=target.device)
