"""Estimators that differ in numbers alone, fitted together: each ends as its own ``fit`` would have made it, up to rounding."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Array, Target
from multimlp.estimators import _parameters
from multimlp.estimators._base import BaseMLP
from multimlp.estimators._policy import diverged
from multimlp.estimators._solvers import full_batch
from multimlp.mlp import MLP
from multimlp.optimizers import Optimizer
from multimlp.regularizers import Regularizer
from multimlp.training import (
    InMemory,
    Problem,
    Training,
    go_on_with,
    members_that_fit,
    part_of,
    worth_cutting,
)
from multimlp.training.engines import master_dtype
from multimlp.tree import Tree

NUMBERS = ("alpha", "learning_rate_init", "momentum", "beta_1", "beta_2", "epsilon", "dropout")
"""Parameters in which estimators that are fitted together may differ."""


def why_alone(estimator: BaseMLP) -> str | None:
    """Why an estimator cannot be fitted together with others, or None if it can."""
    if full_batch(estimator.solver):
        return f"the solver {estimator.solver!r} searches step lengths"
    if estimator.early_stopping:
        return "early_stopping=True scores rows of its own after each epoch"
    if estimator.solver == "sgd" and estimator.learning_rate != "constant":
        return f"learning_rate={estimator.learning_rate!r} changes as training goes"
    if estimator.n_members is not None:
        return "it is an ensemble itself"
    if estimator.warm_start or estimator.verbose or len(tuple(estimator.callbacks)):
        return "warm_start, verbose and callbacks are about one fit"
    return None


class Fitting:
    """Fits estimators of one shape on the same rows.

    Parameters
    ----------
    estimators : sequence of BaseMLP
        Unfitted; equal but for `NUMBERS`, and each fit to be fitted together (`why_alone`).
    X, y, sample_weight
        As for ``fit``.
    repeats : int
        How many such fittings there will be: whether it is worth compiling for.

    Attributes
    ----------
    errors : list
        What each raised, or None.
    seconds : float
        Of all of them together.
    alone : str or None
        Why they were fitted one by one nevertheless.
    """

    def __init__(
        self, estimators: Sequence[BaseMLP], X: Any, y: Any, sample_weight: Any, repeats: int = 1
    ) -> None:
        started = time.perf_counter()
        self._estimators = estimators
        self.alone: str | None = None
        self._given, self._repeats = (X, y, sample_weight), repeats
        self.errors: list[Exception | None] = [_refused(estimator) for estimator in estimators]
        sound = [i for i, error in enumerate(self.errors) if error is None]
        if sound:
            lead = estimators[sound[0]]
            self._X, self._y, self._weights = lead._enter(X, y, sample_weight, True)
            lead._begin(True)
            group, self._target = lead._where(self._X)
            self._seed = lead._seed()
            learned = {k: v for k, v in vars(lead).items() if k not in lead.get_params(deep=False)}
            for i in sound:
                estimators[i].__dict__.update(copy.copy(learned), loss_curve_=[])
                estimators[i]._rate = float(estimators[i].learning_rate_init)
            if group is not None:
                self.alone = "several processes share each of its batches"
            elif self._target.dtype == "float16":
                self.alone = "float16 has one loss scale, by which one estimator could stop the others"
            if self.alone is None:
                self._fit(sound)
            else:
                self._fit_alone(sound)
        self.seconds = time.perf_counter() - started

    def _fit(self, sound: Sequence[int]) -> None:
        lead = self._estimators[sound[0]]
        target = self._target
        mlp, start = lead._fresh(self._X, target, self._seed)
        problems = [
            self._estimators[i]._problem(mlp, target, self._y, self._weights, self._seed, None) for i in sound
        ]
        source = lead._source(problems[0], self._X, self._y, self._weights, self._seed)
        size = members_that_fit(
            mlp, problems[0].optimizer, problems[0].batch_size, master_dtype(target.dtype)
        )
        together = [dataclasses.replace(p, steps=(p.steps or 0) * self._repeats) for p in problems]
        for block in range(0, len(sound), size):
            part = slice(block, block + size)
            members = [self._estimators[i] for i in sound[part]]
            for place, (params, error) in _train(members, together[part], mlp, start, source, target).items():
                i = sound[block + place]
                self.errors[i] = error
                if error is None:
                    features = int(self._X.shape[1])
                    own = dataclasses.replace(
                        problems[block + place], model=self._estimators[i]._mlp(features)
                    )
                    self._estimators[i]._keep(own, params)

    def _fit_alone(self, places: Sequence[int]) -> None:
        for i in places:
            try:
                self._estimators[i].fit(*self._given)
            except ValueError as error:
                self.errors[i] = error


def _refused(estimator: BaseMLP) -> Exception | None:
    try:
        _parameters.check(estimator.get_params(deep=False))
    except ValueError as error:
        return error
    return None


Outcome = tuple[Tree, Exception | None]


def _train(
    estimators: Sequence[BaseMLP],
    problems: Sequence[Problem],
    mlp: MLP,
    start: Tree,
    source: InMemory,
    target: Target,
) -> dict[int, Outcome]:
    """Train until each has had enough, as `multimlp.estimators._policy.Improvement` says it; by place."""
    together = _joined(estimators, problems, mlp)
    count, lead = len(estimators), estimators[0]
    members = np.arange(count)
    params = tree.map(lambda leaf: _repeated(leaf, count, target), start)
    training = Training(part_of(together, members), params)
    best, waited = np.full(count, math.inf), np.zeros(count)
    done: dict[int, Outcome] = {}
    epoch = 0
    while len(done) < count:
        with training.epochs(source, lead.max_iter, epoch) as passes:
            for passed in passes:
                epoch = passed.number + 1
                active = np.asarray([i not in done for i in members])
                losses = passed.member_loss
                for place in np.flatnonzero(active):
                    _record(estimators[members[place]], float(losses[place]), source)
                value = losses[active]
                own = members[active]
                waited[own] = np.where(value > best[own] - lead.tol, waited[own] + 1, 0)
                best[own] = np.fmin(best[own], value)
                ended = active & ((waited[members] > lead.n_iter_no_change) | ~np.isfinite(losses))
                ended |= active & (epoch == lead.max_iter)
                if ended.any():
                    done.update(
                        _leaving(estimators, members, np.flatnonzero(ended), training.params(), losses)
                    )
                if len(done) == count or worth_cutting(together, count - len(done), len(members)):
                    break
        if training.interrupted:
            raise KeyboardInterrupt
        if len(done) < count:
            kept = np.asarray([i not in done for i in members])
            members = members[kept]
            training = go_on_with(training, part_of(together, members), kept)
    for i, estimator in enumerate(estimators):
        estimator.best_loss_ = float(best[i])
        estimator._no_improvement_count = int(waited[i])
    return done


def _joined(estimators: Sequence[BaseMLP], problems: Sequence[Problem], mlp: MLP) -> Problem:
    """One problem with a member for each estimator."""
    template: Any = max((p.optimizer for p in problems), key=lambda optimizer: len(optimizer.rule.slots))
    options = [_options(p.optimizer) for p in problems]
    own = {
        name: tuple(float(each[name]) for each in options)
        for name in options[0]
        if any(each[name] != options[0][name] for each in options)
    }
    penalties: list[Any] = [p.regularizer for p in problems]
    if any(penalties):
        own["l2"] = tuple(0.0 if penalty is None else penalty.l2 for penalty in penalties)
    if any(estimator.dropout for estimator in estimators):
        own["dropout"] = tuple(float(estimator.dropout) for estimator in estimators)
    limit = template.options.get("clip_norm")
    if limit is not None:
        own["clip_norm"] = (float(limit),) * len(problems)
    regularizer = Regularizer(0.0, 0.0) if any(penalties) else None
    return dataclasses.replace(
        problems[0], model=mlp, optimizer=template, regularizer=regularizer, own=tuple(own.items())
    )


def _options(optimizer: Optimizer) -> dict[str, Any]:
    """The numbers among the options."""
    return {
        name: value
        for name, value in optimizer.options.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _repeated(leaf: Array, count: int, target: Target) -> Array:
    host = np.asarray(target.backend.to_numpy(leaf))
    dtype = master_dtype(target.dtype)
    return target.backend.asarray(np.repeat(host[None], count, axis=0), dtype=dtype, device=target.device)


def _record(estimator: BaseMLP, loss: float, source: InMemory) -> None:
    estimator.n_iter_ += 1
    estimator.t_ += source.rows
    estimator.loss_ = loss
    estimator.loss_curve_.append(loss)


def _leaving(
    estimators: Sequence[BaseMLP],
    members: np.ndarray,
    places: np.ndarray,
    params: Tree,
    losses: np.ndarray,
) -> Iterator[tuple[int, Outcome]]:
    """The parameters of the members that have had enough, or why they have none."""
    for place in places:
        i = int(members[place])
        error = None if math.isfinite(losses[place]) else diverged(estimators[i])
        own = tree.map(lambda leaf, place=int(place): leaf[place, ...], params)
        yield i, (own, error)
