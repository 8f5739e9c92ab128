"""All rows of a data set, cut into pieces whose losses and gradients are added up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp.backend import Array, Call, Kernels, array_namespace
from multimlp.distributed import Window
from multimlp.losses import total_weight
from multimlp.training.engines.base import Chunk, Problem
from multimlp.training.engines.inplace.heads import SoftmaxHead, head_for
from multimlp.training.engines.inplace.layout import Layout
from multimlp.training.engines.inplace.program import Program
from multimlp.training.engines.slices import Rows

_PIECE_BYTES = 1 << 18
"""About how large the activations of a piece are, so that they stay in the cache."""
_LEAST_ROWS = 256
"""Smaller pieces are bound by calls."""
_RESIDENT_BYTES = 1 << 28
"""Inputs up to this size are laid out once; larger ones piece by piece whenever they are wanted, and do not lie in memory twice."""


class Pieces:
    """``run(step)`` leaves the gradient in ``g`` and returns the loss.

    The pieces have one size, which the problem alone decides; where the rows do not divide, the last piece is filled up with rows of
    weight 0. With dropout all rows are one piece, because their mask is drawn as one.

    Parameters
    ----------
    problem : Problem
    kernels : Kernels
    layout : Layout
    p, g : array, shape (layout.size,)
        The flat parameters and gradient.
    chunk : Chunk
    window : Window, optional
        Of the rows of the chunk those that count, at least one, as shares of the loss of all.
    """

    def __init__(
        self,
        problem: Problem,
        kernels: Kernels,
        layout: Layout,
        p: Array,
        g: Array,
        chunk: Chunk,
        window: Window | None = None,
    ) -> None:
        model: Any = problem.model  # an `MLP`: see `coverage`
        everyone = int(chunk.inputs.shape[0])
        self._window = window or Window(0, everyone, everyone)
        rows = self._window.size
        itemsize = np.dtype(kernels.dtype).itemsize
        self._count = (
            1 if model.dropout else count_of(rows, (sum(model.hidden) + model.out_features) * itemsize)
        )
        self.batch = batch = -(-rows // self._count)
        size = self._count * batch * chunk.inputs.shape[1] * itemsize
        resident = self._count == 1 or size <= _RESIDENT_BYTES
        self._total = None if self._count == 1 else g
        gradient = g if self._total is None else kernels.zeros(g.shape)
        weighted = chunk.weights is not None or self._count > 1 or window is not None
        self._program = Program(
            problem,
            kernels,
            layout.blocks(p),
            layout.blocks(gradient),
            _Sum(gradient, self._total),
            lambda steps: (),
            (slice(0, batch),),
            (tuple(Rows(i, 0, count) for i, (count, _) in enumerate(layout.rows)),),
            chunk.targets.ndim == 1 and head_for(problem.loss) is SoftmaxHead,
            weighted,
            self._count if resident else 1,
            window,
        )
        self._chunk = chunk
        taken = self._window.start + np.minimum(np.arange(self._count * batch), rows - 1)
        self._rows = kernels.indices(taken)
        self._weights = self._shares(kernels, rows, batch) if weighted else None
        if resident:
            self._program.load(chunk, self._rows, self._weights)

    def run(self, step: int) -> float:
        """The loss, penalty apart; ``step`` is the key of dropout."""
        if self._total is not None:
            self._total[...] = 0
        program = self._program
        if program.steps == self._count:
            return float(program.run_loaded(self._count, step))
        assert self._weights is not None
        value = 0.0
        for i in range(self._count):
            rows = self._rows[i * program.batch : (i + 1) * program.batch]
            program.load(self._chunk, rows, self._weights[i : i + 1])
            value += float(program.run_loaded(1, step))
        return value

    def _shares(self, kernels: Kernels, rows: int, batch: int) -> Array:
        """How much each row counts, the ones that fill up not at all; shape (pieces, batch)."""
        weights = self._chunk.weights
        filled = np.arange(self._count * batch) < rows
        if weights is None:
            shares = filled / self._window.rows
            backend = kernels.backend
            found = backend.asarray(shares, dtype=kernels.dtype, device=kernels.device)
        else:
            xp = array_namespace(weights)
            found = xp.take(weights, self._rows, axis=0) / total_weight(weights)
            found[rows:] = 0
        return found.reshape((self._count, batch))


class _Sum:
    """The ending of a step that adds its gradient to a total, or leaves it where it is."""

    clip: Call | None = None

    def __init__(self, gradient: Array, total: Array | None) -> None:
        self._gradient, self._total = gradient, total

    def prepare(self, steps: int) -> None:
        """Nothing."""

    def calls(self, position: int, share: int) -> Sequence[Call]:
        return [] if self._total is None else [self._add]

    def _add(self) -> None:
        self._total += self._gradient


def count_of(rows: int, row_bytes: int) -> int:
    """Into how many pieces rows are cut whose activations take so many bytes each."""
    least = max(_LEAST_ROWS, _PIECE_BYTES // row_bytes)
    return math.ceil(rows / least)
