"""Training: `fit` turns a model, data, a loss and an optimiser into trained parameters, the same way on every backend."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from multimlp import losses, optimizers, regularizers, tree
from multimlp._terminal import progress as progress_bar
from multimlp.backend import Array, Backend, select
from multimlp.callbacks import Run, as_callbacks, watched, with_best
from multimlp.distributed import resuming_from
from multimlp.errors import NonFiniteLossError
from multimlp.errors.checks import check_whole, flag, refuse
from multimlp.errors.shown import shown
from multimlp.mlp import Model, Params
from multimlp.training._agreement import Agreement
from multimlp.training._checkpoint import Checkpoint, check_place
from multimlp.training._devices import GroupReport, group_for
from multimlp.training._examples import Examples
from multimlp.training._figures import Evaluator
from multimlp.training._loop import Training
from multimlp.training._rows import all_finite
from multimlp.training._settings import described_if_possible, settings_of
from multimlp.training._setup import (
    check_batches,
    check_compile,
    check_metrics,
    check_outputs,
    check_regularizer,
    check_rows_apart,
    check_stream,
    default_figures,
    initial_params,
    source_and_rows,
)
from multimlp.training._several import as_one_input
from multimlp.training._sources import Batches, place
from multimlp.training.engines import Problem, initial_state, master_dtype
from multimlp.tree import Tree

logger = logging.getLogger("multimlp")


@dataclass(eq=False)
class FitResult:
    """What `fit` returns.

    Attributes
    ----------
    params : tree of arrays
        The trained parameters (the best ones, if a callback restores them).
    history : dict of str to list of float
        ``loss`` (mean training loss of each epoch, regulariser included), ``val_loss`` and ``val_`` metrics.
    engine : str
        ``"inplace"``, ``"numba"``, ``"compiled"``, ``"steps"`` or ``"full-batch"``; ``engine_reason`` says why.
    backend, device, dtype : str
    epochs : int
        Epochs completed, those of a resumed checkpoint included.
    stopped : str or None
        Why training ended early, if it did.
    seconds : float
        Wall time of this call.
    member_loss : numpy.ndarray or None
        An ensemble's training loss of the last epoch, one number per member.
    group : GroupReport or None
        The processes that shared the work, and how much of the time they spent on communicating.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> X, y = np.asarray([[0.0], [1.0], [2.0], [3.0]]), np.asarray([0, 0, 1, 1])
    >>> result = mm.fit(mm.MLP(1, 4, 2), X, y, epochs=3, validation=None, backend="numpy", progress=False)
    >>> result.epochs, len(result.history["loss"]), result.backend, result.dtype
    (3, 3, 'numpy', 'float32')
    """

    params: Tree
    history: dict[str, list[float]]
    engine: str
    engine_reason: str
    backend: str
    device: str | None
    dtype: str
    epochs: int
    stopped: str | None
    seconds: float
    optimizer_state: Tree = field(repr=False, default=None)
    member_loss: np.ndarray | None = None
    group: GroupReport | None = None

    def __repr__(self) -> str:
        """The last figures and where it ran; the parameters by their number alone."""
        last = [f"{name}={values[-1]:.4g}" for name, values in self.history.items() if values]
        stopped = [] if self.stopped is None else [f"stopped={shown(self.stopped)}"]
        where = f"backend={self.backend!r}, dtype={self.dtype!r}, engine={self.engine!r}"
        shared = [] if self.group is None else [f"processes={self.group.processes}"]
        parts = (f"epochs={self.epochs}", *last[:4], *stopped, where, *shared, f"seconds={self.seconds:.4g}")
        return f"FitResult({', '.join(parts)}, params={tree.size_of(self.params)})"


def fit(
    mlp: Model[Any] | Callable[..., Array],
    X: Any,
    y: Any = None,
    loss: Any = "cross_entropy",
    optimizer: Any = "adam",
    epochs: int = 10,
    batch_size: int | None = 128,
    validation: Any = 0.1,
    seed: int = 0,
    params: Params | None = None,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: Any = None,
    callbacks: Sequence[Any] = (),
    progress: bool = True,
    checkpoint: Any = None,
    *,
    sample_weight: Any = None,
    regularizer: Callable[[Tree], Array] | None = None,
    metrics: Sequence[Any] | None = None,
    shuffle: bool = True,
    last_batch: str = "keep",
    compile: str | None = None,  # noqa: A002 - the field's word for it
    devices: Any = None,
    shards: int | None = None,
) -> FitResult:
    """Train a model.

    Parameters
    ----------
    mlp : MLP, `multimlp.chain` of blocks, or callable ``model(params, X, key=None) -> outputs`` with ``params`` given
    X : array, list, data frame of shape (n, in_features); or batches; or a dict or tuple of arrays
        A `numpy.memmap` is streamed from disk (``y`` may be one, too). Batches are a callable that returns an iterator of ``(X, y)`` or
        ``(X, y, sample_weight)`` for an epoch, whose number from 0 it is given if it has a parameter ``epoch``, or an iterable of these;
        ``y`` and ``sample_weight`` are then left out. Each is one step, whatever its size, in the order in which they come:
        ``batch_size`` and ``shuffle`` do not count. A dict or tuple of arrays of equal length, also nested and in batches, is several
        inputs: the model, a chain whose blocks select them or a callable, is given the same structure, in the dtype of training.
    y : array of shape (n,) or (n, k)
        Class indices for ``cross_entropy``, else numbers.
    loss : str, Loss or callable ``(outputs, y) -> per-example losses``
    optimizer : str or Optimizer
    epochs : int
        Total number of epochs, those of a resumed checkpoint included.
    batch_size : int or None
        None: all rows at once. The last batch of an epoch is smaller when the rows do not divide (``last_batch="keep"``) or left out
        (``"drop"``).
    validation : float, (X, y), (X, y, sample_weight) or None
        A fraction is split off at random (by ``seed``) before training; of a memory map these rows are copied, the others are not.
    seed : int
        Of the initial parameters, the order of the rows, the validation split and dropout. Same seed, same run, on every backend.
    params : tree, optional
        Start from these instead of ``mlp.init(seed)``; they are not changed.
    backend, device, dtype
        By the usual order of precedence; NumPy arrays and lists are neutral. With ``"bfloat16"`` and ``"float16"``
        the model runs in 16 bits, while parameters, optimiser state, loss and evaluation stay in float32; float16
        scales the loss as needed (see `multimlp.training.engines.mixed`). ``result.params`` are float32 then.
    callbacks : sequence of Callback or callable
    progress : bool
        A progress bar, when standard error is a terminal.
    checkpoint : path, optional
        Written after each epoch; if it exists, training resumes from it and ends with the same bits as an uninterrupted run. One that
        belongs to another run is refused: other data, settings, functions or callbacks; so is one of more epochs than ``epochs``. A
        run that a callback has stopped is over, and comes back as it ended. See "Checkpoints" in docs/file-format.md.
    sample_weight : array of shape (n,), optional
        A batch's loss is ``sum(w * l) / sum(w)``, and 0 where all of its weights are zero; ``val_loss`` heeds the weights of the rows that
        ``validation`` splits off, metrics do not.
    regularizer : callable ``params -> scalar``, optional
        See `multimlp.regularizers`.
    metrics : sequence of str or callable, optional
        Computed on validation data after each epoch; default: accuracy for the classification losses.
    shuffle : bool
        Anew in each epoch, by ``seed``. From 2^24 rows on the order is that of `multimlp.random.HostPermutation`; memory maps of so many
        rows, or of 2^30 numbers, are shuffled by blocks (see "More data than memory" in the guide).
    last_batch : {"keep", "drop"}
    compile : str, optional
        One of the backend's compilers, or ``"none"`` for plain steps; default: the fastest way that the backend has. ``"numba"``, for
        the arrays of NumPy, torch, JAX and TensorFlow on the CPU, makes an epoch one compiled call (``pip install
        'multimlp[numba]'``); where that is installed it is also the default of runs long enough to be worth compiling for, unless
        ``MULTIMLP_NUMBA=never``.
    devices : "all", int or sequence of str, optional
        What the work is shared by: all processes that a launcher started, so many, or devices by their names, one a process. By the
        order argument, `multimlp.use_backend`, ``MULTIMLP_DEVICES``; default: one device. `fit` starts no processes: each of them calls
        it, with the same arguments and data, and gets the same result. See docs/guide/data-parallel.md.
    shards : int, optional
        Each batch is cut into so many pieces, whose gradients are added in a fixed order: the same bits on every number of processes
        that divides it, 1 included.

    Returns
    -------
    FitResult

    Raises
    ------
    InputError, ShapeError, DTypeError, DataError, BackendError
        For arguments that do not fit, before anything is trained.
    DistributedError
        If another process is gone, does not answer, or was given something else.
    NonFiniteLossError
        If the training loss becomes NaN or infinite, or the last parameters are; the loss of an ensemble is the mean over its finite
        members, as long as there is one.

    Notes
    -----
    Ctrl-C ends training after the steps under way and returns what has been learned (``result.stopped == "interrupted"``).

    ``batch_size`` is that of all processes together. Of a batch of b rows, the last one included, process r of P takes rows floor(r b / P)
    to floor((r + 1) b / P); sums are divided by the numbers (or weights) of all, then added up over the processes, then come penalty,
    clipping and the update, which all make alike. Dropout is drawn by the place of a row in the whole batch. So parameters are those of
    one process up to rounding (1e-12 in float64), and the same bits in every run on P processes. Batches from a generator or a memory map
    are read by every process, which takes its rows of each. Process 0 writes checkpoints and shows progress; callbacks run on all.

    Leave ``X`` as it is until `fit` returns: where nothing has to be moved or converted, it is not copied. Class labels always are.

    Fits in several threads have the bits of fits in a row. A process that has used torch, JAX or TensorFlow must not be forked: the child
    would hang, as it does without multimlp; use ``multiprocessing.get_context("spawn")``.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> X = np.asarray([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> y = np.asarray([0, 1, 1, 0])
    >>> result = mm.fit(mm.MLP(2, 8, 2), X, y, optimizer=mm.optimizers.adam(0.05), epochs=100, validation=None, progress=False)
    >>> result.history["loss"][-1] < 0.1
    True
    """
    started = time.perf_counter()
    rule = optimizers.get(optimizer)
    if rule.full_batch:
        batch_size = None
    batch_size = check_batches(batch_size, last_batch)
    _check_model(mlp, params)
    epochs, seed = check_whole("epochs", epochs, low=0), check_whole("seed", seed, low=0)
    shuffle, progress = flag("shuffle", shuffle), flag("progress", progress)
    watchers = as_callbacks(callbacks)
    loss_rule, regularizer = losses.get(loss), regularizers.get(regularizer)
    model, X, validation = as_one_input(mlp, X, validation)
    examples = Examples(X, y, sample_weight, validation)
    if examples.streamed:
        check_stream(last_batch, rule)
    figures = default_figures(loss_rule, mlp) if metrics is None else check_metrics(metrics)
    chosen = select(backend, device, dtype, [*examples.arrays, *tree.leaves(params)])
    check_compile(compile, chosen.backend)
    group, chosen = group_for(devices, shards, chosen, device)
    agreement = Agreement(group)
    target = replace(chosen, dtype=master_dtype(chosen.dtype))
    source, rows, held = source_and_rows(
        model,
        loss_rule,
        examples,
        target,
        batch_size,
        shuffle and not rule.full_batch,
        last_batch == "drop",
        seed,
    )
    if isinstance(source, Batches) and source.layout is not None:
        model = source.layout.model(model)
    start: Any = initial_params(model, params, seed, target)
    members = model.members(start) if isinstance(model, Model) else None
    check_outputs(model, start, loss_rule, rows, held, target, figures)
    check_regularizer(regularizer, start, members, target)
    if group is not None:
        check_rows_apart(model, start, loss_rule, rows, target)
    if checkpoint is not None and agreement.is_main:
        check_place(checkpoint)
    planned = None if examples.streamed else epochs * -(-int(rows[0].shape[0]) // source.batch_size)
    problem = Problem(
        model, loss_rule, rule, regularizer, target.backend, target.device, chosen.dtype,
        members, source.batch_size, seed, compile, planned, group, given_batches=examples.streamed,
    )  # fmt: skip

    figures = [] if held is None else figures
    order = source.order or shuffle
    settings = partial(settings_of, problem, start, examples, held, figures, watchers, order, last_batch)
    history: dict[str, list[float]] = {}
    run = Run(mlp, epochs, history, lambda: training.params())
    run.is_main = agreement.is_main
    keeper, state, steps, member_loss = None, None, 0, None
    agreement.same_settings(
        partial(
            settings,
            described_if_possible,
            backend=target.backend.name,
            compile=compile,
            checkpoint=checkpoint is not None,
            epochs=epochs,
        )
    )
    if checkpoint is not None:
        keeper = Checkpoint(checkpoint, settings())
        resumed = keeper.load(run, target, start, initial_state(problem, start), watchers, agreement)
        start, state, steps, member_loss = resumed or (start, None, 0, None)
        del resumed
    if isinstance(source, Batches) and run.stopped is None:
        source.check_epochs(epochs - run.epoch)
    where = target.device or target.backend.device_name(tree.leaves(start)[0])
    training = Training(problem, start, state, steps)
    evaluator = None
    if held is not None:
        evaluator = Evaluator(model, loss_rule, figures, target.backend, place(target, loss_rule, *held))
    del (
        settings,
        start,
        state,
        examples,
        rows,
        held,
    )  # the engine and the source have them; they need not lie in memory twice
    if agreement.is_main:
        logger.info(
            "training on %s with the %s engine: %s", target.backend.name, training.engine, training.reason
        )
    with resuming_from(checkpoint), watched(run, watchers):
        run.stopped = agreement.stopped(run.stopped)
        with (
            training.epochs(source, epochs, run.epoch) as passes,
            progress_bar(
                epochs - run.epoch, f"{target.backend.name}, {where}", progress and agreement.is_main
            ) as bar,
        ):
            for epoch in passes if run.stopped is None else ():
                run.epoch += 1
                member_loss = epoch.member_loss
                run.record({"loss": epoch.loss})
                if not math.isfinite(epoch.loss):
                    raise _diverged(run, history)
                if evaluator is not None:
                    run.record(
                        {f"val_{k}": v for k, v in evaluator(training.params(), training.own_threads).items()}
                    )
                for watcher in watchers:
                    watcher.on_epoch_end(run)
                run.stopped = agreement.stopped(run.stopped)
                if keeper is not None and agreement.is_main:
                    keeper.save(
                        run,
                        training.params(),
                        training.optimizer_state(),
                        training.steps,
                        watchers,
                        member_loss,
                    )
                bar.advance(1, **run.latest())
                if run.stopped is not None:
                    break
        if training.interrupted and run.stopped is None:
            run.stop("interrupted")
    params, state = training.finish()
    best = with_best(watchers)
    if best is not None:
        params = best.best_params
    if run.epoch and problem.members is None and not all(map(all_finite, tree.leaves(params))):
        raise NonFiniteLossError(
            f"the parameters became infinite or NaN in the last steps of epoch {run.epoch}, whose loss was "
            f"{history['loss'][-1]:.6g}. {_LOWER}"
        )
    return FitResult(
        params=params,
        history=history,
        engine=training.engine,
        engine_reason=training.reason,
        backend=target.backend.name,
        device=where,
        dtype=chosen.dtype,
        epochs=run.epoch,
        stopped=run.stopped,
        seconds=time.perf_counter() - started,
        optimizer_state=state,
        member_loss=member_loss if problem.members is not None else None,
        group=None if group is None else GroupReport.of(group, training.seconds),
    )


def _check_model(mlp: Any, params: Any) -> None:
    if not isinstance(mlp, Model) and not (callable(mlp) and params is not None):
        raise refuse("mlp", "an MLP, a multimlp.chain of blocks, or a callable together with params=...", mlp)


def _diverged(run: Run, history: dict[str, list[float]]) -> NonFiniteLossError:
    before = (
        f"it was {history['loss'][-2]:.6g} an epoch earlier"
        if len(history["loss"]) > 1
        else "in the first epoch"
    )
    return NonFiniteLossError(
        f"the training loss became {history['loss'][-1]} in epoch {run.epoch} ({before}). {_LOWER}"
    )


_LOWER = "Lower the learning rate, clip gradients (clip_norm=1.0), or standardise the inputs"
