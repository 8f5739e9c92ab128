"""Where training data comes from: arrays in memory, an iterator of batches, or arrays on disk (`multimlp.training._on_disk`).

A source turns one epoch into pieces ``(Chunk, order)`` for the engine. In memory the chunk is the whole data set, moved to the device
once. Everything larger is streamed: a thread gathers the next chunk on the host and moves it while the device works on this one.
"""

from __future__ import annotations

import contextvars
import inspect
import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np

from multimlp.backend import Array, Target, host, is_array, is_sparse, owner
from multimlp.errors import DataError, InputError
from multimlp.errors.checks import refuse
from multimlp.losses import Loss
from multimlp.training._orders import Ordering
from multimlp.training._rows import check_size, is_any_positive, nothing_to_learn
from multimlp.training._several import Layout, is_several
from multimlp.training.engines import Chunk

LABELS = "multimlp.estimators.MLPClassifier takes labels; or encode them: classes, y = numpy.unique(y, return_inverse=True)"
"""What to do with targets that are text."""

Piece = tuple[Chunk, np.ndarray]
"""A chunk and the order of its rows."""
Rows = tuple[Array, Array, Array | None]
"""Inputs, targets, and weights or None: arrays of any library."""


class Source(Protocol):
    """Training data, epoch by epoch."""

    batch_size: int
    order: str | None
    """What a checkpoint says of the order of rows, where it is more than whether they are shuffled."""

    def epoch(self, number: int) -> Iterator[Piece]:
        """The pieces of epoch ``number`` (from 0), each a chunk and the order in which to take its rows."""


class InMemory:
    """The whole data set as one chunk on the device."""

    def __init__(self, chunk: Chunk, ordering: Ordering) -> None:
        self.batch_size = ordering.batch_size
        self._chunk, self._ordering, self._count = chunk, ordering, int(chunk.inputs.shape[0])
        self.order = ordering.peculiar(self._count)
        self._drawn: tuple[int, Iterator[np.ndarray]] = (-1, iter(()))

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self._chunk.inputs.shape[0])

    def epoch(self, number: int) -> Iterator[Piece]:
        drawn, parts = self._drawn
        self._drawn = -1, iter(())  # an epoch that is left leaves nothing behind
        for part in parts if drawn == number else self._parts(number):
            yield self._chunk, part
        following = self._parts(number + 1)
        first = next(following)  # while an asynchronous device is still at work
        self._drawn = number + 1, itertools.chain([first], following)

    def _parts(self, number: int) -> Iterator[np.ndarray]:
        return self._ordering.parts(number, self._count)


class Batches:
    """Batches from the user: a callable that starts an epoch's iterator, perhaps by the number of the epoch, or an iterable that can be
    iterated again."""

    order: str | None = None
    unseen = True
    """Nothing is known of them before they come, so that the processes of a group compare what they have read."""
    layout: Layout | None
    """Of the inputs of a batch, if there are several."""

    def __init__(self, source: Any, place: Callable[..., Chunk], check: Callable[[Rows, str], None]) -> None:
        """``check(rows, where)`` raises for a batch that does not fit; ``where`` says which it is."""
        self._check = check
        self._start: Callable[..., Iterator[Any]] = source if callable(source) else lambda: iter(source)
        self._by_epoch = callable(source) and _takes_epoch(source)
        self._one_shot = not callable(source) and iter(source) is source
        self._used = self._teaches = False
        self.layout = None
        first = self._begin(0)
        try:
            self._first = next(first)
        except StopIteration:
            raise DataError("X: the iterator of batches is empty") from None
        self._rest: Iterator[Any] | None = first
        self._place = place
        self.example = self._unpack(self._first)
        self.batch_size = int(self.example[0].shape[0])

    def check_epochs(self, count: int) -> None:
        """`InputError`, before anything is trained, unless the batches last for so many epochs."""
        if self._one_shot and count > 1:
            raise _read_once()

    def _begin(self, epoch: int) -> Iterator[Any]:
        if self._one_shot and self._used:
            raise _read_once()
        self._used = True
        started = self._start(epoch=epoch) if self._by_epoch else self._start()
        if not isinstance(started, Iterable):
            raise refuse("X: the callable of batches", "an iterator of (X, y) as its result", started)
        return iter(started)

    def _unpack(self, batch: Any) -> Rows:
        if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
            raise InputError("X: each batch must be a tuple (X, y) or (X, y, sample_weight)")
        X, y, weights = (*batch, None)[:3]
        if y is None:
            raise InputError(
                "X: each batch must be a tuple (X, y) or (X, y, sample_weight), and one has None for y"
            )
        if self.layout is None and batch is self._first and is_several(X):
            self.layout = Layout.of(X)
        inputs = host(X, "X") if self.layout is None else self.layout.packed(X)
        return inputs, host(y, "y", LABELS), None if weights is None else host(weights, "sample_weight")

    def epoch(self, number: int) -> Iterator[Piece]:
        def pieces() -> Iterator[Piece]:
            count, self._teaches = 0, False
            rest, self._rest = self._rest, None
            if rest is not None and not (self._by_epoch and number):
                yield self._piece(self._first, 0)  # which the iterator was opened to look at
                iterator, count = rest, 1
            else:
                iterator = self._begin(number)
            for batch in iterator:
                yield self._piece(batch, count)
                count += 1
            if not count:
                raise DataError(
                    f"X: there are no batches in epoch {number + 1}; a callable of batches starts a new iterator in each epoch"
                )
            if not self._teaches:
                raise nothing_to_learn("sample_weight: all weights of all batches")

        return prefetch(pieces())

    def _piece(self, batch: Any, at: int) -> Piece:
        rows = self._unpack(batch)
        self._check(rows, f"batch {at}: ")
        self._teaches = self._teaches or rows[2] is None or is_any_positive(rows[2])
        chunk = self._place(*rows)
        if any(_share_memory(array, given) for array, given in zip(chunk, rows, strict=True)):
            # The user may fill it with the next batch while this one is trained on.
            chunk = self._place(*map(_copied, rows))
        return chunk, np.arange(int(chunk.inputs.shape[0]))


