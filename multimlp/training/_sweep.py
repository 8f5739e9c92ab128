"""Sweeps: many candidates of one shape trained as one program."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from multimlp import losses, optimizers, regularizers, tree
from multimlp import metrics as metric_table
from multimlp._terminal import progress as progress_bar
from multimlp.backend import Backend, select
from multimlp.callbacks import as_callbacks
from multimlp.distributed import Communicator, Group, beat, one_run, resuming_from
from multimlp.errors import InputError
from multimlp.errors.checks import check_whole, flag, refuse
from multimlp.errors.close import did_you_mean
from multimlp.mlp import MLP
from multimlp.training._agreement import Agreement, Rounds
from multimlp.training._candidates import Candidates
from multimlp.training._described import described
from multimlp.training._devices import share_members
from multimlp.training._examples import Examples
from multimlp.training._figures import Evaluator, metric_name
from multimlp.training._members import Members, Trained, members_that_fit
from multimlp.training._settings import described_if_possible, settings_of
from multimlp.training._setup import (
    check_batches,
    check_compile,
    check_metrics,
    check_outputs,
    check_regularizer,
    check_stream,
    default_figures,
    source_and_rows,
)
from multimlp.training._sources import Batches, place
from multimlp.training._sweep_checkpoint import SweepCheckpoint, check_place
from multimlp.training._sweep_result import SweepResult
from multimlp.training._table import Table, best_of
from multimlp.training.engines import Problem, master_dtype
from multimlp.tree import Tree


def sweep(
    mlp: MLP,
    grid: Any,
    X: Any,
    y: Any = None,
    devices: Any = None,
    loss: Any = "cross_entropy",
    optimizer: Any = "adam",
    epochs: int = 10,
    batch_size: int | None = 128,
    validation: Any = 0.1,
    seed: int = 0,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
    progress: bool = True,
    *,
    callbacks: Sequence[Any] = (),
    checkpoint: Any = None,
    score: str | None = None,
    keep: int | None = None,
    members_per_program: int | None = None,
    sample_weight: Any = None,
    regularizer: Any = None,
    metrics: Sequence[Any] | None = None,
    shuffle: bool = True,
    last_batch: str = "keep",
    compile: str | None = None,  # noqa: A002 - as in `fit`
) -> SweepResult:
    """Train many candidates of one shape, that differ in numbers, as the members of one program.

    Parameters
    ----------
    mlp : MLP
    grid : mapping of str to sequence, or sequence of mappings
        ``{"seed": range(8), "learning_rate": [0.01, 0.001]}`` means all combinations, the last name running fastest; a sequence is of
        the candidates themselves, each a mapping. The settings:

        * ``"seed"``: of the initial parameters;
        * the numbers among the optimiser's options, ``"learning_rate"``, ``"weight_decay"`` (or ``"decay"``), ``"momentum"``,
          ``"beta1"``, ``"clip_norm"``, ...;
        * ``"l1"``, ``"l2"``: strengths of the penalties of `multimlp.regularizers.elastic_net`;
        * ``"dropout"``.
    X, y, loss, epochs, batch_size, validation, backend, device, dtype, sample_weight, metrics, shuffle, last_batch, compile
        As for `multimlp.fit`.
    devices : "all", int or sequence of str, optional
        The processes that share the candidates, as for `multimlp.fit`: each is given the same, trains a contiguous part of them, with no
        communication on the way, and gets the whole result.
    optimizer : str or Optimizer
        What candidates have in common; any but L-BFGS. A schedule is common to all.
    seed : int
        Of all that candidates have in common: the validation split, the order of the rows, the masks of dropout, and the initial
        parameters if ``"seed"`` is not in the grid.
    progress : bool
    callbacks : sequence of Callback or callable
        Each candidate has copies of its own (of a function itself), which get its own `multimlp.callbacks.Run`, with its ``candidate`` and
        ``settings``; `multimlp.callbacks.EarlyStopping` ends each candidate when its own fit would have ended. Where several processes
        share the candidates, they run on the one that trains it.
    checkpoint : path, optional
        A folder, in which each block of candidates is kept when it is done, whole or not at all; if it exists, the sweep goes on with
        those that are missing, on any number of processes. One that belongs to another sweep is refused. Choose ``members_per_program``
        so that a block takes no longer than what you can afford to lose. The folder may be removed when the sweep is done.
    score : str, optional
        The column of the table by which candidates are compared; default: ``"val_loss"``, or without validation ``"loss"``.
    keep : int, optional
        Keep the parameters of so many of the best candidates alone; default: of all.
    members_per_program : int, optional
        How many candidates are trained at once; default: as many as fit into 256 MiB. Results do not depend on it, but for rounding
        in some libraries.
    regularizer : Regularizer, optional
        What candidates have in common; any, where neither ``"l1"`` nor ``"l2"`` is in the grid.

    Returns
    -------
    SweepResult

    Raises
    ------
    InputError, ShapeError, DTypeError, DataError, BackendError
        For arguments that do not fit, before anything is trained.
    DistributedError
        If another process was given other data, another grid or other arguments, or is gone.

    Notes
    -----
    Candidate i is trained as a fit of its own is: its parameters are, up to rounding, those of ``mm.fit(result.mlp(i), X, y, loss,
    result.optimizer(i), epochs, ..., seed=seed, params=mlp.init(seed_i), regularizer=result.regularizer(i))``. Candidates share
    batches and random words, so that their scores differ by their settings and not by luck; for other luck, change ``seed``. One that
    diverges does not touch the others.

    Where a callback restores the best parameters, a candidate's figures are those of that epoch, so that candidates are compared by the
    parameters that they have in the result.

    Ctrl-C ends the sweep after the steps under way; what has been trained is in the result (``result.stopped == "interrupted"``).

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> X = np.asarray([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> y = np.asarray([0, 1, 1, 0])
    >>> grid = {"seed": range(3), "learning_rate": [0.0001, 0.05]}
    >>> result = mm.sweep(mm.MLP(2, 8, 2), grid, X, y, epochs=100, validation=None, progress=False)
    >>> len(result), result.best.settings["learning_rate"], result.best.score < 0.1
    (6, 0.05, True)
    >>> mm.predict(result.mlp(), result.params(), X).argmax(-1).tolist()
    [0, 1, 1, 0]
    """
    started = time.perf_counter()
    if not isinstance(mlp, MLP):
        raise refuse("mlp", "an MLP", mlp)
    rule = optimizers.get(optimizer)
    if rule.full_batch:
        raise InputError(
            f"optimizer: {rule.name!r} searches one step length for all parameters, so members cannot have their own; "
            "use a first-order optimizer such as 'adam'"
        )
    batch_size = check_batches(batch_size, last_batch)
    epochs, seed = check_whole("epochs", epochs, low=1), check_whole("seed", seed, low=0)
    shuffle, progress = flag("shuffle", shuffle), flag("progress", progress)
    keep = None if keep is None else check_whole("keep", keep, low=1)
    watchers = as_callbacks(callbacks)
    if checkpoint is not None:
        check_place(checkpoint)
    loss_rule, penalty = losses.get(loss), regularizers.get(regularizer)
    candidates = Candidates(mlp, rule, penalty, grid, seed)
    examples = Examples(X, y, sample_weight, validation)
    if examples.streamed:
        check_stream(last_batch, rule)
    figures = default_figures(loss_rule, mlp) if metrics is None else check_metrics(metrics)
    chosen = select(backend, device, dtype, examples.arrays)
    if chosen.dtype == "float16":
        raise InputError(
            "dtype: float16 leaves out steps whose gradients overflow, and members count their steps together, so that none would be "
            "trained as a fit of its own is; use 'bfloat16' or 'float32'"
        )
    check_compile(compile, chosen.backend)
    communicator, placement, chosen = share_members(devices, chosen, device)
    target = replace(chosen, dtype=master_dtype(chosen.dtype))
    source, rows, held = source_and_rows(
        mlp, loss_rule, examples, target, batch_size, shuffle, last_batch == "drop", seed
    )
    first: Any = mlp.init([seed], target.backend, target.dtype, target.device)
    check_outputs(mlp, first, loss_rule, rows, held, target, figures)
    check_regularizer(penalty, first, 1, target)
    figures = [] if held is None else figures
    names = ["loss", *([] if held is None else ["val_loss", *(f"val_{metric_name(m)}" for m in figures)])]
    score, higher = _direction(score, names, figures)
    fitting = members_that_fit(mlp, rule, source.batch_size, target.dtype)
    size = (
        fitting
        if members_per_program is None
        else check_whole("members_per_program", members_per_program, low=1)
    )
    mine = range(
        candidates.count * communicator.rank // communicator.size,
        candidates.count * (communicator.rank + 1) // communicator.size,
    )
    planned = None if examples.streamed else epochs * -(-int(rows[0].shape[0]) // source.batch_size)
    problem = Problem(
        mlp, loss_rule, rule, penalty, target.backend, target.device, chosen.dtype, None, source.batch_size, seed, compile,
        planned, given_batches=examples.streamed,
    )  # fmt: skip
    evaluator = None
    if held is not None:
        evaluator = Evaluator(mlp, loss_rule, figures, target.backend, place(target, loss_rule, *held))
    held_rows = 0 if held is None else int(held[1].shape[0])
    members = Members(
        candidates, problem, source, target, epochs, evaluator, held_rows, size, placement, watchers
    )
    found = _Collected(candidates, names, score, higher, keep, target.dtype)
    settings = partial(
        settings_of, problem, first, examples, held, figures, watchers, source.order or shuffle, last_batch,
        grid=described(candidates.columns), epochs=epochs, score=score, keep=keep,
    )  # fmt: skip
    if communicator.size > 1:
        Agreement(Group(communicator)).same_settings(
            lambda: settings(
                described_if_possible,
                backend=target.backend.name,
                compile=compile,
                checkpoint=checkpoint is not None,
            )
        )
    keeper = None
    if checkpoint is not None:
        template = tree.map(lambda leaf: target.backend.to_numpy(leaf)[0], first)
        keeper = SweepCheckpoint(checkpoint, settings(), candidates.count, template, names)
        for trained in keeper.load(mine):
            found.add(trained)
    if isinstance(source, Batches):
        source.check_epochs(epochs * -(-len(mine) // size))
    rounds = Rounds(communicator)
    shown = communicator.rank == 0 and progress
    with one_run(communicator), resuming_from(checkpoint):
        with progress_bar(len(mine) * epochs, "sweeping", shown) as bar:

            def advance(count: int, **figures: float) -> None:
                beat()
                bar.advance(count, **figures)
                rounds.at_work()

            known = np.flatnonzero(found.ended)
            if len(known):
                bar.advance(len(known) * epochs)
            for trained, interrupted in members.blocks(mine, known, advance):
                done = found.best(trained)
                if keeper is not None and not interrupted:
                    keeper.save(done)
                found.add(done)
        rounds.wait()
        found.share(communicator, mine)
    return SweepResult(
        table=found.table(),
        score=score,
        higher_is_better=higher,
        engine=found.engine,
        engine_reason=found.reason,
        backend=target.backend.name,
        device=target.device or target.backend.device_name(tree.leaves(first)[0]),
        dtype=chosen.dtype,
        members_per_program=min(size, candidates.count),
        stopped=None if found.ended.all() else "interrupted",
        seconds=time.perf_counter() - started,
        candidates=candidates,
        kept=found.kept,
        host_params=found.params,
        target=target,
    )


def _direction(score: Any, names: Sequence[str], figures: Sequence[Any]) -> tuple[str, bool]:
    """The column to compare by, and whether higher is better there."""
    if score is None:
        return ("val_loss" if "val_loss" in names else "loss"), False
    if not isinstance(score, str) or score not in names:
        raise InputError(
            f"score: expected one of {', '.join(names)}, got {score!r}{did_you_mean(str(score), names)}"
        )
    higher = {f"val_{metric_name(m)}": metric_table.get(m).higher_is_better for m in figures}
    return score, higher.get(score, False)


class _Collected:
    """The figures of all candidates, and the parameters of those that are kept."""

    def __init__(
        self,
        candidates: Candidates,
        names: Sequence[str],
        score: str,
        higher: bool,
        keep: int | None,
        dtype: str,
    ) -> None:
        self._candidates, self._score, self._higher, self._keep = candidates, score, higher, keep
        self._dtype = dtype
        self.figures = {name: np.full(candidates.count, np.nan) for name in names}
        self.epochs = np.zeros(candidates.count, dtype=np.int64)
        self.ended = np.zeros(candidates.count, dtype=bool)
        self.kept = np.zeros(0, dtype=np.int64)
        self.params: Tree = None
        self.engine, self.reason = "none", "no candidate was this process's"

    def add(self, trained: Trained) -> None:
        for name in self.figures:
            self.figures[name][trained.numbers] = trained.figures[name]
        self.epochs[trained.numbers], self.ended[trained.numbers] = trained.epochs, trained.ended
        self.engine, self.reason = trained.engine, trained.reason
        self._extend(trained.kept, trained.params)

    def best(self, trained: Trained) -> Trained:
        """With the parameters of those alone that may be kept."""
        return trained.best(self._score, self._higher, self._keep)

    def _extend(self, numbers: np.ndarray, params: Tree) -> None:
        kept = np.concatenate([self.kept, numbers])
        order = np.argsort(kept)  # so that of equal ones the first are kept, whoever was trained first
        chosen = order[best_of(self.figures[self._score][kept[order]], self._higher, self._keep)]
        joined = params
        if self.params is not None:
            joined = tree.map(lambda *leaves: np.concatenate(leaves), self.params, params)
        self.kept, self.params = kept[chosen], tree.map(lambda leaf: leaf[chosen], joined)

    def share(self, group: Communicator, mine: range) -> None:
        """Every process learns what the others have found."""
        if group.size == 1:
            return
        columns = [*self.figures.values(), self.epochs, self.ended]
        largest = -(-self._candidates.count // group.size)
        own = np.zeros((len(columns), largest))
        own[:, : len(mine)] = [column[mine.start : mine.stop] for column in columns]
        everyone = group.gather(own.ravel()).reshape((group.size, len(columns), largest))
        count = self._candidates.count
        bounds = [count * rank // group.size for rank in range(group.size + 1)]
        for rank, (start, stop) in enumerate(itertools.pairwise(bounds)):
            for column, values in zip(columns, everyone[rank], strict=True):
                column[start:stop] = values[: stop - start]
        self._share_params(group, largest)

    def _share_params(self, group: Communicator, largest: int) -> None:
        most = largest if self._keep is None else min(largest, self._keep)
        template = self.params
        if template is None:  # none of them was this process's; what the others gather is of one dtype
            template = self._candidates.mlp.init([0], "numpy", self._dtype)
        leaves, rebuild = tree.flatten(template)
        numbers = np.full(most, -1.0)
        numbers[: len(self.kept)] = self.kept
        kept = group.gather(numbers).astype(np.int64)
        found = []
        for leaf in leaves:
            own = np.zeros((most, *leaf.shape[1:]), dtype=leaf.dtype)
            own[: len(self.kept)] = leaf[: len(self.kept)]
            everyone = group.gather(own.ravel()).reshape((-1, *leaf.shape[1:]))
            found.append(everyone[kept.ravel() >= 0])
        self.kept, self.params = np.zeros(0, dtype=np.int64), None
        self._extend(kept[kept >= 0], rebuild(found))

    def table(self) -> Table:
        return Table(
            {
                "candidate": np.arange(self._candidates.count),
                **self._candidates.columns,
                **self.figures,
                "epochs": self.epochs,
            }
        )
