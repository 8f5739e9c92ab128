"""Estimators that differ in numbers alone, fitted together: each ends as its own ``fit`` would have made it, up to rounding."""

from __future__ import annotations

import copy
import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from multimlp import tree
from multimlp.backend import Array, Target
from multimlp.estimators import _parameters
from multimlp.estimators._base import BaseMLP
from multimlp.estimators._policy import DivergenceError, Improvement
from multimlp.estimators._solvers import full_batch
from multimlp.estimators._stopping import Holdout, split
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
    take_rows,
    worth_cutting,
)
from multimlp.training.engines import master_dtype
from multimlp.tree import Tree

NUMBERS = ("alpha", "learning_rate_init", "momentum", "beta_1", "beta_2", "epsilon", "dropout")
"""Parameters in which estimators that are fitted together may differ."""

_JUDGED_BYTES = 1 << 26
"""About how much may be in memory while members are judged by rows held out."""


def why_alone(estimator: BaseMLP) -> str | None:
    """Why an estimator cannot be fitted together with others, or None if it can."""
    if full_batch(estimator.solver):
        return f"the solver {estimator.solver!r} searches step lengths"
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
    unfinished : list of bool
        Whether each ended although there was not enough.
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
        self.unfinished = [False] * len(estimators)
        sound = [i for i, error in enumerate(self.errors) if error is None]
        if sound:
            lead = estimators[sound[0]]
            self._X, self._y, self._weights = lead._enter(X, y, sample_weight, True)
            lead._begin(True)
            group, self._target = lead._where(self._X)
            self._seed = lead._seed()
            self._holdout: Holdout | None = None
            learned = {k: v for k, v in vars(lead).items() if k not in lead.get_params(deep=False)}
            for i in sound:
                estimators[i].__dict__.update(copy.copy(learned), loss_curve_=[])
                estimators[i].validation_scores_ = copy.copy(lead.validation_scores_)
                estimators[i]._rate = float(estimators[i].learning_rate_init)
            if group is not None:
                self.alone = "several processes share each of its batches"
            elif self._target.dtype == "float16":
                self.alone = "float16 leaves out steps whose gradients overflow, and the members of a program count their steps together"
            if self.alone is None:
                self._fit(sound)
            else:
                self._fit_alone(sound)
        self.seconds = time.perf_counter() - started

    def _fit(self, sound: Sequence[int]) -> None:
        lead = self._estimators[sound[0]]
        target = self._target
        if lead.early_stopping:
            (self._X, self._y, self._weights), held = split(
                lead, (self._X, self._y, self._weights), self._seed
            )
            self._holdout = Holdout(*held)
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
            outcomes = _train(members, together[part], mlp, start, source, target, self._holdout)
            for place, (params, error, unfinished) in outcomes.items():
                i = sound[block + place]
                self.errors[i], self.unfinished[i] = error, unfinished
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
            except Exception as error:  # of anybody's callbacks and losses
                self.errors[i] = error


def _refused(estimator: BaseMLP) -> Exception | None:
    try:
        _parameters.check(estimator.get_params(deep=False))
    except ValueError as error:
        return error
    return None


class Outcome(NamedTuple):
    """What became of an estimator."""

    params: Tree
    error: Exception | None = None
    unfinished: bool = False
    """Whether training ended although there was not enough."""


class _OfMember(Improvement):
    """When one of them has had enough; who trains them all says what it has learned."""

    def __init__(self, estimator: BaseMLP, holdout: Holdout | None) -> None:
        super().__init__(estimator, None, holdout, 0)
        self._holdout = holdout

    def see(self, outputs: np.ndarray, params: Callable[[], Tree]) -> None:
        """Its outputs for the rows held out, and its parameters."""
        self._outputs, self._params = outputs, params

    def _score(self, holdout: Holdout) -> float:
        return holdout.note(self._outputs, self._params, self._estimator._score_of)

    @property
    def best_params(self) -> Tree:
        """By the rows held out; None without."""
        return None if self._holdout is None else self._holdout.best_params


def _train(
    estimators: Sequence[BaseMLP],
    problems: Sequence[Problem],
    mlp: MLP,
    start: Tree,
    source: InMemory,
    target: Target,
    holdout: Holdout | None,
) -> dict[int, Outcome]:
    """Train until each has had enough, as `multimlp.estimators._policy.Improvement` says it; by place."""
    together = _joined(estimators, problems, mlp)
    count, lead = len(estimators), estimators[0]
    members = np.arange(count)
    params = tree.map(lambda leaf: _repeated(leaf, count, target), start)
    training = Training(part_of(together, members), params)
    judges = [
        _OfMember(estimator, None if holdout is None else holdout.for_another()) for estimator in estimators
    ]
    done: dict[int, Outcome] = {}
    epoch = 0
    while len(done) < count:
        with training.epochs(source, lead.max_iter, epoch) as passes:
            for passed in passes:
                epoch = passed.number + 1
                active = [place for place, i in enumerate(members) if i not in done]
                now = functools.cache(training.params)
                outputs = {} if holdout is None else _outputs(holdout, mlp, now(), active)
                for place in active:
                    i = int(members[place])
                    own = functools.partial(_own, now, place)
                    if holdout is not None:
                        judges[i].see(outputs[place], own)
                    _record(estimators[i], float(passed.member_loss[place]), source)
                    ended = _ended(judges[i], estimators[i].loss_, own, epoch == lead.max_iter)
                    if ended is not None:
                        done[i] = ended
                if len(done) == count or worth_cutting(together, count - len(done), len(members)):
                    break
        if training.interrupted:
            raise KeyboardInterrupt
        if len(done) < count:
            kept = np.asarray([i not in done for i in members])
            members = members[kept]
            training = go_on_with(training, part_of(together, members), kept)
    return done


def _ended(judge: _OfMember, loss: float, own: Callable[[], Tree], last: bool) -> Outcome | None:
    """What became of an estimator after an epoch, the last one or not; None if it goes on."""
    try:
        judge.figures(loss)
    except DivergenceError as error:
        return Outcome(None, error)
    reason = judge.verdict()
    if reason is None and not last:
        return None
    best = judge.best_params
    return Outcome(own() if best is None else best, None, reason is None or judge.gave_up)


def _own(params: Callable[[], Tree], place: int) -> Tree:
    """The parameters of one member, of its own memory: they may be kept when those of the others are gone."""
    return tree.map(lambda leaf: take_rows(leaf, np.asarray([place]))[0, ...], params())


def _outputs(holdout: Holdout, mlp: MLP, params: Tree, places: Sequence[int]) -> dict[int, np.ndarray]:
    """What members say of the rows held out, so many of them at a time that memory holds what they compute."""
    each = max(1, _JUDGED_BYTES // (holdout.rows * sum((*mlp.hidden, mlp.out_features)) * 8))
    found: dict[int, np.ndarray] = {}
    for start in range(places[0], places[-1] + 1, each):
        stop = min(start + each, places[-1] + 1)
        some = tree.map(lambda leaf, part=slice(start, stop): leaf[part, ...], params)
        found |= zip(range(start, stop), holdout.outputs(mlp, some), strict=True)
    return found


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
