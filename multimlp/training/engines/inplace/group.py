"""The training steps of a group of processes: each makes the gradient of its rows in place, one sum joins them, then everything is as in
one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from multimlp.backend import Array, Call, Kernels, Phase, array_namespace
from multimlp.distributed import Group, Window
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
        # As long as a block of the largest piece of any process, so that shards do not feel how many processes there are.
        largest = -(-batch // (group.shards or group.size))
        self.steps = block_steps(kernels, largest, layout.widths[0] + layout.widths[-1])
        whole = (tuple(Rows(i, 0, count) for i, (count, _) in enumerate(layout.rows)),)

        def piece(window: Window, part: Array) -> Program | None:
            if not window.size:
                return None
            blocks, gradients, slices = layout.blocks(p), layout.blocks(part), (slice(0, window.size),)
            return Program(
                problem, kernels, blocks, gradients, _Nothing(), lambda steps: (), slices, whole, labels, weighted,
                self.steps, window,
            )  # fmt: skip

        self._windows = group.windows(batch)
        self._parts = [g] if len(self._windows) == 1 else [kernels.zeros(g.shape) for _ in self._windows]
        self._pieces = [piece(*pair) for pair in zip(self._windows, self._parts, strict=True)]
        self._penalties = penalties(self.steps)
        self._runs = Runs(kernels, [self._step(position) for position in range(self.steps)])
        self._no_loss = kernels.zeros((problem.members or 1,))

    def run(self, chunk: Chunk, rows: Array, first_step: int) -> Array:
        """Steps on the examples in ``rows``, at most a block of whole batches; shape (pieces + 1, members): the sum of what each piece of
        this process adds to the mean losses, and last the sum of the penalties. For `joined_losses`."""
        table, shares = rows.reshape((-1, self.batch)), shares_of(chunk.weights, rows, self.batch)
        steps = table.shape[0]
        self._update.prepare(steps)
        for window, piece in zip(self._windows, self._pieces, strict=True):
            if piece is not None:
                weights = None if shares is None else shares[:, window.taken]
                piece.load(chunk, table[:, window.taken].reshape((-1,)), weights)
                piece.prepare(steps, first_step)
        self._runs(steps)
        xp = array_namespace(self._g)
        losses = [self._no_loss if piece is None else piece.losses(steps) for piece in self._pieces]
        penalty = sum((penalty.values(steps).sum(0) for penalty in self._penalties), self._no_loss)
        # Of one dtype whoever has rows, since the processes add them up.
        return xp.stack(
            [xp.reshape(xp.asarray(part, dtype=self._g.dtype), (-1,)) for part in (*losses, penalty)]
        )

    def _step(self, position: int) -> list[Phase]:
        """The phases of a block's ``position``-th step."""
        phases = [phase for piece in self._pieces if piece is not None for phase in piece.phases[position]]
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
        if self._pieces == [None]:
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
