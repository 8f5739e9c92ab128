"""The training loop: epochs, figures, patience, callbacks; what it learns it writes on the estimator."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from multimlp import random
from multimlp.callbacks import Callback, Run
from multimlp.errors import NonFiniteLossError
from multimlp.estimators._session import Session
from multimlp.estimators._solvers import optimizer_for
from multimlp.estimators._stopping import Holdout, Patience
from multimlp.training.engines import Chunk

SLOWEST_RATE = 1e-6
"""Where ``learning_rate="adaptive"`` gives up."""


def order(estimator: Any, seed: int, epoch: int, rows: int) -> np.ndarray:
    """The order of the rows in an epoch."""
    return random.host_permutation(seed, epoch, rows) if estimator.shuffle else np.arange(rows)


@contextmanager
def watched(watchers: Sequence[Callback], run: Run) -> Iterator[None]:
    """Tell callbacks where training begins and ends; Ctrl-C keeps what has been learned."""
    for watcher in watchers:
        watcher.on_fit_begin(run)
    try:
        yield
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=4)
    finally:
        for watcher in watchers:
            watcher.on_fit_end(run)


def record(estimator: Any, loss: float, rows: int) -> None:
    """Write the figures of one epoch on the estimator."""
    if not math.isfinite(loss):
        raise NonFiniteLossError(
            f"the training loss became {loss} in iteration {estimator.n_iter_ + 1}: lower "
            "learning_rate_init, "
            "or standardise the inputs (sklearn.preprocessing.StandardScaler)"
        )
    estimator.n_iter_ += 1
    estimator.t_ += rows
    estimator.loss_ = loss
    estimator.loss_curve_.append(loss)
    if estimator.best_loss_ is not None:
        estimator.best_loss_ = min(estimator.best_loss_, loss)
    if estimator.verbose:
        print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")


def run_epochs(
    estimator: Any,
    session: Session,
    chunk: Chunk,
    run: Run,
    watchers: Sequence[Callback],
    holdout: Holdout | None,
    seed: int,
) -> None:
    """Train until the figure stops improving, a callback stops it, or ``max_iter`` epochs are done."""
    rows = int(chunk.inputs.shape[0])
    rate = float(estimator.learning_rate_init)
    steps = -(-rows // session.problem.batch_size)
    best = math.inf if holdout is not None else estimator.best_loss_
    patience = Patience(estimator.tol, estimator.n_iter_no_change, best)
    for epoch in range(estimator.max_iter):
        loss = session.epoch(chunk, order(estimator, seed, epoch, rows))
        record(estimator, loss, rows)
        figure, figures = loss, {"loss": loss}
        if holdout is not None:
            score = _score(estimator, session, holdout)
            figure, figures["val_score"] = -score, score
        _tell(run, watchers, figures)
        if run.stopped is not None:
            return
        if patience.exhausted(figure):
            if not _adaptive(estimator) or rate <= SLOWEST_RATE:
                run.stop(_say(estimator, "Stopping."))
                return
            rate /= 5.0
            _say(estimator, f"Setting learning rate to {rate:f}")
            session.use(optimizer_for(estimator, rate, rows, steps))
            patience.reset()
    warnings.warn(
        f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
        "optimization hasn't converged yet.",
        ConvergenceWarning,
        stacklevel=4,
    )


def run_full_batch(
    estimator: Any, session: Session, chunk: Chunk, run: Run, watchers: Sequence[Callback]
) -> None:
    """L-BFGS iterations until converged, ``max_iter`` iterations or ``max_fun`` evaluations are done."""
    rows = int(chunk.inputs.shape[0])
    for _ in range(estimator.max_iter):
        loss = session.epoch(chunk, np.arange(rows))
        record(estimator, loss, rows)
        _tell(run, watchers, {"loss": loss})
        state = session.optimizer_state()
        if state.message or run.stopped is not None:
            return
        if state.evaluations >= estimator.max_fun:
            break
    warnings.warn(
        f"lbfgs failed to converge after {estimator.n_iter_} iterations; increase max_iter or "
        "max_fun, or scale the data",
        ConvergenceWarning,
        stacklevel=4,
    )


def _adaptive(estimator: Any) -> bool:
    return estimator.solver == "sgd" and estimator.learning_rate == "adaptive"


def _score(estimator: Any, session: Session, holdout: Holdout) -> float:
    mlp: Any = session.problem.model
    score = holdout.score(mlp, session.params(), estimator._score_of)
    estimator.validation_scores_.append(score)
    estimator.best_validation_score_ = np.fmax(estimator.best_validation_score_, score)
    if estimator.verbose:
        print(f"Validation score: {score:f}")
    return score


def _say(estimator: Any, then: str) -> str:
    what = "Validation score" if estimator.early_stopping else "Training loss"
    reason = (
        f"{what} did not improve more than tol={estimator.tol:f} for {estimator.n_iter_no_change} "
        f"consecutive epochs. {then}"
    )
    if estimator.verbose:
        print(reason)
    return reason


def _tell(run: Run, watchers: Sequence[Callback], figures: dict[str, float]) -> None:
    run.epoch += 1
    for name, value in figures.items():
        run.history.setdefault(name, []).append(value)
    for watcher in watchers:
        watcher.on_epoch_end(run)
