"""Callbacks of `fit`: objects with any of three methods, or plain callables, which are called after each epoch.

A callback gets the `Run`: what has been done so far, the current parameters, and a way to stop.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from multimlp._json import finite
from multimlp.errors import InputError, missing_dependency
from multimlp.errors.checks import (
    check_choice,
    check_items,
    check_number,
    check_path,
    check_whole,
    flag,
    refuse,
)
from multimlp.errors.close import did_you_mean
from multimlp.errors.shown import MOST_ITEMS, shown
from multimlp.files import replacing
from multimlp.tree import Tree


class Run:
    """What a callback sees.

    Attributes
    ----------
    mlp : callable
        The model.
    epoch : int
        Epochs completed.
    epochs : int
        Epochs asked for.
    history : dict of str to list of float
        Up to this epoch.
    params : tree of arrays
        The current parameters; fetched when read.
    stopped : str or None
        Why training ends, once `stop` was called.
    candidate : int or None
        Which one of `multimlp.sweep` it is, or which of the networks of an estimator for tables that has several.
    settings : dict
        Of a candidate, by the names of the grid.
    is_main : bool
        Whether this process writes files: not so for all but one of those that share the run.
    """

    def __init__(
        self,
        mlp: Any,
        epochs: int,
        history: dict[str, list[float]],
        read_params: Callable[[], Tree],
        candidate: int | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.mlp = mlp
        self.epoch = 0
        self.epochs = epochs
        self.history = history
        self.stopped: str | None = None
        self.candidate, self.settings = candidate, dict(settings or {})
        self.is_main = True
        self._read_params = read_params
        self._recorded: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Run, epoch {self.epoch} of {self.epochs}: {shown(self.latest())}>"

    def __getstate__(self) -> dict[str, Any]:
        """A copy keeps the parameters of now."""
        return vars(self) | {"_read_params": _Kept(self.params)}

    @property
    def params(self) -> Tree:
        return self._read_params()

    def stop(self, reason: str) -> None:
        """End training after this epoch; the reason goes to ``result.stopped``.

        A checkpoint remembers it: the run is over, and repeating it trains no further.
        """
        if not isinstance(reason, str):
            raise refuse("reason", "why training ends, as text", reason)
        self.stopped = reason

    def read_with(self, read_params: Callable[[], Tree]) -> None:
        """From now on the parameters are fetched so."""
        self._read_params = read_params

    def freeze(self, params: Tree) -> None:
        """These are the parameters from now on."""
        self._read_params = _Kept(params)

    def record(self, figures: Mapping[str, float]) -> None:
        """Add the figures of an epoch, numbers of whatever library, to the history."""
        for name, value in figures.items():
            number = check_number(f"figures[{name!r}]", value, infinite=True, nan=True)
            self.history.setdefault(name, []).append(number)
            self._recorded[name] = self.epoch

    def go_on(self, epoch: int, history: Mapping[str, list[float]], stopped: str | None) -> None:
        """So many epochs were done before."""
        self.history.update(history)
        self.epoch, self.stopped = epoch, stopped
        self._recorded.update(dict.fromkeys(history, epoch))

    def latest(self) -> dict[str, float]:
        """The last of all figures."""
        return {name: values[-1] for name, values in self.history.items() if values}

    def of_epoch(self) -> dict[str, float]:
        """Those recorded in this epoch so far: not what another callback has yet to record, which is that of the epoch before."""
        return {
            name: value
            for name, value in self.latest().items()
            if self._recorded.get(name, self.epoch) == self.epoch
        }


class _Kept:
    """Gives what it holds, as the reader of a run that is over."""

    def __init__(self, params: Tree) -> None:
        self._params = params

    def __call__(self) -> Tree:
        return self._params


class Callback:
    """Base class: does nothing. Override what you need."""

    def __repr__(self) -> str:
        held = [f", {name}={shown(value)}" for name, value in vars(self).items() if not name.startswith("_")]
        return f"<callback {type(self).__name__}{''.join(held[:MOST_ITEMS])}>"

    def on_fit_begin(self, run: Run) -> None:
        """Before the first epoch (of this call; ``run.epoch`` is not 0 when a checkpoint is resumed)."""

    def on_epoch_end(self, run: Run) -> None:
        """After each epoch, validation included."""

    def on_fit_end(self, run: Run) -> None:
        """At the end, however it came."""

    def settings(self) -> dict[str, Any]:
        """What must be the same when a run is resumed from a checkpoint, as plain values."""
        return {}

    def state(self) -> Tree:
        """What must survive a restart from a checkpoint: a tree of arrays and floats."""
        return None

    def restore(self, state: Tree) -> None:
        """The inverse of `state`."""


class EachEpoch(Callback):
    """A plain callable as a callback: called with the `Run` after each epoch."""

    def __init__(self, function: Callable[[Run], Any]) -> None:
        self.function = function

    def on_epoch_end(self, run: Run) -> None:
        self.function(run)


def as_callback(callback: Any) -> Callback:
    """A callback object for what a user gave."""
    if isinstance(callback, Callback):
        return callback
    if isinstance(callback, type):
        raise refuse("callbacks", "a Callback or a callable", callback, f"make one: {callback.__name__}()")
    if callable(callback):
        return EachEpoch(callback)
    raise refuse("callbacks", "a Callback or a callable", callback)


def as_callbacks(callbacks: Any) -> list[Callback]:
    """The callback objects for a sequence of what a user gave; None is none of them."""
    if callbacks is None:
        return []
    if isinstance(callbacks, Callback) or not hasattr(callbacks, "__iter__"):
        raise refuse("callbacks", "a sequence of callbacks", callbacks, "write [callback] for one")
    return [as_callback(callback) for callback in check_items("callbacks", callbacks, "of callbacks")]


@contextmanager
def watched(run: Run, watchers: Sequence[Callback]) -> Iterator[None]:
    """The callbacks are told when a run begins, and when it ends, however that comes."""
    begun: list[Callback] = []
    try:
        for watcher in watchers:
            watcher.on_fit_begin(run)
            begun.append(watcher)
        yield
    finally:
        with ExitStack() as ends:  # all of them hear of it, although one may raise an error
            for watcher in reversed(begun):
                ends.callback(watcher.on_fit_end, run)


def with_best(callbacks: Sequence[Callback]) -> Any:
    """The first callback that has parameters to go back to, its ``best_params``, or None."""
    return next((c for c in callbacks if getattr(c, "best_params", None) is not None), None)


class EarlyStopping(Callback):
    """Stop when a figure has not improved for some epochs, and go back to the best parameters.

    Parameters
    ----------
    monitor : str
        A key of the history; lower is better, unless ``mode="max"``.
    patience : int
        Epochs without improvement that are tolerated.
    min_delta : float
        What counts as an improvement.
    restore_best : bool
        Whether the result holds the parameters of the best epoch, also when training ran to its end.
    mode : {"min", "max"}

    Attributes
    ----------
    best : float
        The best figure; before there is one infinity, or with ``mode="max"`` minus infinity.
    best_epoch : int
        Its epoch, from 1.
    best_params : tree of arrays or None
        Of that epoch, with ``restore_best``.

    Examples
    --------
    >>> import multimlp as mm
    >>> mm.callbacks.EarlyStopping(patience=5).monitor
    'val_loss'
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best: bool = True,
        mode: str = "min",
    ) -> None:
        if not isinstance(monitor, str):
            raise refuse("monitor", "a key of the history such as 'val_loss'", monitor)
        self.monitor, self.patience = monitor, check_whole("patience", patience, low=1)
        self.min_delta = check_number("min_delta", min_delta, low=0)
        self.restore_best = flag("restore_best", restore_best)
        self.mode = check_choice("mode", mode, ("min", "max"))
        self._reset()

    def _reset(self) -> None:
        self._lowest = math.inf
        self.best_epoch = 0
        self.best_params: Tree = None
        self._waited = 0

    @property
    def best(self) -> float:
        return self._lowest * self._sign

    @property
    def _sign(self) -> float:
        return 1.0 if self.mode == "min" else -1.0

    def on_fit_begin(self, run: Run) -> None:
        if run.epoch == 0:
            self._reset()

    def on_epoch_end(self, run: Run) -> None:
        if self.monitor not in run.history:
            raise InputError(
                f"monitor: {self.monitor!r} is not in the history (there is {', '.join(run.history)}); "
                f"val_ figures need validation data{did_you_mean(self.monitor, run.history)}"
            )
        value = run.history[self.monitor][-1] * self._sign
        if value < self._lowest - self.min_delta:
            self._lowest, self.best_epoch, self._waited = value, run.epoch, 0
            if self.restore_best:
                self.best_params = run.params
        else:
            self._waited += 1
            if self._waited >= self.patience:
                run.stop(f"{self.monitor} has not improved for {self.patience} epochs")

    def settings(self) -> dict[str, Any]:
        names = ("monitor", "patience", "min_delta", "restore_best", "mode")
        return {name: getattr(self, name) for name in names}

    def state(self) -> Tree:
        return {
            "figures": {
                "best": self._lowest,
                "best_epoch": float(self.best_epoch),
                "waited": float(self._waited),
            },
            "params": self.best_params,
        }

    def restore(self, state: Tree) -> None:
        figures = state["figures"]
        self._lowest, self.best_epoch = float(figures["best"]), int(figures["best_epoch"])
        self._waited, self.best_params = int(figures["waited"]), state["params"]


