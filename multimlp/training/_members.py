"""Many networks of one shape, trained as the members of one program, as many at a time as memory holds."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from multimlp import tree
from multimlp.backend import Target
from multimlp.callbacks import Callback
from multimlp.distributed import Placement
from multimlp.mlp import MLP, Params
from multimlp.training._candidates import Candidates
from multimlp.training._figures import Evaluator
from multimlp.training._loop import Training
from multimlp.training._sources import Source
from multimlp.training._table import best_of
from multimlp.training._watched import Watched, train_watched
from multimlp.training.engines import Problem
from multimlp.tree import Tree

PROGRAM_BYTES = 1 << 28
"""About how much the arrays of a program's members may take."""
_MOST = 4096
"""Members of a program: beyond, no library gains anything."""
_EVALUATION_BYTES = 1 << 26


class Trained(NamedTuple):
    """What came of some candidates."""

    numbers: np.ndarray
    """Who they are, ascending."""
    figures: dict[str, np.ndarray]
    """The training loss and the validation figures, one number a candidate."""
    epochs: np.ndarray
    """How many each has made."""
    ended: np.ndarray
    """Whether each has made all its epochs, or was stopped by a callback."""
    kept: np.ndarray
    """Whose parameters there are, ascending."""
    params: Tree
    """NumPy arrays with a leading axis."""
    engine: str
    reason: str

    def best(self, score: str, higher: bool, keep: int | None) -> Trained:
        """With the parameters of so many of the best alone."""
        chosen = best_of(self.figures[score][np.searchsorted(self.numbers, self.kept)], higher, keep)
        params = tree.map(lambda leaf: leaf[chosen], self.params)
        return self._replace(kept=self.kept[chosen], params=params)

    def of(self, numbers: np.ndarray) -> Trained:
        """What came of those that are among ``numbers``."""
        mine, kept = np.isin(self.numbers, numbers), np.isin(self.kept, numbers)
        return self._replace(
            numbers=self.numbers[mine],
            figures={name: values[mine] for name, values in self.figures.items()},
            epochs=self.epochs[mine],
            ended=self.ended[mine],
            kept=self.kept[kept],
            params=tree.map(lambda leaf: leaf[kept], self.params),
        )


