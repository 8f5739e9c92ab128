"""What classifier, regressor and their ensembles share: fitting and predicting as scikit-learn's multilayer
perceptrons do."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from multimlp import regularizers, tree
from multimlp.backend import Array, Target, array_namespace, owner, select
from multimlp.callbacks import as_callbacks, with_best
from multimlp.distributed import Group
from multimlp.errors import DataError, InputError
from multimlp.estimators import _inputs, _parameters, _policy
from multimlp.estimators._fitted_network import Network
from multimlp.estimators._sklearn_losses import out_activation
from multimlp.estimators._solvers import full_batch, optimizer_for
from multimlp.estimators._stopping import Holdout, split
from multimlp.losses import Loss
from multimlp.mlp import MLP, Params
from multimlp.training import (
    Agreement,
    InMemory,
    Ordering,
    Problem,
    Training,
    all_finite,
    check_rows_apart,
    compared,
    group_for,
    place,
    take_rows,
)
from multimlp.training.engines import initial_state, master_dtype
from multimlp.tree import Tree

LARGEST_BATCH = 200
"""What ``batch_size="auto"`` is, unless there are fewer rows."""


def is_stochastic(estimator: Any) -> bool:
    """Whether the solver works on batches; AttributeError if not, for methods that need it."""
    if full_batch(estimator.solver):
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic."
        )
    return True


def is_ensemble(estimator: Any) -> bool:
    """Whether several networks are trained at once; AttributeError if not, for methods that need it."""
    if not estimator._has_members:
        raise AttributeError("this is for ensembles; set n_members")
    return True


class BaseMLP(BaseEstimator):
    """Fitting and the way to the outputs; subclasses say what targets, losses and scores are."""

    loss: Any
    n_members: int | None
    devices: Any
    _numeric_targets = False
    _network: Network
    _training: Training | None
    """Under way, for `partial_fit` to go on with."""
    _paused: Paused | None
    """The same after unpickling."""
    _rate: float
    """The learning rate now."""
    _no_improvement_count: int
    _trained_as: Learned | None = None
    """What the outputs of the network mean; None while there is no network."""
    loss_curve_: list[float]
    best_validation_score_: Any
    t_: int

    # ---- what subclasses provide

    def _learn_targets(self, y: np.ndarray, first: bool, classes: Any) -> None:
        """Note classes or the number of outputs, or check that they are the same as before."""
        raise TypeError("a subclass says what it learns of its targets")

    def _encode(self, y: np.ndarray) -> np.ndarray:
        """The targets that the loss wants."""
        raise TypeError("a subclass says how it encodes its targets")

    def _loss_of(self, loss: Any) -> Loss:
        """The loss that a value of the parameter ``loss`` stands for."""
        raise TypeError("a subclass says what its losses are")

    def _width(self) -> int:
        """The number of outputs."""
        raise TypeError("a subclass says how many outputs it has")

    def _score_of(self, outputs: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None) -> float:
        """The validation score for outputs and encoded targets on the host."""
        raise TypeError("a subclass says what its score is")

    def _scaled(self, y: np.ndarray, weights: np.ndarray | None, first: bool) -> np.ndarray:
        """Encoded targets in the units that the network learns, which a first call settles."""
        return y

    def _in_units(self, params: Params) -> Params:
        """A network of NumPy arrays whose outputs are in the units of the targets."""
        return params

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        """What a validation split keeps in proportion."""
        return None

    def _weighted(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """The sample weights, class weights included."""
        return weights

    def _loss(self) -> Loss:
        """The loss to train with."""
        return self._loss_of(self.loss)

    def _outputs_loss(self) -> Loss:
        """The loss that the network was trained with, whatever the parameter says since: its outputs mean what that says."""
        return self._loss_of(self.loss if self._trained_as is None else self._trained_as.loss)

    # ---- ensembles

    def _seeds(self, seed: int) -> int | list[int]:
        """The seed of the initial parameters, or one for each member of an ensemble."""
        return seed if self.n_members is None else [seed + i for i in range(self.n_members)]

    def _mean(self, values: Array) -> Array:
        """One prediction of each row's: an ensemble's mean over its members."""
        return over_members(values, "mean") if self._has_members else values

    @property
    def _has_members(self) -> bool:
        return (self.n_members if self._trained_as is None else self._trained_as.n_members) is not None

    def _predicted(self, outputs: Array) -> Array:
        """Probabilities or predictions for the network's outputs: (n, k), (members, n, k) or (members, n)."""
        raise TypeError("a subclass says what it predicts")

    def _results(self, outputs: Array) -> dict[str, Array]:
        """All that is predicted for the network's outputs, by the names that an exported model gives it."""
        raise TypeError("a subclass says what it predicts")

    def _recorded(self) -> tuple[dict[str, Any], Callable[[Mapping[str, Array]], dict[str, Array]]]:
        """The inputs of an exported model, and the function that writes its graph."""
        from multimlp.interop.onnx import Input, held  # onnx is an extra

        network = self._network
        dtype, params = network.exported_dtype, network.host_params

        def graph(given: Mapping[str, Array]) -> dict[str, Array]:
            x = given["X"]
            xp = array_namespace(x)
            return self._results(network.mlp(tree.map(held, params), xp.astype(x, getattr(xp, dtype))))

        return {"X": Input(dtype, self.n_features_in_)}, graph

    @available_if(is_ensemble)
    def predict_members(self, X: Any) -> Array:
        """Each member's probabilities (members, n, k), or predictions (members, n) or (members, n, k)."""
        outputs, origin = self._outputs(X)
        return origin.give(self._predicted(outputs))

    @available_if(is_ensemble)
    def predict_spread(self, X: Any) -> Array:
        """The standard deviation over the members of what `predict_members` says."""
        outputs, origin = self._outputs(X)
        return origin.give(over_members(self._predicted(outputs), "std"))

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
        watchers = as_callbacks(self.callbacks)
        first = not (self.warm_start and hasattr(self, "_network"))
        X, y, weights = self._enter(X, y, sample_weight, first)
        if not first:
            self._same_network()
        self._begin(first)
        self._rate = float(self.learning_rate_init)
        group, target = self._where(X)
        seed, held = Agreement(group).number(self._seed()), None
        if self.early_stopping and not full_batch(self.solver):
            (X, y, weights), held = split(self, (X, y, weights), seed)
        mlp, params = self._fresh(X, target, seed) if first else self._moved(target)
        training = Training(self._problem(mlp, target, y, weights, seed, group), params)
        self._compare(training, X, y, weights)
        source = self._source(training.problem, X, y, weights, seed)
        holdout = None
        if held is not None:
            holdout = Holdout(*held, self.best_validation_score_, None if first else params)
        judge: _policy.Judge = (
            _policy.Convergence(self, training)
            if full_batch(self.solver)
            else _policy.Improvement(self, training, holdout, len(y))
        )
        with self._learning():
            _policy.train(self, training, source, len(y), judge, watchers)
        judged: Any = with_best(watchers) if holdout is None else holdout
        best = None if judged is None else judged.best_params
        self._training = self._paused = None
        if best is None and not full_batch(self.solver):
            self._training = training
        elif not full_batch(self.solver):  # `partial_fit` goes on from the best parameters
            self._paused = Paused.of(training)
        self._keep(training.problem, training.params() if best is None else best)
        return self

    @contextlib.contextmanager
    def _learning(self) -> Iterator[None]:
        """Inside, the network of ``loss`` and ``n_members`` is trained; what fails leaves the one there was as it was."""
        before, self._trained_as = self._trained_as, Learned(self.loss, self.n_members)
        try:
            yield
        except BaseException:
            self._trained_as = before
            raise

    def _fit_on(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Any:
        """One epoch over the rows given, going on from the last call."""
        _parameters.check(self.get_params(deep=False))
        if self.early_stopping:
            raise InputError("early_stopping: partial_fit does not support early_stopping=True")
        first = not hasattr(self, "_network")
        X, y, weights = self._enter(X, y, sample_weight, first, classes)
        if first:
            self._begin(True)
            self._rate = float(self.learning_rate_init)
        group, target = self._where(X)
        seed = Agreement(group).number(self._seed()) + self.t_
        if first:
            mlp, params = self._fresh(X, target, seed)
            training = Training(self._problem(mlp, target, y, weights, seed, group), params)
        else:
            training = self._continued(y, weights, seed, group)
        self._compare(training, X, y, weights)
        source = self._source(training.problem, X, y, weights, seed)
        judge = _policy.Improvement(self, training, None, len(y))
        self._training, self._paused = training, None
        try:
            _policy.train_once(self, training, source, len(y), judge)
        finally:
            self._keep(training.problem, training.params())
        return self

    def _continued(
        self, y: np.ndarray, weights: np.ndarray | None, seed: int, group: Group | None
    ) -> Training:
        """The training of the last call, or of the one that was pickled; its batches fit the rows of this call."""
        target, mlp, training = self._network.target, self._same_network(), self._training
        if training is not None:
            old = training.problem
            problem = self._problem(mlp, target, y, weights, old.seed, group, training.steps, old.optimizer)
            if getattr(problem.optimizer, "rule", None) != getattr(old.optimizer, "rule", None):
                return Training(problem, training.params(), steps=training.steps)  # it remembers other things
            if problem != old:
                training.go_on_with(problem)
            return training
        mlp, params = self._moved(target)
        if self._paused is None:
            return Training(self._problem(mlp, target, y, weights, seed, group), params)
        problem = self._problem(mlp, target, y, weights, self._paused.seed, group, self._paused.steps)
        state = on_target(self._paused.optimizer_state, target)
        fits = tree.structure(state) == tree.structure(initial_state(problem, params))
        return Training(problem, params, state if fits else None, self._paused.steps)

    def _enter(
        self, X: Any, y: Any, sample_weight: Any, first: bool, classes: Any = None
    ) -> tuple[Array, np.ndarray, np.ndarray | None]:
        """Checked inputs, encoded targets and weights, without the rows that weigh nothing."""
        inputs, labels = _inputs.check_pair(self, X, y, first, self._numeric_targets)
        if first:  # from here on classes and columns are those of another fit
            self.__dict__.pop("_network", None)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = column_or_1d(labels, warn=True)
        self._learn_targets(labels, first, classes)
        weights = _inputs.check_weights(sample_weight, len(labels))
        targets = self._encode(labels)  # which refuses labels that are no classes
        weights = self._weighted(labels, weights)
        if weights is not None and not np.all(weights > 0):
            kept = np.flatnonzero(weights > 0)
            if not len(kept):
                raise DataError(
                    "sample_weight: Sample weights are all zero, so there is nothing to learn from"
                )
            inputs, targets, weights = take_rows(inputs, kept), targets[kept], weights[kept]
        return inputs, self._scaled(targets, weights, first), weights

    def _seed(self) -> int:
        with _inputs.explained("random_state"):
            return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _target(self, X: Array) -> Target:
        natural = "float32" if str(X.dtype).rpartition(".")[2] == "float32" else "float64"
        return select(self.backend, self.device, self.dtype, [X], default_dtype=natural)

    def _where(self, X: Array) -> tuple[Group | None, Target]:
        """What training is shared by, and where this process computes."""
        return group_for(self.devices, None, self._target(X), self.device)

    def _compare(self, training: Training, X: Array, y: np.ndarray, weights: np.ndarray | None) -> None:
        """`DistributedError` unless all processes have the same data and parameters; the seed is the main process's."""
        problem = training.problem
        if problem.group is None:
            return
        dtype = problem.dtype
        target = Target(problem.backend, problem.device, master_dtype(dtype))
        check_rows_apart(problem.model, training.params(), problem.loss, (X, y, weights), target)
        given = {"X": X, "y": y, "sample_weight": weights, "params": training.params}
        own = {name: value for name, value in self.get_params(deep=False).items() if name != "random_state"}
        training.agreement.same_settings(lambda: compared(given, own, dtype))

    def _fresh(self, X: Array, target: Target, seed: int) -> tuple[MLP, Params]:
        mlp = self._mlp(int(X.shape[1]))
        dtype = master_dtype(target.dtype)
        return mlp, mlp.init(self._seeds(seed), target.backend, dtype, target.device)

    def _moved(self, target: Target) -> tuple[MLP, Params]:
        """The fitted network, its parameters where they are to be trained further."""
        return self._same_network(), on_target(self._network.host_params, target)

    def _same_network(self) -> MLP:
        """The network of the last call, with the activations and the dropout of now; `InputError` where it would be another one."""
        old = self._network.mlp
        new = self._mlp(old.in_features)
        members = old.members(self._network.host_params)
        if members != self.n_members:
            raise InputError(
                f"n_members: expected {members}, as in the last call, whose networks training goes on with, got {self.n_members!r}; "
                "clone the estimator to begin anew"
            )
        if new.shapes != old.shapes:
            raise InputError(
                "hidden_layer_sizes, activation, loss: training goes on with the network of the last call, whose arrays have the shapes "
                f"{list(old.shapes.values())}, got those of a network of {list(new.shapes.values())}; clone the estimator to begin anew"
            )
        return old if new == old else new

    def _problem(
        self,
        mlp: MLP,
        target: Target,
        y: np.ndarray,
        weights: np.ndarray | None,
        seed: int,
        group: Group | None,
        steps: int = 0,
        before: Any = None,
    ) -> Problem:
        """What is to be minimised on these rows, going on from so many steps of an optimiser."""
        rows = len(y)
        batch = rows if full_batch(self.solver) else self._batch(rows)
        weight_of_batch = batch * (1.0 if weights is None else float(weights.mean()))
        seeds = self._seeds(seed)
        return Problem(
            model=mlp,
            loss=self._loss(),
            optimizer=optimizer_for(self, self._rate, rows, batch, steps, before),
            regularizer=regularizers.l2(self.alpha / (2 * weight_of_batch)) if self.alpha else None,
            backend=target.backend,
            device=target.device,
            dtype=target.dtype,
            members=None if isinstance(seeds, int) else len(seeds),
            batch_size=batch,
            seed=seed,
            steps=self.max_iter * -(-rows // batch),
            group=group,
        )

    def _source(
        self, problem: Problem, X: Array, y: np.ndarray, weights: np.ndarray | None, seed: int
    ) -> InMemory:
        target = Target(problem.backend, problem.device, master_dtype(problem.dtype))
        shuffle = self.shuffle and not full_batch(self.solver)  # all rows at once have no order
        ordering = Ordering(seed, problem.batch_size, shuffle, drop_last=False)
        return InMemory(place(target, problem.loss, X, y, weights), ordering)

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

    def _begin(self, first: bool) -> None:
        self.n_iter_ = 0
        if first:
            self.t_ = 0
            self.loss_curve_ = []
            self._no_improvement_count = 0
            self._training = self._paused = None
        if first or (self.validation_scores_ is None) == self.early_stopping:
            self.best_loss_ = None if self.early_stopping else math.inf
            self.validation_scores_: list[float] | None = [] if self.early_stopping else None
            self.best_validation_score_ = -math.inf if self.early_stopping else None

    def _keep(self, problem: Problem, params: Params) -> None:
        mlp: Any = problem.model
        self._network = Network(mlp, params, problem.dtype)
        self._trained_as = Learned(self.loss, self.n_members)
        self.n_outputs_ = mlp.out_features
        self.n_layers_ = len(params) + 1
        self.out_activation_ = out_activation(problem.loss)

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
        return self._in_units(self._network.host_params)

    def to_mlp(self) -> tuple[MLP, Params]:
        """The network as ``(mlp, params)``, the parameters on the backend that trained them; outputs are in the targets' units."""
        check_is_fitted(self)
        params, host = self._network.params, self._network.host_params
        found = self._in_units(host)
        return self._network.mlp, params if found is host else self._network.moved(found)

    def _outputs(self, X: Any) -> tuple[Array, _inputs.Origin]:
        """The network's outputs for new rows, and where results go."""
        check_is_fitted(self)
        outputs = self._network.outputs(_inputs.check_inputs(self, X, reset=False))
        if not all_finite(outputs):
            row = int(np.argwhere(~np.isfinite(_inputs.to_host(outputs)))[0][-2])
            raise DataError(
                f"X: the network's outputs are NaN or infinite, first for row {row}; its values are too large for the dtype "
                "that the network computes in, or the parameters are not finite"
            )
        return outputs, _inputs.origin_of(X)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_network")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        training = state.pop("_training", None)
        if training is not None:
            state["_paused"] = Paused.of(training)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._training = None


class Learned(NamedTuple):
    """Parameters that say what a network's outputs mean, as they were when it was trained."""

    loss: Any
    n_members: int | None


@dataclass(frozen=True)
class Paused:
    """What a pickle keeps of a training, beside the parameters, so that it goes on as if nothing had happened."""

    optimizer_state: Tree
    """NumPy arrays."""
    seed: int
    """Of dropout."""
    steps: int

    @classmethod
    def of(cls, training: Training) -> Paused:
        host = tree.map(lambda leaf: np.array(owner(leaf).to_numpy(leaf)), training.optimizer_state())
        return cls(host, training.problem.seed, training.steps)


def on_target(arrays: Tree, target: Target) -> Tree:
    """NumPy arrays where training is to run; floating ones in the dtype that is kept there."""

    def move(leaf: np.ndarray) -> Array:
        dtype = master_dtype(target.dtype) if leaf.dtype.kind == "f" else leaf.dtype.name
        return target.backend.asarray(leaf, dtype=dtype, device=target.device)

    return tree.map(move, arrays)


def over_members(values: Array, statistic: str) -> Array:
    """``"mean"`` or ``"std"`` over the leading axis."""
    backend = owner(values)
    with backend.scope_of(values):
        return getattr(backend.xp, statistic)(values, axis=0)


def store(estimator: BaseEstimator, arguments: dict[str, Any]) -> None:
    """Keep the arguments of ``__init__`` under their names and as they are, as scikit-learn wants it."""
    for name, value in arguments.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)
