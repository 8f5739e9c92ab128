"""The training steps of a group of processes: each makes the gradient of its rows in place, one sum joins them, then everything is as in
one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from multimlp.backend import Array, Call, Kernels
from multimlp.distributed import Group
from multimlp.training.engines.base import Chunk, Problem
from multimlp.training.engines.inplace.layout import Layout
from multimlp.training.engines.inplace.penalty import Penalty
from multimlp.training.engines.inplace.program import Program, block_steps, shares_of
from multimlp.training.engines.inplace.runs import Runs
from multimlp.training.engines.inplace.updates import Update
from multimlp.training.engines.slices import Rows
from multimlp.training.engines.sums import total


class GroupProgram:
    """Steps on batches of one size, of which this process takes some rows: one piece, or its shards one after the other.

    Parameters
    ----------
    problem : Problem
        With a group.
    kernels : Kernels
    buffers : (layout, p, g)
        Where the layers lie in the flat parameters and the flat gradient.
    update : Update
    penalties : callable
        As for `Program`.
    batch : int
        Examples of all processes.
    labels, weighted : bool
        As for `Program`.
    """

    def __init__(
        self,
        problem: Problem,
        kernels: Kernels,
        buffers: tuple[Layout, Array, Array],
        update: Update,
        penalties: Callable[[int], Sequence[Penalty]],
        batch: int,
        labels: bool,
        weighted: bool,
    ) -> None:
        group, (layout, p, g) = problem.group, buffers
        assert group is not None
        self._group, self._kernels, self._update, self._g = group, kernels, update, g
        self.batch = batch
        windows = group.windows(batch)
        # As long as a block of the largest piece of any process, so that shards do not feel how many processes there are.
        largest = -(-batch // (group.shards or group.size))
        self.steps = block_steps(kernels, largest, layout.widths[0] + layout.widths[-1])
        self._parts = [g] if len(windows) == 1 else [kernels.zeros(g.shape) for _ in windows]
        whole = (tuple(Rows(i, 0, count) for i, (count, _) in enumerate(layout.rows)),)
        self._pieces = [
            (
                window,
                Program(
                    problem,
                    kernels,
                    layout.blocks(p),
                    layout.blocks(part),
                    _Nothing(),
                    lambda steps: (),
                    (slice(0, window.size),),
                    whole,
                    labels,
                    weighted,
                    self.steps,
                    window,
                ),
            )
            for window, part in zip(windows, self._parts, strict=True)
            if window.size
        ]
        self._none = [0 if window.size else None for window in windows]
        self._penalties = penalties(self.steps)
        self._runs = Runs(kernels, [self._step(position) for position in range(self.steps)])
        self._no_loss = kernels.zeros((problem.members or 1,))

    def run(self, chunk: Chunk, rows: Array, first_step: int) -> Array:
        """Steps on the examples in ``rows``, at most a block of whole batches; shape (pieces + 1, members): the sum of what each piece of
        this process adds to the mean losses, and last the sum of the penalties. For `joined_losses`."""
        table, shares = rows.reshape((-1, self.batch)), shares_of(chunk.weights, rows, self.batch)
        steps = table.shape[0]
        self._update.prepare(steps)
        for window, program in self._pieces:
            weights = None if shares is None else shares[:, window.taken]
            program.load(chunk, table[:, window.taken].reshape((-1,)), weights)
            program.prepare(steps, first_step)
        self._runs(steps)
        found = self._kernels.zeros((len(self._none) + 1, *self._no_loss.shape))
        made = iter(self._pieces)
        for place, none in enumerate(self._none):
            if none is not None:
                found[place] = next(made)[1].losses(steps)
        for penalty in self._penalties:
            found[-1] += penalty.values(steps).sum(0)
        return found

    def _step(self, position: int) -> list[tuple[tuple[Call, ...], ...]]:
        """The phases of a block's ``position``-th step."""
        phases = [phase for _, program in self._pieces for phase in program.phases[position]]
        clip = self._update.clip
        ending = (
            self._sum,
            *(penalty.call(position) for penalty in self._penalties),
            *(() if clip is None else (clip,)),
            *self._update.calls(position, 0),
        )
        return [*phases, (ending,)]

    def _sum(self) -> None:
        """The gradient of all rows of all processes, in place of that of one's own."""
        g = self._g
        if not self._pieces:
            g[...] = 0
        found = total(self._group, self._kernels.backend, self._parts)
        if found is not g:
            g[...] = found


class _Nothing:
    """The ending of a step that leaves its gradient where it is."""

    clip: Call | None = None

    def prepare(self, steps: int) -> None:
        """Nothing."""

    def calls(self, position: int, share: int) -> Sequence[Call]:
        return ()


def joined_losses(group: Group, kernels: Kernels, losses: Array) -> Array:
    """The losses of all processes together, from what `GroupProgram.run` says of one's own pieces: shape (members,)."""
    *own, penalty = [losses[i] for i in range(losses.shape[0])]
    return total(group, kernels.backend, [kernels.copied(part) for part in own]) + penalty
