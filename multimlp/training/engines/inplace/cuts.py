"""Where the steps of one problem are cut for threads: the rule of `multimlp.training.engines.slices`, where it may be used."""

from __future__ import annotations

from typing import Any

from multimlp.backend import Kernels
from multimlp.training.engines.base import Problem
from multimlp.training.engines.inplace.layout import Layout
from multimlp.training.engines.slices import Rows, example_slices, weight_shares


class Cuts:
    """Where the steps of a problem are cut.

    Functions that are not multimlp's own see whole batches, on the thread that trains; so do the processes of a group, which are what the
    batch was cut for.

    Parameters
    ----------
    problem : Problem
    kernels : Kernels
    layout : Layout

    Attributes
    ----------
    own_threads : bool
        Whether the threads that make a step are ours, so that the library's are to rest.
    shares : tuple of tuple of Rows
        Of the weights.
    spans : list of slice
        Where the shares lie in the flat buffers.
    """

    def __init__(self, problem: Problem, kernels: Kernels, layout: Layout) -> None:
        self._problem, self._widths = problem, layout.widths
        shares, whole = (
            weight_shares(layout.rows),
            tuple(Rows(i, 0, n) for i, (n, _) in enumerate(layout.rows)),
        )
        self._allowed = True
        several = len(self.examples(problem.batch_size)) > 1
        # `kernels.cuts` last: it may have to look for the library's settings, which takes as long as many small steps.
        # Of members with numbers of their own each layer is one piece.
        worth = problem.group is None and not problem.own and (several or len(shares) > 1)
        self._allowed = worth and _is_known(problem) and kernels.cuts
        self.own_threads = several and self._allowed
        if not self._allowed or (kernels.own_threads and not self.own_threads):
            shares = (whole,)
        self.shares: tuple[tuple[Rows, ...], ...] = shares
        self.spans = [layout.span(share) for share in shares]

    def examples(self, batch: int) -> tuple[slice, ...]:
        """The slices of a batch of this size."""
        if not self._allowed:
            return (slice(0, batch),)
        problem = self._problem
        return example_slices(batch, self._widths, problem.members, problem.dtype)


def _is_known(problem: Problem) -> bool:
    model: Any = problem.model  # an `MLP`: see `coverage`
    functions = (problem.loss, problem.optimizer, *model.activations)
    return all(function.is_known for function in functions)
