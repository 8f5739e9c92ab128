"""What `fit` asks of a training engine, and what an engine is told.

An engine owns the training state (parameters and optimiser slots) while `fit` runs and turns chunks of data into updates. Which one
runs is decided by `multimlp.training.engines.choose`: the engine of tables or the in-place one where they cover the problem, else the
portable one, which is compiled over a whole chunk where the backend can and runs step by step where it cannot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from multimlp.backend import Array, Backend, Function
from multimlp.distributed import Group, Placement
from multimlp.errors.shown import short_repr
from multimlp.tree import Tree


class Chunk(NamedTuple):
    """Examples on the device. In-memory training has one chunk, the whole data set; streaming has many."""

    inputs: Array
    """Shape (n, in_features), the parameters' dtype."""
    targets: Array
    """Shape (n,) or (n, k)."""
    weights: Array | None
    """Sample weights of shape (n,), or None."""

    def __repr__(self) -> str:
        return short_repr(self)


@dataclass(frozen=True)
class Problem:
    """Everything that stays the same during one run of `fit`.

    Attributes
    ----------
    model : callable
        ``model(params, X, key=None) -> outputs``; usually an `MLP`. A key switches dropout on.
    loss : Loss
        Per-example loss.
    optimizer : Optimizer
        ``init`` and ``update`` over trees.
    regularizer : callable or None
        ``regularizer(params)`` of shape (), or (members,) for an ensemble, added to each batch's mean loss.
    backend : Backend
    device : str or None
    dtype : str
        What the model runs in. Parameters, inputs, losses and the optimiser's state are kept in `master_dtype` of it.
    members : int or None
        Number of ensemble members (leading axis of every parameter), or None. The objective is the sum over members of the mean loss.
    batch_size : int
    seed : int
        Of dropout: the key of step t (counted over the whole run) is ``fold_in(key(seed), t)``.
    compiler : str or None
        A choice of compiler, as for `jit`; or ``"numba"``: an epoch as one call, see `multimlp.training.engines.tables`.
    steps : int or None
        About how many steps the run makes, if that is known: whether it is worth compiling for.
    group : Group or None
        The processes that share the work, and what rows of a batch each takes; None: this one makes whole batches alone. ``batch_size``,
        orders of rows and numbers of steps are those of all processes together.
    placement : Placement or None
        The devices of this process that the members of an ensemble lie on; None: one.
    own : tuple of (name, numbers)
        What each member has for itself, one number a member; see `multimlp.training.engines.own`.
    given_batches : bool
        Whether each chunk is a batch as the user gave it, of whatever size, and so one step; else chunks are cut.
    """

    model: Callable[..., Array]
    loss: Any
    optimizer: Any
    regularizer: Callable[[Tree], Array] | None
    backend: Backend
    device: str | None
    dtype: str
    members: int | None
    batch_size: int
    seed: int
    compiler: str | None = None
    steps: int | None = None
    group: Group | None = None
    placement: Placement | None = None
    own: tuple[tuple[str, tuple[float, ...]], ...] = ()
    given_batches: bool = False

    __repr__ = short_repr

    def batch_of(self, rows: int) -> int:
        """The size of the batches that so many rows of a chunk are cut into; what is left over is one smaller batch."""
        return max(rows, self.batch_size) if self.given_batches else self.batch_size

    @property
    def compiled(self) -> bool:
        """Whether programs are compiled: where that is the backend's fast way, or where the user chose a compiler."""
        if self.compiler is None:
            return self.backend.capabilities.epoch == "compiled"
        return self.compiler != "none"


def compile_program(problem: Problem, function: Function, state: int = 0) -> Function:
    """``function`` compiled, or as it is where programs are not compiled. Its first ``state`` inputs are given away."""
    if problem.placement is not None:
        return problem.placement.compile(function, problem.compiler, state)
    return (
        problem.backend.compile_in_place(function, problem.compiler, state) if problem.compiled else function
    )


class ChunkResult(NamedTuple):
    """Sums over the examples of a chunk, so that chunks add up; arrays may still be on their way. In a group those of all processes."""

    loss: Any
    """Sum over steps of (mean loss of the batch, regulariser included) x (number of examples); shape () or (members,)."""
    examples: int


class Engine(Protocol):
    """A way to run training steps."""

    @property
    def name(self) -> str:
        """For reports alone: ``"inplace"``, ``"numba"``, ``"compiled"``, ``"steps"`` or ``"full-batch"``; `fit` shows it as
        ``result.engine``."""

    @property
    def steps_per_call(self) -> float:
        """Most steps that one call of `run` should make, about a second's, `math.inf` if it must hear of a whole epoch. Between two calls
        Ctrl-C is heard. It follows from the problem alone; see `multimlp.training.engines.calls`."""

    @property
    def own_threads(self) -> bool:
        """Whether steps are shared by threads of ours, for which the threads of a library that look for more work are in the way."""

    def run(self, chunk: Chunk, order: np.ndarray, first_step: int) -> ChunkResult:
        """Train on ``chunk``'s rows in ``order`` (int array, host), `Problem.batch_of` of them at a time; the rest is one smaller batch.

        ``first_step`` is the number of steps done before, over the whole run; the optimiser's counter is its own affair. In a group
        every process is given the same rows in the same order.
        """

    def params(self) -> Tree:
        """The current parameters as the tree that came in; a copy or immutable, safe to keep."""

    def optimizer_state(self) -> Tree:
        """The optimiser's state in its canonical form, as ``optimizer.init`` makes it; safe to keep."""

    def finish(self) -> tuple[Tree, Tree]:
        """`params` and `optimizer_state` of an engine that is not used again, so without copies where they can be spared."""
