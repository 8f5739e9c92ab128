"""What the estimators do between two epochs: figures, patience, callbacks; what it learns it writes on the estimator."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from multimlp.callbacks import Callback, Run, watched
from multimlp.errors import NonFiniteLossError
from multimlp.estimators._solvers import optimizer_for
from multimlp.estimators._stopping import Holdout, Patience
from multimlp.training import Source, Training

SLOWEST_RATE = 1e-6
"""Where ``learning_rate="adaptive"`` gives up."""


class DivergenceError(NonFiniteLossError, ValueError):
    """Training diverged; a ValueError too, as scikit-learn raises it."""


class Judge(Protocol):
    """Says after each epoch whether there is enough."""

    def figures(self, loss: float) -> dict[str, float]:
        """What there is to report beside the loss."""

    def verdict(self) -> str | None:
        """Why to stop now, or None."""

    gave_up: bool
    """Whether it ended training although there was not enough."""

    def unfinished(self) -> str:
        """What to warn of where it gave up, or the number of epochs has ended training."""


def train(
    estimator: Any, training: Training, source: Source, rows: int, judge: Judge, watchers: Sequence[Callback]
) -> None:
    """Train until the judge or a callback stops it, or ``max_iter`` epochs are done."""
    run = Run(training.problem.model, estimator.max_iter, {}, training.params)
    run.is_main = training.agreement.is_main
    with watched(run, watchers), training.epochs(source, estimator.max_iter) as epochs:
        run.stopped = training.agreement.stopped(run.stopped)
        for epoch in epochs if run.stopped is None else ():
            _record(estimator, training, epoch.loss, rows)
            run.epoch += 1
            run.record({"loss": epoch.loss, **judge.figures(epoch.loss)})
            for watcher in watchers:
                watcher.on_epoch_end(run)
            run.stopped = training.agreement.stopped(run.stopped)
            reason = judge.verdict() if run.stopped is None else None
            if reason is not None:
                run.stop(reason)
            if run.stopped is not None:
                break
    if training.interrupted:
        warnings.warn("Training interrupted by user.", stacklevel=3)
    elif run.stopped is None or judge.gave_up:
        warnings.warn(judge.unfinished(), ConvergenceWarning, stacklevel=3)


def train_once(estimator: Any, training: Training, source: Source, rows: int, judge: Judge) -> None:
    """One epoch, which nobody watches and nothing ends: `partial_fit`. Ctrl-C is raised after it."""
    estimator.n_iter_ = 0
    with training.epochs(source, 1) as epochs:
        for epoch in epochs:
            _record(estimator, training, epoch.loss, rows)
            judge.figures(epoch.loss)
            judge.verdict()
    if training.interrupted:
        raise KeyboardInterrupt


def _record(estimator: Any, training: Training, loss: float, rows: int) -> None:
    estimator.n_iter_ += 1
    estimator.t_ += rows
    estimator.loss_ = loss
    estimator.loss_curve_.append(loss)
    if estimator.verbose and training.agreement.is_main:
        print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")


def diverged(estimator: Any) -> DivergenceError:
    """The error for a loss that is no finite number."""
    return DivergenceError(
        f"the training loss became {estimator.loss_} in iteration {estimator.n_iter_}. Solver produced non-finite parameter "
        "weights. The input data may contain large values and need to be preprocessed. Lower learning_rate_init, or "
        "standardise the inputs (sklearn.preprocessing.StandardScaler)"
    )


_DIVERGED = "Training diverged. The best parameters before are kept."


def _keep_best(estimator: Any, loss: float) -> None:
    if not math.isfinite(loss):
        raise diverged(estimator)
    if estimator.best_loss_ is not None:
        estimator.best_loss_ = min(estimator.best_loss_, loss)


class Improvement:
    """For solvers that work on batches: enough when the loss, or the score of the rows held out, improves no more."""

    def __init__(self, estimator: Any, training: Any, holdout: Holdout | None, rows: int) -> None:
        self._estimator, self._training, self._holdout, self._rows = estimator, training, holdout, rows
        best = estimator.best_loss_ if holdout is None else -holdout.best
        self._patience = Patience(
            estimator.tol,
            estimator.n_iter_no_change,
            math.inf if best is None else best,
            estimator._no_improvement_count,
        )
        self._figure = math.inf
        self.gave_up = False

    def figures(self, loss: float) -> dict[str, float]:
        estimator = self._estimator
        if self._holdout is None:
            _keep_best(estimator, loss)
            self._figure = loss
            return {}
        score = self._score(self._holdout)
        if math.isnan(score) and self._holdout.best_params is None:
            raise diverged(estimator)
        estimator.validation_scores_.append(score)
        estimator.best_validation_score_ = np.fmax(estimator.best_validation_score_, score)
        if estimator.verbose and self._training.agreement.is_main:
            print(f"Validation score: {score:f}")
        self._figure = -score
        return {"val_score": score}

    def _score(self, holdout: Holdout) -> float:
        """The score of the parameters of now, which the holdout keeps if it is the best."""
        model, params = self._training.problem.model, self._training.params()
        return holdout.note(holdout.outputs(model, params), lambda: params, self._estimator._score_of)

    def verdict(self) -> str | None:
        estimator = self._estimator
        if math.isnan(self._figure):
            self.gave_up = True
            return _DIVERGED
        exhausted = self._patience.exhausted(self._figure)
        estimator._no_improvement_count = self._patience.waited
        if not exhausted:
            return None
        if not _adaptive(estimator) or estimator._rate <= SLOWEST_RATE:
            return self._say("Stopping.")
        estimator._rate /= 5.0
        self._say(f"Setting learning rate to {estimator._rate:f}")
        training = self._training
        problem = training.problem
        optimizer = optimizer_for(estimator, estimator._rate, self._rows, problem.batch_size)
        training.go_on_with(dataclasses.replace(problem, optimizer=optimizer))
        self._patience.waited = estimator._no_improvement_count = 0
        return None

    def unfinished(self) -> str:
        if self.gave_up:
            return _DIVERGED
        return (
            f"Stochastic Optimizer: Maximum iterations ({self._estimator.max_iter}) reached and the "
            "optimization hasn't converged yet."
        )

    def _say(self, then: str) -> str:
        estimator = self._estimator
        what = "Training loss" if self._holdout is None else "Validation score"
        reason = (
            f"{what} did not improve more than tol={estimator.tol:f} for {estimator.n_iter_no_change} "
            f"consecutive epochs. {then}"
        )
        if estimator.verbose and self._training.agreement.is_main:
            print(reason)
        return reason


class Convergence:
    """For L-BFGS: enough when it has converged, or computed the loss ``max_fun`` times."""

    def __init__(self, estimator: Any, training: Training) -> None:
        self._estimator, self._training = estimator, training
        self.gave_up, self._stuck = False, ""

    def figures(self, loss: float) -> dict[str, float]:
        _keep_best(self._estimator, loss)
        return {}

    def verdict(self) -> str | None:
        message, converged, evaluations = self._training.search()
        if message:
            self._stuck = "" if converged else message
            self.gave_up = not converged
            return message
        self.gave_up = evaluations >= self._estimator.max_fun
        return f"The loss was computed {evaluations} times." if self.gave_up else None

    def unfinished(self) -> str:
        if self._stuck:
            return (
                f"lbfgs failed to converge: {self._stuck} in iteration {self._estimator.n_iter_}, at a kink of the loss or where "
                f"{self._training.problem.dtype} rounds it; scale the data, give float64, or use a smooth activation"
            )
        return (
            f"lbfgs failed to converge after {self._estimator.n_iter_} iterations; increase max_iter or "
            "max_fun, or scale the data"
        )


def _adaptive(estimator: Any) -> bool:
    return estimator.solver == "sgd" and estimator.learning_rate == "adaptive"
