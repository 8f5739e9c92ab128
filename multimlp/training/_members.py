"""Many networks of one shape, trained as the members of one program, as many at a time as memory holds."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from multimlp import tree
from multimlp.backend import Target
from multimlp.distributed import Placement
from multimlp.mlp import MLP, Params
from multimlp.training._candidates import Candidates
from multimlp.training._evaluation import Evaluator
from multimlp.training._loop import Training
from multimlp.training._sources import Source
from multimlp.training.engines import Problem
from multimlp.tree import Tree

PROGRAM_BYTES = 1 << 28
"""About how much the arrays of a program's members may take."""
_MOST = 4096
"""Members of a program: beyond, no library gains anything."""
_EVALUATION_BYTES = 1 << 26


class Trained(NamedTuple):
    """What came of a block of candidates."""

    figures: dict[str, np.ndarray]
    """The training loss and the validation figures, one number a candidate."""
    params: Tree
    """NumPy arrays with a leading axis."""
    epochs: int
    engine: str
    reason: str


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
    ) -> None:
        self._candidates, self._problem, self._source, self._target = candidates, problem, source, target
        self._epochs, self._evaluator, self._size = epochs, evaluator, size
        self._placement = placement
        per_member = max(1, rows) * sum((*problem.model.hidden, problem.model.out_features)) * 8  # type: ignore[attr-defined]
        self._evaluated = max(1, _EVALUATION_BYTES // per_member)

    def blocks(self, part: range, advance: Callable[..., None]) -> Iterator[tuple[range, Trained]]:
        """The candidates of ``part``, block by block; one that Ctrl-C cuts short is the last.

        ``advance(candidates, loss=...)`` is called after each epoch.
        """
        count = -(-len(part) // self._size)
        bounds = [part.start + round(len(part) * i / max(count, 1)) for i in range(count + 1)]
        largest = max((stop - start for start, stop in itertools.pairwise(bounds)), default=0)
        for start, stop in itertools.pairwise(bounds):
            trained, interrupted = self._block(start, stop, largest, advance)
            yield range(start, stop), trained
            if interrupted:
                return

    def _block(
        self, start: int, stop: int, largest: int, advance: Callable[..., None]
    ) -> tuple[Trained, bool]:
        # Where programs are compiled, each number of members is a program of its own: some are trained twice then.
        first = max(0, stop - largest) if self._problem.compiled else start
        part, own = slice(first, stop), slice(start - first, None)
        seeds = self._candidates.seeds(part)
        members = len(seeds)
        problem = dataclasses.replace(
            self._problem,
            optimizer=self._candidates.optimizer,
            members=members,
            own=self._candidates.own(part),
            placement=self._placement(members),
        )
        training = Training(problem, starting_params(self._candidates.mlp, seeds, self._target))
        losses, done = np.full(members, np.nan), 0
        with training.epochs(self._source, self._epochs) as passes:
            for epoch in passes:
                losses, done = epoch.member_loss, done + 1
                advance(stop - start, loss=epoch.loss)
        params, _ = training.finish()
        figures = {"loss": losses[own], **{k: v[own] for k, v in self._figures(params, members).items()}}
        kept = tree.map(lambda leaf: np.array(self._target.backend.to_numpy(leaf)[own]), params)
        return Trained(figures, kept, done, training.engine, training.reason), training.interrupted

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