_CANDIDATE = "{candidate}"


def _own_place(argument: str, place: str | Path, run: Run) -> str:
    """Where the records of a run go; the candidates of a sweep, and several networks of one estimator, have places of their own."""
    if run.candidate is None:
        return str(place)
    if _CANDIDATE not in str(place):
        raise InputError(
            f"{argument}: all candidates of a sweep, or networks of an estimator, would write to {str(place)!r}; put {_CANDIDATE} into it, "
            "which becomes the number of each"
        )
    return str(place).replace(_CANDIDATE, str(run.candidate))


class _Writer(Callback):
    """Appends a record per epoch to a text file that is flushed each time, so that it can be followed; one of the processes that share a
    run does so."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(check_path("path", path))
        self._file: TextIO | None = None

    def on_fit_begin(self, run: Run) -> None:
        self._file = None
        if not run.is_main:
            return
        path = Path(_own_place("path", self.path, run))
        try:
            if run.epoch:
                self._forget_after(run.epoch, path)
            self._file = path.open("a" if run.epoch else "w", newline="", encoding="utf-8")
        except OSError as error:
            raise InputError(f"path: cannot write {str(path)!r}: {error.strerror}") from None

    def on_epoch_end(self, run: Run) -> None:
        if self._file is not None:
            try:
                self._file = self.written(self._file, {"epoch": run.epoch, **run.of_epoch()})
                self._file.flush()
            except OSError as error:  # the disk is full
                place, file, self._file = self._file.name, self._file, None
                with suppress(OSError):
                    file.close()
                raise InputError(f"path: cannot write {str(place)!r}: {error.strerror}") from None

    def on_fit_end(self, run: Run) -> None:
        if self._file is not None:
            self._file.close()

    def _forget_after(self, epoch: int, path: Path) -> None:
        """Leave out what a run had written when it was killed before the checkpoint of the same epoch: it is written again."""
        if not path.exists():
            return
        with path.open(newline="", encoding="utf-8") as file:
            lines = file.readlines()
        kept = [line for line in lines if line.endswith("\n") and self.epoch_of(line) <= epoch]
        if kept != lines:
            with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
                file.writelines(kept)

    def written(self, file: TextIO, record: dict[str, float]) -> TextIO:
        """Write a record; returns the file to go on with."""
        raise TypeError("a subclass says how a record is written")

    def epoch_of(self, line: str) -> float:
        """The epoch of a record as it was written; 0 of a line that is none."""
        raise TypeError("a subclass says what a record looks like")


class CSVLogger(_Writer):
    """One row per epoch: ``epoch`` and every figure that was recorded in it; a cell is empty where one was not.

    A figure of your own has to be recorded by a callback that stands before this one.

    Examples
    --------
    >>> import multimlp as mm
    >>> logger = mm.callbacks.CSVLogger("history.csv")
    """

    def on_fit_begin(self, run: Run) -> None:
        super().on_fit_begin(run)
        self._columns: list[str] = []
        if self._file is not None and run.epoch:
            with open(self._file.name, newline="", encoding="utf-8") as so_far:
                self._columns = next(csv.reader(so_far), [])

    def written(self, file: TextIO, record: dict[str, float]) -> TextIO:
        more = [name for name in record if name not in self._columns]
        if more and self._columns:
            file = self._widened(file, more)
        begins = not self._columns
        self._columns += more
        writer = csv.DictWriter(file, self._columns)
        if begins:
            writer.writeheader()
        writer.writerow(record)
        return file

    def _widened(self, file: TextIO, more: list[str]) -> TextIO:
        """The file with further columns, which are empty so far."""
        place = Path(file.name)
        file.close()
        with place.open(newline="", encoding="utf-8") as so_far:
            rows = list(csv.DictReader(so_far))
        with replacing(place) as beside, beside.open("w", newline="", encoding="utf-8") as wider:
            writer = csv.DictWriter(wider, [*self._columns, *more])
            writer.writeheader()
            writer.writerows(rows)
        return place.open("a", newline="", encoding="utf-8")

    def epoch_of(self, line: str) -> float:
        first = line.partition(",")[0]
        return int(first) if first.isdecimal() else 0


class JSONLinesLogger(_Writer):
    """One JSON object per epoch and line; what is no finite number is null.

    Examples
    --------
    >>> import multimlp as mm
    >>> logger = mm.callbacks.JSONLinesLogger("history.jsonl")
    """

    def written(self, file: TextIO, record: dict[str, float]) -> TextIO:
        file.write(json.dumps(finite(record)) + "\n")
        return file

    def epoch_of(self, line: str) -> float:
        try:
            return float(json.loads(line)["epoch"])
        except (ValueError, TypeError, KeyError):
            return 0


class TensorBoardLogger(Callback):
    """Scalars for TensorBoard, through the package tensorboardX.

    Examples
    --------
    >>> import multimlp as mm
    >>> logger = mm.callbacks.TensorBoardLogger("runs/first")
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = check_path("folder", folder, "folder")
        self._writer: Any = None

    def on_fit_begin(self, run: Run) -> None:
        self._writer = None
        if not run.is_main:
            return
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise missing_dependency("tensorboardX", "TensorBoardLogger", "tensorboard") from None
        self._writer = SummaryWriter(_own_place("folder", self.folder, run))

    def on_epoch_end(self, run: Run) -> None:
        if self._writer is not None:
            for name, value in run.of_epoch().items():
                self._writer.add_scalar(name, value, run.epoch)
            self._writer.flush()

    def on_fit_end(self, run: Run) -> None:
        if self._writer is not None:
            self._writer.close()
