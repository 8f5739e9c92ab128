"""Training: `fit` turns a model, data, a loss and an optimiser into trained parameters, the same way on every backend."""

from __future__ import annotations

import dataclasses
import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from multimlp import losses, optimizers, random, registry, tree
from multimlp.backend import Backend
from multimlp.batches import Batches, InMemory, OnDisk, Ordering, Source, host, is_streamed, place
from multimlp.callbacks import Run, as_callback
from multimlp.checkpoint import Checkpoint
from multimlp.engine import Chunk, Engine, Problem, choose, mixed
from multimlp.errors import DataError, InputError, NonFiniteLossError, ShapeError
from multimlp.evaluation import Evaluator
from multimlp.mlp import MLP, Params, is_ensemble
from multimlp.progress import progress as progress_bar
from multimlp.registry import Array
from multimlp.selection import Target, select
from multimlp.tree import Tree

logger = logging.getLogger("multimlp")

COMPILED_STEPS = 4096
"""Most steps that one compiled call makes: between two calls Ctrl-C is heard and the progress bar moves."""
SEGMENT_SECONDS = 1.0
"""About how long an engine that runs step by step is left alone, for the same reasons."""


@dataclass
class FitResult:
    """What `fit` returns.

    Attributes
    ----------
    params : tree of arrays
        The trained parameters (the best ones, if a callback restores them).
    history : dict of str to list of float
        ``loss`` (mean training loss of each epoch, regulariser included), ``val_loss`` and ``val_`` metrics.
    engine : str
        ``"flat"``, ``"compiled"``, ``"steps"`` or ``"full-batch"``; ``engine_reason`` says why.
    backend, device, dtype : str
    epochs : int
        Epochs completed, those of a resumed checkpoint included.
    stopped : str or None
        Why training ended early, if it did.
    seconds : float
        Wall time of this call.
    member_loss : numpy.ndarray or None
        An ensemble's training loss of the last epoch, one number per member.
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


def fit(
    mlp: MLP | Callable[..., Array],
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
) -> FitResult:
    """Train a model.

    Parameters
    ----------
    mlp : MLP, or callable ``model(params, X, key=None) -> outputs`` with ``params`` given
    X : array, list, data frame of shape (n, in_features); or batches
        A `numpy.memmap` is streamed from disk. Batches are a callable that returns an iterator of ``(X, y)`` or
        ``(X, y, sample_weight)``, or an iterable of these; ``y`` and ``sample_weight`` are then left out.
    y : array of shape (n,) or (n, k)
        Class indices for ``cross_entropy``, else numbers.
    loss : str, Loss or callable ``(outputs, y) -> per-example losses``
    optimizer : str or Optimizer
    epochs : int
        Total number of epochs, those of a resumed checkpoint included.
    batch_size : int or None
        None: all rows at once. The last batch of an epoch is smaller when the rows do not divide (``last_batch="keep"``) or left out
        (``"drop"``).
    validation : float, (X, y) or None
        A fraction is split off at random (by ``seed``) before training.
    seed : int
        Of the initial parameters, the order of the rows, the validation split and dropout. Same seed, same run, on every backend.
    params : tree, optional
        Start from these instead of ``mlp.init(seed)``; they are not changed.
    backend, device, dtype
        By the usual order of precedence; NumPy arrays and lists are neutral. With ``"bfloat16"`` and ``"float16"``
        the model runs in 16 bits, while parameters, optimiser state, loss and evaluation stay in float32; float16
        scales the loss as needed (see `multimlp.engine.mixed`). ``result.params`` are float32 then.
    callbacks : sequence of Callback or callable
    progress : bool
        A progress bar, when standard error is a terminal.
    checkpoint : path, optional
        Written after each epoch; if it exists, training resumes from it and ends with the same bits as an uninterrupted run.
    sample_weight : array of shape (n,), optional
        A batch's loss is ``sum(w * l) / sum(w)``.
    regularizer : callable ``params -> scalar``, optional
        See `multimlp.regularizers`.
    metrics : sequence of str or callable, optional
        Computed on validation data after each epoch; default: accuracy for the classification losses.
    shuffle : bool
    last_batch : {"keep", "drop"}
    compile : str, optional
        One of the backend's compilers, or ``"none"`` for plain steps; default: the fastest way that the backend has.

    Returns
    -------
    FitResult

    Raises
    ------
    InputError, ShapeError, DTypeError, DataError, BackendError
        For arguments that do not fit, before anything is trained.
    NonFiniteLossError
        If the training loss becomes NaN or infinite.

    Notes
    -----
    Ctrl-C ends training after the steps under way and returns what has been learned (``result.stopped == "interrupted"``).

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
    job = _Job(
        mlp,
        X,
        y,
        loss,
        batch_size,
        validation,
        seed,
        params,
        backend,
        device,
        dtype,
        sample_weight,
        shuffle,
        last_batch,
    )
    _check_epochs(epochs)
    problem = Problem(
        mlp, job.loss, rule, regularizer, job.target.backend, job.target.device, job.target.dtype,
        is_ensemble(job.params) if isinstance(mlp, MLP) else None, job.source.batch_size, seed, compile,
    )  # fmt: skip
    problem = mixed.prepared(problem, job.dtype)
    rule = problem.optimizer
    watchers = [as_callback(c) for c in callbacks]
    history: dict[str, list[float]] = {}
    run = Run(mlp, epochs, history, lambda: engine.params())
    keeper, resumed = None, None
    if checkpoint is not None:
        keeper = Checkpoint(checkpoint, job.settings(rule))
        resumed = keeper.load(run, job.target, job.params, rule.init(job.params), watchers)
    start_params, start_state, steps = resumed if resumed is not None else (job.params, None, 0)
    engine, reason = choose(problem, start_params, start_state)
    logger.info("training on %s with the %s engine: %s", job.target.backend.name, engine.name, reason)
    evaluator = job.evaluator(metrics)
    trainer = _Trainer(engine, job.source, job.target.backend, steps)
    for watcher in watchers:
        watcher.on_fit_begin(run)
    try:
        with (
            job.target.backend.scope(job.target.dtype),
            progress_bar(epochs - run.epoch, "training", progress) as bar,
            _DeferredInterrupt() as interrupt,
        ):
            while run.epoch < epochs and run.stopped is None:
                mean_loss = trainer.epoch(run.epoch, interrupt)
                if interrupt.asked:
                    run.stop("interrupted")
                    break
                run.epoch += 1
                _record(history, {"loss": mean_loss})
                if not math.isfinite(mean_loss):
                    raise _diverged(run, history)
                if evaluator is not None:
                    _record(history, {f"val_{k}": v for k, v in evaluator(engine.params()).items()})
                for watcher in watchers:
                    watcher.on_epoch_end(run)
                if keeper is not None:
                    keeper.save(run, engine.params(), engine.optimizer_state(), trainer.steps, watchers)
                bar.advance(1, **run.latest())
    finally:
        for watcher in watchers:
            watcher.on_fit_end(run)
    best = next((p for c in watchers if (p := getattr(c, "best_params", None)) is not None), None)
    return FitResult(
        params=engine.params() if best is None else best,
        history=history,
        engine=engine.name,
        engine_reason=reason,
        backend=job.target.backend.name,
        device=job.target.device or job.target.backend.device_name(tree.leaves(job.params)[0]),
        dtype=job.dtype,
        epochs=run.epoch,
        stopped=run.stopped,
        seconds=time.perf_counter() - started,
        optimizer_state=engine.optimizer_state(),
        member_loss=trainer.member_loss if problem.members is not None else None,
    )


