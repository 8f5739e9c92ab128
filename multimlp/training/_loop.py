"""The training loop, the only one: an engine is fed from a source, epoch by epoch, and never stopped half-way through a step.

What happens between two epochs is not its business. `multimlp.fit` and the estimators are two policies over it: they say what is recorded,
what is validated, and when there is enough.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from multimlp.backend import owner
from multimlp.errors import DataError
from multimlp.training._agreement import Agreement, checksum
from multimlp.training._sources import Source
from multimlp.training.engines import Problem, choose, master_dtype
from multimlp.tree import Tree


class Epoch(NamedTuple):
    """One pass over the data."""

    number: int
    """From 0."""
    loss: float
    """The mean over the examples of the training loss, regulariser included; see `mean_loss`."""
    member_loss: np.ndarray
    """That of each member of an ensemble; shape (members,), or (1,) for a single network."""


class Training:
    """Training under way: the parameters and the optimiser's state, and the engine that moves them.

    Parameters
    ----------
    problem : Problem
    params : tree of arrays
        Where it starts, on the problem's backend and device, in `master_dtype` of its dtype.
    optimizer_state : tree, optional
        To go on from; else the optimiser's first.
    steps : int
        Steps made before.

    Attributes
    ----------
    problem : Problem
    engine, reason : str
        The engine's name, and why it is this one.
    steps : int
        Steps made so far.
    interrupted : bool
        Whether Ctrl-C ended the last run of `epochs`.
    agreement : Agreement
        With the other processes of the problem's group.
    seconds : float
        What the epochs have taken so far, what happens between them apart.
    """

    def __init__(self, problem: Problem, params: Tree, optimizer_state: Tree = None, steps: int = 0) -> None:
        self.problem, self.steps = problem, steps
        self.interrupted = False
        self.agreement, self.seconds = Agreement(problem.group), 0.0
        if problem.group is not None:
            problem.group.clock.seconds = 0.0
        self._engine, self.reason = choose(problem, params, optimizer_state)

    def __repr__(self) -> str:
        where = f"{self.problem.backend.name}, {self.problem.dtype}"
        return f"<Training on {where}, {self.engine}: {self.steps} steps made>"

    @property
    def engine(self) -> str:
        return self._engine.name

    @property
    def own_threads(self) -> bool:
        return self._engine.own_threads

    def params(self) -> Tree:
        """The current parameters; safe to keep."""
        return self._engine.params()

    def optimizer_state(self) -> Tree:
        """The optimiser's state as ``optimizer.init`` makes it; safe to keep."""
        return self._engine.optimizer_state()

    def search(self) -> tuple[str, bool, int]:
        """Of an optimiser that needs the loss of all data as a function: why there is nothing left to do, empty while there is, whether
        that is because it has converged, and how often it has computed the loss."""
        engine: Any = self._engine
        found: tuple[str, bool, int] = engine.search()
        return found

    def finish(self) -> tuple[Tree, Tree]:
        """`params` and `optimizer_state`, without copies where they can be spared; the end of this training."""
        return self._engine.finish()

    def go_on_with(self, problem: Problem) -> None:
        """Solve another problem in the same parameters with the same optimiser's state: another learning rate or batch size."""
        params, state = self._engine.finish()
        self.problem, self.agreement = problem, Agreement(problem.group)
        self._engine, self.reason = choose(problem, params, state)

    @contextmanager
    def epochs(self, source: Source, stop: int, start: int = 0) -> Iterator[Iterator[Epoch]]:
        """``with training.epochs(source, stop) as epochs``: the epochs from ``start`` to ``stop - 1``, each made when it is asked for.

        Inside, the backend's settings are those of the problem's dtype. The first Ctrl-C ends the epochs after the steps under way,
        and `interrupted` says so; the epoch that it cuts short is not handed out. In a group all end at the same step.
        """
        with (
            self.agreement.one_run(),
            self.problem.backend.scope(master_dtype(self.problem.dtype)),
            _DeferredInterrupt() as interrupt,
        ):
            self.interrupted = False
            try:
                yield self._epochs(source, range(start, stop), interrupt)
            finally:
                if self.problem.group is None:
                    self.interrupted = interrupt.asked

    def _epochs(self, source: Source, numbers: range, interrupt: _DeferredInterrupt) -> Iterator[Epoch]:
        for number in numbers:
            started = time.perf_counter()
            total: Any = None
            examples = read = 0
            for chunk, order in source.epoch(number):
                if self.problem.group is not None and getattr(source, "unseen", False):
                    read = checksum(chunk, read)
                size = self.problem.batch_of(len(order))
                for rows in self._segments(order, size, interrupt):
                    result = self._engine.run(chunk, rows, self.steps)
                    self.steps += -(-len(rows) // size)
                    total = result.loss if total is None else total + result.loss
                    examples += result.examples
                if self.interrupted:
                    return
            if not examples:
                raise DataError(
                    f"X: no complete batch of {source.batch_size} rows to train on; use last_batch='keep'"
                )
            if self.problem.group is not None:
                self.agreement.same_params(self.params(), read)
            members = np.atleast_1d(np.asarray(owner(total).to_numpy(total), dtype=np.float64)) / examples
            self.seconds += time.perf_counter() - started
            yield Epoch(number, mean_loss(members), members)

    def _segments(
        self, order: np.ndarray, batch_size: int, interrupt: _DeferredInterrupt
    ) -> Iterator[np.ndarray]:
        """Parts of whole batches, small enough that Ctrl-C is heard soon, until it is; usually the whole order."""
        start = 0
        while start < len(order) or start == 0:
            steps = self._engine.steps_per_call
            self.interrupted = self.agreement.anybody(interrupt.asked)
            if self.interrupted:
                return
            stop = len(order) if math.isinf(steps) else start + int(steps) * batch_size
            yield order[start:stop]
            start = max(stop, 1)


def mean_loss(members: np.ndarray) -> float:
    """One number for the losses of an ensemble's members: the mean over those that are finite, over all where none is.

    So one member that diverges does not hide the others, and the number is finite as long as one of them learns.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.training._loop import mean_loss
    >>> mean_loss(np.asarray([1.0, np.nan, 2.0])), mean_loss(np.asarray([np.inf, np.inf]))
    (1.5, inf)
    """
    finite = members[np.isfinite(members)]
    return float(finite.mean() if finite.size else members.mean())


class _DeferredInterrupt:
    """Turns the first Ctrl-C into a flag, so that parameters are never half-updated; a second one acts at once."""

    asked = False

    def __enter__(self) -> _DeferredInterrupt:
        self._previous: Any = None
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
            if previous is signal.default_int_handler:
                self._previous = previous
                signal.signal(signal.SIGINT, self._handle)
        return self

    def _handle(self, signum: int, frame: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *exception: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
