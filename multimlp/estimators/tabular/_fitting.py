"""One network of a table: trained, with the parameters of its best epoch kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Target
from multimlp.blocks import Chain
from multimlp.callbacks import Callback, Run, watched, with_best
from multimlp.estimators._fitted_network import Network
from multimlp.estimators._inputs import to_host
from multimlp.estimators._policy import DivergenceError
from multimlp.losses import Loss
from multimlp.training import InMemory, Ordering, Problem, Training, all_finite, place
from multimlp.training.engines import master_dtype
from multimlp.tree import Tree

Judge = Callable[[np.ndarray], float]
"""How bad outputs for the rows held out are; lower is better."""


@dataclass(frozen=True)
class Plan:
    """How a network is trained."""

    loss: Loss
    optimizer: Any
    epochs: int
    batch_size: int
    drop_last: bool
    """Whether an epoch leaves out the last of its rows, which fill no batch."""
    steps: int
    """Of all epochs."""
    patience: float
    """Epochs without a better one, after which training ends."""
    seed: int
    target: Target


@dataclass(frozen=True)
class Fitted:
    """What became of it."""

    network: Network
    epoch: int
    """The best one, from 1."""
    losses: list[float]
    errors: list[float]
    interrupted: bool = False
    """Whether Ctrl-C ended it early."""


def fit(
    chain: Chain,
    params: Tree,
    plan: Plan,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    held: np.ndarray | None,
    judge: Judge,
    callbacks: Sequence[Callback],
    number: int | None = None,
) -> Fitted:
    """Train on rows, judge after each epoch by the outputs for those held out, and keep the best (of equals the last, though an equal one
    is no reason to go on); with none held out those that a callback restores, or the last. ``number`` is which of several networks it is.

    Raises
    ------
    DivergenceError
        If the loss becomes NaN or infinite before an epoch was judged.
    KeyboardInterrupt
        If there is no whole epoch when Ctrl-C ends it.
    """
    target = plan.target
    master = Target(target.backend, target.device, master_dtype(target.dtype))
    batch = min(plan.batch_size, len(rows[1]))
    problem = Problem(
        chain, plan.loss, plan.optimizer, None, target.backend, target.device, target.dtype, None, batch, plan.seed,
        steps=plan.steps,
    )  # fmt: skip
    training = Training(problem, params)
    source = InMemory(place(master, plan.loss, *rows), Ordering(plan.seed, batch, True, plan.drop_last))
    losses: list[float] = []
    errors: list[float] = []
    best: tuple[float, int, Tree] = (math.inf, 0, None)
    improved = 0  # the epoch of the last error that was below all before
    run = Run(chain, plan.epochs, {}, training.params, number)
    with watched(run, callbacks), training.epochs(source, plan.epochs) as epochs:
        for epoch in epochs if run.stopped is None else ():
            run.epoch += 1
            losses.append(epoch.loss)
            figures = {"loss": epoch.loss}
            if not math.isfinite(epoch.loss):
                if best[2] is None:
                    raise DivergenceError(
                        f"the training loss became {epoch.loss} in epoch {run.epoch}; lower the learning rate"
                    )
                run.stop("the loss became NaN or infinite")
            elif held is not None:
                now = training.params()
                outputs = np.asarray(to_host(Network(chain, now).outputs(held)))
                error = judge(outputs) if np.isfinite(outputs).all() else math.nan
                errors.append(error)
                figures["val_error"] = error
                improved = run.epoch if error < best[0] else improved
                if error <= best[0]:
                    best = error, run.epoch, now
            run.record(figures)
            for watcher in callbacks:
                watcher.on_epoch_end(run)
            if held is not None and run.epoch - improved > plan.patience:
                run.stop(f"no better epoch in {plan.patience:g}")
            if run.stopped is not None:
                break
    if training.interrupted and not run.epoch:
        raise KeyboardInterrupt
    number_of_best, kept = best[1] or run.epoch, best[2]
    restoring = with_best(callbacks) if held is None else None
    if restoring is not None:
        number_of_best, kept = getattr(restoring, "best_epoch", number_of_best), restoring.best_params
    params = training.params() if kept is None else kept
    if not all(map(all_finite, tree.leaves(params))):
        raise DivergenceError(
            f"the parameters became infinite or NaN in epoch {run.epoch}; lower the learning rate"
        )
    return Fitted(Network(chain, params, target.dtype), number_of_best, losses, errors, training.interrupted)