def _share_memory(array: Array | None, given: Array | None) -> bool:
    """Whether an array is what was given, or lies in its memory."""
    if array is None or array is given:
        return array is not None
    backend = owner(array)
    on_host = backend.device_name(array).startswith("cpu")
    return on_host and np.may_share_memory(backend.to_numpy(array), owner(given).to_numpy(given))


def _copied(given: Any) -> Any:
    if given is None or isinstance(given, np.ndarray):
        return None if given is None else np.array(given)
    backend = owner(given)
    with backend.scope_of(given):
        return backend.xp.asarray(given, copy=True)


def _takes_epoch(function: Callable[..., Any]) -> bool:
    """Whether a callable of batches wants to know the number of the epoch."""
    try:
        return "epoch" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # of a builtin
        return False


def _read_once() -> InputError:
    return InputError(
        "X: a generator can be read for one epoch only; give a callable that makes a new one, or epochs=1"
    )


_END = object()


def prefetch(items: Iterable[Piece], depth: int = 1) -> Iterator[Piece]:
    """The items, each made by a thread while the one before is in use; an exception in the thread is raised here."""
    ready: queue.Queue[Any] = queue.Queue(depth)
    stopped = threading.Event()

    def offer(item: Any) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not offer(item):
                    return
            offer(_END)
        except BaseException as error:
            offer(error)

    # The user's batches are made there too: a `use_backend` around the fit is theirs as well.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(work,), name="multimlp-prefetch", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()


# ---- what users give ---------------------------------------------------------------------------------------------------


def is_streamed(X: Any) -> bool:
    """Whether ``X`` is to be streamed as batches: a callable or an iterable that is no array, list or data frame."""
    if is_array(X) or isinstance(X, (list, tuple)) or hasattr(X, "to_numpy") or hasattr(X, "__array__"):
        return False
    if is_sparse(X):  # `host` says what to do
        return False
    return callable(X) or isinstance(X, Iterable)


def place(target: Target, loss: Loss, X: Array, y: Array, weights: Array | None = None) -> Chunk:
    """Arrays of any library as a chunk on the device.

    Inputs and weights get the target's dtype. So do targets, but integers that the loss takes as such stay integers, int32, in memory of
    their own: engines take class labels, once checked, as places in memory.

    Raises
    ------
    DataError
        For weights beyond the dtype, and integers beyond 32 bits.
    """
    backend = target.backend

    def move(values: Array, dtype: str) -> Array:
        library = owner(values)
        host = values if library is backend else library.to_numpy(values)
        return backend.asarray(host, dtype=dtype, device=target.device)

    if weights is not None:
        check_size(weights, target.dtype)
    kind = target_dtype(loss, y, target.dtype)
    if kind == "int32" and loss.gradient_function is None:  # of the others the values are known
        _check_range(y)
    targets = move(y, kind)
    if kind == "int32" and _share_memory(targets, y):
        targets = move(_copied(y), kind)
    return Chunk(
        move(X, target.dtype),
        targets,
        None if weights is None else move(weights, target.dtype),
    )


def target_dtype(loss: Loss, y: Array, dtype: str) -> str:
    """What targets are trained on as: that of training, unless they are integers that the loss takes as such."""
    integer = loss.integer_targets and owner(y).xp.isdtype(y.dtype, ("integral", "bool"))
    return "int32" if integer else dtype


def _check_range(y: Array) -> None:
    """`DataError` for integers that int32 does not hold."""
    values, limits = owner(y).to_numpy(y), np.iinfo(np.int32)
    if values.dtype.kind == "b" or not values.size:
        return
    low, high = int(values.min()), int(values.max())
    if low < limits.min or high > limits.max:
        raise DataError(
            f"y: a loss of your own is given integers of 32 bits, and these are from {low} to {high}; give them as floats, or numbered anew"
        )