def _record(history: dict[str, list[float]], figures: dict[str, float]) -> None:
    for name, value in figures.items():
        history.setdefault(name, []).append(value)


def _check_epochs(epochs: Any) -> None:
    if isinstance(epochs, bool) or not isinstance(epochs, (int, np.integer)) or epochs < 0:
        raise InputError(f"epochs: expected a non-negative integer, got {epochs!r}")


def _diverged(run: Run, history: dict[str, list[float]]) -> NonFiniteLossError:
    before = (
        f"it was {history['loss'][-2]:.6g} an epoch earlier"
        if len(history["loss"]) > 1
        else "in the first epoch"
    )
    return NonFiniteLossError(
        f"the training loss became {history['loss'][-1]} in epoch {run.epoch} ({before}). "
        "Lower the learning rate, clip gradients (clip_norm=1.0), or standardise the inputs"
    )


# ---- running epochs ----------------------------------------------------------------------------------------------------


class _Trainer:
    """Feeds an engine and adds up the losses."""

    def __init__(self, engine: Engine, source: Source, backend: Backend, steps: int) -> None:
        self._engine, self._source, self._backend = engine, source, backend
        self._seconds_per_step: float | None = None
        self.steps = steps
        self.member_loss: np.ndarray | None = None

    def epoch(self, number: int, interrupt: _DeferredInterrupt) -> float:
        total: Any = None
        examples = 0
        for chunk, order in self._source.epoch(number):
            for rows in self._segments(order):
                began = time.perf_counter()
                result = self._engine.run(chunk, rows, self.steps)
                taken = -(-len(rows) // self._source.batch_size)
                self.steps += taken
                self._seconds_per_step = (time.perf_counter() - began) / max(taken, 1)
                total = result.loss if total is None else total + result.loss
                examples += result.examples
                if interrupt.asked:
                    return math.nan
        if not examples:
            raise DataError(
                f"X: no complete batch of {self._source.batch_size} rows to train on; use last_batch='keep'"
            )
        return self._mean(total, examples)

    def _segments(self, order: np.ndarray) -> Iterator[np.ndarray]:
        """Parts of whole batches, small enough that Ctrl-C is heard soon; usually the whole order."""
        start = 0
        while start < len(order) or start == 0:
            if self._engine.name in ("compiled", "full-batch"):
                steps = COMPILED_STEPS
            elif self._seconds_per_step is None:
                steps = 8
            else:
                steps = max(1, int(SEGMENT_SECONDS / max(self._seconds_per_step, 1e-9)))
            stop = start + steps * self._source.batch_size
            if self._engine.name == "full-batch":
                stop = len(order)
            yield order[start:stop]
            start = stop

    def _mean(self, total: Any, examples: int) -> float:
        """The mean over the examples; an ensemble's is the mean over its members that are finite."""
        values = registry.owner(total).to_numpy(total)
        per_member = np.atleast_1d(np.asarray(values, dtype=np.float64)) / examples
        self.member_loss = per_member
        finite = per_member[np.isfinite(per_member)]
        return float(finite.mean()) if finite.size else float(per_member[0])


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


# ---- what is to be trained ---------------------------------------------------------------------------------------------


class _Job:
    """The arguments of `fit`, checked and moved to where training runs."""

    def __init__(
        self, mlp: Any, X: Any, y: Any, loss: Any, batch_size: int | None, validation: Any, seed: int, params: Any,
        backend: Any, device: Any, dtype: Any, sample_weight: Any, shuffle: bool, last_batch: str,
    ) -> None:  # fmt: skip
        if last_batch not in ("keep", "drop"):
            raise InputError(f"last_batch: expected 'keep' or 'drop', got {last_batch!r}")
        if not isinstance(mlp, MLP) and not (callable(mlp) and params is not None):
            raise InputError(f"mlp: expected an MLP, or a callable together with params=..., got {mlp!r}")
        self.mlp, self.seed, self.shuffle, self.last_batch = mlp, seed, shuffle, last_batch
        self.loss = losses.get(loss)
        self.validation: Any = None
        streamed = is_streamed(X)
        if streamed and (y is not None or sample_weight is not None):
            raise InputError(
                "y, sample_weight: batches carry their own targets and weights; leave these arguments out"
            )
        if not streamed:
            X, y = host(X, "X"), self._targets(y)
        given = [] if streamed else [X, y]
        chosen = select(backend, device, dtype, [*given, *tree.leaves(params)])
        self.dtype = chosen.dtype
        self.target: Target = dataclasses.replace(chosen, dtype=mixed.master_dtype(chosen.dtype))
        if streamed:
            batches = Batches(X, self._place)
            self.validation = self._validation_pair(validation)
            self.source: Source = batches
            example = batches.example
        else:
            weights = None if sample_weight is None else host(sample_weight, "sample_weight")
            self._check(X, y, weights)
            X, y, weights = self._split(X, y, weights, validation)
            size = self._batch_size(batch_size, int(X.shape[0]))
            ordering = Ordering(seed, size, shuffle, last_batch == "drop")
            if isinstance(X, np.memmap):
                self.source = OnDisk(X, y, weights, ordering, self._place)
            else:
                self.source = InMemory(self._place(X, y, weights), ordering)
            example = (X, y, weights)
        self.params = self._start(params)
        self._check_outputs(example)

    # ---- data

    def _targets(self, y: Any) -> Any:
        if y is None:
            raise InputError("y: targets are needed (only batches carry their own)")
        return host(y, "y")

    def _place(self, X: Any, y: Any, weights: Any) -> Chunk:
        labels = host(y, "y")
        owner = registry.owner_of_type(type(labels))
        integer = owner is not None and owner.xp.isdtype(labels.dtype, ("integral", "bool"))
        return place(self.target, integer and self.loss.integer_targets, X, labels, weights)

    def _split(self, X: Any, y: Any, weights: Any, validation: Any) -> tuple[Any, Any, Any]:
        """The training part; keeps the validation part."""
        if validation is None:
            return X, y, weights
        if isinstance(validation, (tuple, list)):
            self.validation = self._validation_pair(validation)
            return X, y, weights
        if (
            isinstance(validation, bool)
            or not isinstance(validation, (int, float))
            or not 0 <= validation < 1
        ):
            raise InputError(
                f"validation: expected a fraction in [0, 1), a pair (X, y) or None, got {validation!r}"
            )
        rows = int(X.shape[0])
        held = round(rows * validation)
        if held == 0:
            return X, y, weights
        if rows - held < 1:
            raise DataError(
                f"validation: {validation!r} of {rows} rows leaves nothing to train on; use validation=None"
            )
        order = random.host_generator(self.seed, "validation").permutation(rows)
        kept, held_rows = np.sort(order[held:]), np.sort(order[:held])
        if isinstance(X, np.memmap):
            raise InputError(
                "validation: a fraction of a memory-mapped array would be copied; give validation=(X, y) or None"
            )
        self.validation = (_rows(X, held_rows), _rows(y, held_rows))
        return _rows(X, kept), _rows(y, kept), None if weights is None else _rows(weights, kept)

    def _validation_pair(self, validation: Any) -> Any:
        if validation is None or isinstance(validation, (int, float)):
            return None
        if len(validation) != 2:
            raise InputError(f"validation: expected a pair (X, y), got {len(validation)} items")
        pair = host(validation[0], "validation X"), host(validation[1], "validation y")
        self._check_rows(*pair, "validation X", "validation y")
        return pair

    @staticmethod
    def _check_rows(X: Any, y: Any, X_name: str, y_name: str) -> None:
        if X.ndim != 2:
            raise ShapeError(f"{X_name}: expected shape (n, features), got {tuple(X.shape)}")
        if y.ndim not in (1, 2) or y.shape[0] != X.shape[0]:
            raise ShapeError(
                f"{y_name}: expected {X.shape[0]} rows, as {X_name} has, got shape {tuple(y.shape)}"
            )

    def _check(self, X: Any, y: Any, weights: Any) -> None:
        self._check_rows(X, y, "X", "y")
        if X.shape[0] == 0:
            raise DataError("X: there are no rows to train on")
        features = getattr(self.mlp, "in_features", X.shape[1])
        if X.shape[1] != features:
            raise ShapeError(f"X: expected shape (n, {features}) for this model, got {tuple(X.shape)}")
        if weights is not None and tuple(weights.shape) != (X.shape[0],):
            raise ShapeError(f"sample_weight: expected shape ({X.shape[0]},), got {tuple(weights.shape)}")
        if not isinstance(X, np.memmap):
            _check_finite(X, "X")
        _check_finite(y, "y")
        if weights is not None:
            _check_finite(weights, "sample_weight")

    @staticmethod
    def _batch_size(batch_size: int | None, rows: int) -> int:
        if batch_size is None:
            return rows
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise InputError(f"batch_size: expected a positive integer or None, got {batch_size!r}")
        return min(int(batch_size), rows)

    # ---- parameters

    def _start(self, params: Any) -> Tree:
        target = self.target
        if params is None:
            return self.mlp.init(self.seed, target.backend, target.dtype, target.device)
        if isinstance(self.mlp, MLP):
            self.mlp.check_params(params)

        def move(leaf: Any) -> Array:
            owner = registry.owner(leaf)
            values = leaf if owner is target.backend else owner.to_numpy(leaf)
            return target.backend.asarray(values, dtype=target.dtype, device=target.device)

        return tree.map(move, params)

    def _check_outputs(self, example: tuple[Any, Any, Any]) -> None:
        """One row through the model and the loss's own checks on all targets, so that errors come before training."""
        X, y, _ = example
        rows = int(y.shape[0])
        if isinstance(self.mlp, MLP):
            shape: tuple[int, ...] = (rows, self.mlp.out_features)
        else:
            chunk = self._place(X[:1], y[:1], None)
            with self.target.backend.scope_of(chunk.inputs):
                shape = (rows, *tuple(self.mlp(self.params, chunk.inputs).shape)[-1:])
        self.loss.validate(shape, y)

    # ---- what else fit needs

    def evaluator(self, metrics: Sequence[Any] | None) -> Evaluator | None:
        if self.validation is None:
            return None
        X, y = self.validation
        chosen = self.loss.default_metrics if metrics is None else metrics
        return Evaluator(self.mlp, self.loss, chosen, self.target.backend, self._place(X, y, None))

    def settings(self, rule: Any) -> dict[str, Any]:
        """What a checkpoint must agree on."""
        return {
            "mlp": self.mlp.to_spec() if isinstance(self.mlp, MLP) else repr(self.mlp),
            "loss": self.loss.to_spec(),
            "optimizer": rule.to_spec(),
            "seed": self.seed,
            "dtype": self.dtype,
            "batch_size": self.source.batch_size,
            "shuffle": self.shuffle,
            "last_batch": self.last_batch,
        }


def _rows(array: Any, rows: np.ndarray) -> Any:
    if isinstance(array, np.ndarray):
        return array[rows]
    backend = registry.owner(array)
    indices = backend.asarray(rows, dtype="int32", device=backend.device_name(array))
    return backend.xp.take(array, indices, axis=0)


def _check_finite(array: Any, name: str) -> None:
    backend = registry.owner(array)
    if not backend.xp.isdtype(array.dtype, "real floating"):
        return
    with backend.scope_of(array):
        if bool(backend.xp.all(backend.xp.isfinite(array))):
            return
    bad = np.argwhere(~np.isfinite(backend.to_numpy(array)))
    place_of_first = ", ".join(str(int(i)) for i in bad[0])
    raise DataError(
        f"{name}: {len(bad)} values are NaN or infinite, the first at [{place_of_first}]; remove or fill them in"
    )