class Members:
    """Trains blocks of candidates, all on the same data.

    Parameters
    ----------
    candidates : Candidates
    problem : Problem
        Of one network: what is common to all.
    source : Source
    target : Target
        Where parameters live, in the dtype that they are kept in.
    epochs : int
    evaluator : Evaluator or None
    rows : int
        To validate on.
    size : int
        Candidates of a block.
    placement : callable
        Of a number of members: the devices that they lie on, or None; see `multimlp.training._devices.share_members`.
    callbacks : sequence of Callback
        Of which each candidate has copies.
    """

    def __init__(
        self,
        candidates: Candidates,
        problem: Problem,
        source: Source,
        target: Target,
        epochs: int,
        evaluator: Evaluator | None,
        rows: int,
        size: int,
        placement: Callable[[int], Placement | None],
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self._candidates, self._problem, self._source, self._target = candidates, problem, source, target
        self._epochs, self._evaluator, self._size = epochs, evaluator, size
        self._placement, self._callbacks = placement, callbacks
        per_member = max(1, rows) * sum((*problem.model.hidden, problem.model.out_features)) * 8  # type: ignore[attr-defined]
        self._evaluated = max(1, _EVALUATION_BYTES // per_member)

    def blocks(
        self, part: range, known: np.ndarray, advance: Callable[..., None]
    ) -> Iterator[tuple[Trained, bool]]:
        """The candidates of ``part`` that are not among ``known``, block by block, and whether Ctrl-C cut the block short; then it is the
        last.

        ``advance(epochs of candidates, loss=...)`` is called after each epoch.
        """
        count = -(-len(part) // self._size)
        bounds = [part.start + round(len(part) * i / max(count, 1)) for i in range(count + 1)]
        largest = max((stop - start for start, stop in itertools.pairwise(bounds)), default=0)
        for start, stop in itertools.pairwise(bounds):
            for missing in _runs(np.setdiff1d(np.arange(start, stop), known)):
                train = self._watched if self._callbacks else self._block
                trained, interrupted = train(missing.start, missing.stop, largest, advance)
                yield trained, interrupted
                if interrupted:
                    return

    def _together(self, part: slice) -> tuple[Problem, Params]:
        """The problem of some candidates, and where they start."""
        seeds = self._candidates.seeds(part)
        problem = dataclasses.replace(
            self._problem,
            optimizer=self._candidates.optimizer,
            members=len(seeds),
            own=self._candidates.own(part),
            placement=self._placement(len(seeds)),
        )
        return problem, starting_params(self._candidates.mlp, seeds, self._target)

    def _block(
        self, start: int, stop: int, largest: int, advance: Callable[..., None]
    ) -> tuple[Trained, bool]:
        # Where programs are compiled, each number of members is a program of its own: some are trained twice then.
        first = max(0, stop - largest) if self._problem.compiled else start
        own, count = slice(start - first, None), stop - start
        problem, params = self._together(slice(first, stop))
        training = Training(problem, params)
        losses, done = np.full(stop - first, np.nan), 0
        with training.epochs(self._source, self._epochs) as passes:
            for epoch in passes:
                losses, done = epoch.member_loss, done + 1
                advance(count, loss=epoch.loss)
        params, _ = training.finish()
        kept = tree.map(lambda leaf: np.array(self._target.backend.to_numpy(leaf)[own]), params)
        figures = {
            "loss": losses[own],
            **{k: v[own] for k, v in self._figures(params, stop - first).items()},
        }
        figures = _of_finite(figures, kept)
        numbers, epochs = np.arange(start, stop), np.full(count, done)
        ended = epochs == self._epochs
        trained = Trained(numbers, figures, epochs, ended, numbers, kept, training.engine, training.reason)
        return trained, training.interrupted

    def _watched(
        self, start: int, stop: int, largest: int, advance: Callable[..., None]
    ) -> tuple[Trained, bool]:
        """The same with callbacks."""
        numbers = np.arange(start, stop)
        watched = [Watched(self._candidates, int(i), self._epochs, self._callbacks) for i in numbers]
        together, params = self._together(slice(start, stop))
        training = train_watched(
            watched, together, params, self._source, self._target, self._figures, self._placement, advance
        )
        validated = () if self._evaluator is None else self._evaluator.names
        names = ["loss", *(f"val_{name}" for name in validated)]
        figures = {name: np.asarray([w.figures.get(name, np.nan) for w in watched]) for name in names}
        params = tree.map(lambda *leaves: np.stack(leaves), *(w.params for w in watched))
        figures = _of_finite(figures, params)
        trained = Trained(
            numbers,
            figures,
            np.asarray([w.run.epoch for w in watched]),
            np.asarray([w.ended for w in watched]),
            numbers,
            params,
            training.engine,
            training.reason,
        )
        return trained, training.interrupted

    def _figures(self, params: Params, members: int) -> dict[str, np.ndarray]:
        """The validation figures, of some members at a time."""
        if self._evaluator is None:
            return {}
        found: list[dict[str, np.ndarray]] = []
        for start in range(0, members, self._evaluated):
            part = slice(start, start + self._evaluated)
            some = (
                params if self._evaluated >= members else tree.map(lambda leaf, part=part: leaf[part], params)
            )
            found.append(self._evaluator.of_members(some))
        return {f"val_{name}": np.concatenate([f[name] for f in found]) for name in found[0]}


def _of_finite(figures: dict[str, np.ndarray], params: Tree) -> dict[str, np.ndarray]:
    """Those of candidates. The loss is NaN of one whose parameters are not finite, since its last steps made it diverge; and of one
    whose loss is not finite there is nothing to validate: outputs that are NaN are a class like another, and may be right."""
    losses = figures["loss"]
    finite = [np.isfinite(leaf).reshape((len(losses), -1)).all(axis=1) for leaf in tree.leaves(params)]
    losses = np.where(np.logical_and.reduce(finite), losses, np.nan)
    validated = {name: np.where(np.isfinite(losses), values, np.nan) for name, values in figures.items()}
    return {**validated, "loss": losses}


def _runs(numbers: np.ndarray) -> list[range]:
    """Ascending numbers as ranges.

    >>> _runs(np.asarray([1, 2, 5]))
    [range(1, 3), range(5, 6)]
    """
    cuts = np.flatnonzero(np.diff(numbers) != 1) + 1
    return [range(int(run[0]), int(run[-1]) + 1) for run in np.split(numbers, cuts) if len(run)]


def starting_params(mlp: MLP, seeds: Sequence[int] | np.ndarray, target: Target) -> Params:
    """``mlp.init`` with a member for each seed, those that come often drawn once."""
    once, places = np.unique(np.asarray(seeds), return_inverse=True)
    drawn = mlp.init(once.tolist(), "numpy", target.dtype)

    def place(leaf: Any) -> Any:
        return target.backend.asarray(leaf[places], dtype=target.dtype, device=target.device)

    return tree.map(place, drawn)  # type: ignore[no-any-return]


def members_that_fit(mlp: MLP, optimizer: Any, batch: int, dtype: str) -> int:
    """How many members a program may have: parameters, gradients, slots and temporaries, activations on their way there and back.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp.training._members import members_that_fit
    >>> members_that_fit(mm.MLP(64, 128, 10), mm.optimizers.adam(), 64, "float32")
    797
    """
    per_parameter = 4 + len(optimizer.rule.slots)
    per_row = 3 * (sum(mlp.hidden) + mlp.out_features)
    numbers = mlp.num_parameters * per_parameter + batch * per_row
    size = numbers * np.dtype(dtype).itemsize
    return max(1, min(_MOST, PROGRAM_BYTES // size))
