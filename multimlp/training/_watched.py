"""Candidates of a sweep that callbacks watch: each has a run and copies of the callbacks of its own, and ends when they say so."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

import numpy as np

from multimlp import tree
from multimlp.backend import Array, Target, owner
from multimlp.callbacks import Callback, Run, watched, with_best
from multimlp.distributed import Placement
from multimlp.errors import InputError
from multimlp.training._candidates import Candidates
from multimlp.training._loop import Training
from multimlp.training._sources import Source
from multimlp.training.engines import Problem
from multimlp.tree import Tree


class MemberParams:
    """The parameters of a training's members as they are now, fetched once, and only if somebody asks."""

    def __init__(self, training: Training, target: Target) -> None:
        self._training, self._target = training, target
        self._fetched: Tree = None

    def host(self, place: int) -> Tree:
        """Those of one member, as NumPy arrays of its own."""
        if self._fetched is None:
            self._fetched = tree.map(self._target.backend.to_numpy, self._training.params())
        return tree.map(lambda leaf: np.array(leaf[place]), self._fetched)

    def __call__(self, place: int) -> Tree:
        """Those of one member, where it was trained."""
        target = self._target

        def move(leaf: np.ndarray) -> Array:
            return target.backend.asarray(leaf, dtype=target.dtype, device=target.device)

        return tree.map(move, self.host(place))


class Watched:
    """One candidate under way.

    Parameters
    ----------
    candidates : Candidates
    number : int
    epochs : int
    callbacks : sequence of Callback
        To be copied.

    Attributes
    ----------
    run : Run
    ended : bool
        Whether it has had enough.
    params : tree of numpy.ndarray
        Once it is left: the best, where a callback restores them, else the last.
    figures : dict of str to float
        Those after the epoch that ``params`` are of.
    """

    def __init__(
        self, candidates: Candidates, number: int, epochs: int, callbacks: Sequence[Callback]
    ) -> None:
        mlp = candidates.single(number)[0]
        self.run = Run(mlp, epochs, {}, lambda: None, number, candidates.settings(number))
        try:
            self._callbacks = [copy.deepcopy(callback) for callback in callbacks]
        except Exception as error:  # of anybody's objects
            raise InputError(
                f"callbacks: each candidate of a sweep has a copy of its own, and one cannot be copied: {error}"
            ) from error
        self.ended = False
        self.params: Tree = None
        self.figures: dict[str, float] = {}
        self._watch = ExitStack()

    def begin(self, params: MemberParams, place: int) -> None:
        """Before the first epoch; ``place`` is the member's."""
        self.run.freeze(params(place))
        self._watch.enter_context(watched(self.run, self._callbacks))
        self._end_if_enough(params, place)

    def after(self, figures: Mapping[str, float], params: MemberParams, place: int) -> None:
        """After an epoch: a diverged candidate ends, as its own fit would."""
        run = self.run
        run.epoch += 1
        run.record(figures)
        run.read_with(functools.partial(params, place))
        if math.isfinite(figures["loss"]):
            for callback in self._callbacks:
                callback.on_epoch_end(run)
        else:
            run.stop("diverged")
        self._end_if_enough(params, place)

    def _end_if_enough(self, params: MemberParams, place: int) -> None:
        if self.run.stopped is not None or self.run.epoch == self.run.epochs:
            self.ended = True
            self.leave(params, place)

    def leave(self, params: MemberParams, place: int) -> None:
        """Keep what there is, and say that it is over."""
        run = self.run
        diverged = run.epoch > 0 and not math.isfinite(run.history["loss"][-1])
        best = None if diverged else with_best(self._callbacks)
        epoch = run.epoch if best is None else getattr(best, "best_epoch", run.epoch)
        self.params = (
            params.host(place)
            if best is None
            else tree.map(lambda leaf: np.asarray(owner(leaf).to_numpy(leaf)), best.best_params)
        )
        self.figures = {
            name: values[epoch - 1] for name, values in run.history.items() if 0 < epoch <= len(values)
        }
        run.freeze(params(place))
        self.close()

    def close(self) -> None:
        """The callbacks hear of the end, if they have not."""
        self._watch.close()


def train_watched(
    candidates: Sequence[Watched],
    together: Problem,
    params: Tree,
    source: Source,
    target: Target,
    figures: Callable[[Tree, int], Mapping[str, np.ndarray]],
    placement: Callable[[int], Placement | None],
    advance: Callable[..., None],
) -> Training:
    """Train until each has had enough, or Ctrl-C; where few are left they go on in a smaller program.

    Parameters
    ----------
    candidates : sequence of Watched
    together : Problem
        Of them all.
    params : tree of arrays
        Where they start, with a leading axis.
    source : Source
    target : Target
    figures : callable
        Of parameters and the number of members: the validation figures, a number each.
    placement : callable
        As `multimlp.training._members.Members` has it.
    advance : callable
        ``advance(epochs of candidates, loss=...)``.

    Returns
    -------
    Training
        That of those who stayed the longest.
    """
    members = np.arange(len(candidates))
    training, epochs, epoch = Training(together, params), candidates[0].run.epochs, 0
    try:
        now = MemberParams(training, target)
        for i, candidate in enumerate(candidates):
            candidate.begin(now, i)
        going_on = np.asarray([not candidate.ended for candidate in candidates])
        while going_on.any():
            with training.epochs(source, epochs, epoch) as passes:
                for passed in passes:
                    epoch += 1
                    active = int(going_on.sum())
                    found = {"loss": passed.member_loss, **figures(training.params(), len(members))}
                    now = MemberParams(training, target)
                    for place in np.flatnonzero(going_on).tolist():
                        own = {name: float(values[place]) for name, values in found.items()}
                        candidates[int(members[place])].after(own, now, place)
                    going_on = np.asarray([not candidates[i].ended for i in members.tolist()])
                    left = int(going_on.sum())
                    # Whoever ends early has done with all his epochs.
                    advance(active + (active - left) * (epochs - epoch), loss=passed.loss)
                    if not left or worth_cutting(together, left, len(members)):
                        break
            if training.interrupted or not going_on.any():
                break
            members = members[going_on]
            problem = part_of(together, members)
            problem = dataclasses.replace(problem, placement=placement(len(members)))
            training, going_on = go_on_with(training, problem, going_on), going_on[going_on]
        now = MemberParams(training, target)
        for place in np.flatnonzero(going_on).tolist():
            candidates[int(members[place])].leave(now, place)
    finally:
        for candidate in candidates:
            candidate.close()
    return training


# ---- some of the members of a program ----------------------------------------------------------------------------------


def part_of(together: Problem, members: np.ndarray) -> Problem:
    """The problem of some of its members, by their places."""
    own = tuple((name, tuple(values[i] for i in members)) for name, values in together.own)
    return dataclasses.replace(together, members=len(members), own=own)


def worth_cutting(problem: Problem, active: int, members: int) -> bool:
    """Whether those that have had enough are to be left out: a program for another number is compiled anew, or laid out anew."""
    return active * (4 if problem.compiled else 2) <= members


def go_on_with(training: Training, problem: Problem, kept: np.ndarray) -> Training:
    """Go on with those members of a training, which ends, for which ``kept`` is true; ``problem`` is theirs."""
    steps, backend = training.steps, problem.backend
    params, state = training.finish()
    indices = backend.asarray(np.flatnonzero(kept), dtype="int32", device=problem.device)

    def take(leaf: Array) -> Array:
        return leaf if leaf.ndim == 0 else backend.xp.take(leaf, indices, axis=0)

    return Training(problem, tree.map(take, params), tree.map(take, state), steps)
