"""A training that goes on when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from multimlp.callbacks import Callback, Run
from multimlp.mlp import Params
from multimlp.training import FitResult


class PacedRun(Callback):
    """`multimlp.fit` in a thread of its own, held after each epoch until it is let go on.

    So the training is that of `fit` in every bit: its engine, its order of the rows, its optimiser's state.

    Parameters
    ----------
    start : callable
        Given the callbacks of `fit`, calls it.

    Attributes
    ----------
    epoch : int
        Epochs completed.
    params : tuple of Dense
        After the last epoch that was asked for; the initial ones before the first.
    history : dict of str to list of float
    result : FitResult or None
        Once training has ended.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp.playground import PacedRun
    >>> X, y = np.asarray([[0.0, 1.0], [1.0, 0.0]]), np.asarray([0, 1])
    >>> with PacedRun(
    ...     lambda callbacks: mm.fit(mm.MLP(2, 4, 2), X, y, epochs=5, validation=None, progress=False, callbacks=callbacks)
    ... ) as run:
    ...     run.advance(2)
    ...     print(run.epoch, len(run.history["loss"]), run.is_over)
    2 2 False
    """

    def __init__(self, start: Callable[[Sequence[Any]], FitResult]) -> None:
        self.epoch = 0
        self.params: Params = ()
        self.history: dict[str, list[float]] = {}
        self.result: FitResult | None = None
        self._start = start
        self._allowed = 0  # epochs that may have been completed
        self._epochs: int | None = None  # as many as there will be; unknown until training begins
        self._closed = self._over = False
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._train, name="multimlp training", daemon=True)

    def __enter__(self) -> PacedRun:
        """Begin, and wait for the initial parameters; an error of `fit` is raised here."""
        self._thread.start()
        self._wait_until(lambda: self._epochs is not None)
        return self

    def __exit__(self, *exception: object) -> None:
        """End the training, wherever it is, and wait for its thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or a callback has stopped them."""
        return self.result is not None

    def advance(self, epochs: int = 1) -> None:
        """Train for some epochs more, or to the end, and come back; an error of `fit` is raised here."""
        with self._changed:
            self._allowed = self.epoch + epochs
            self._changed.notify_all()
        self._wait_until(lambda: self._allowed <= self.epoch != self._epochs)

    def on_fit_begin(self, run: Run) -> None:
        self._hold(run)

    def on_epoch_end(self, run: Run) -> None:
        if run.epoch >= min(self._allowed, run.epochs):
            self._hold(run)

    def _hold(self, run: Run) -> None:
        """Show where training is, and wait to be let go on."""
        with self._changed:
            # All of it at once: whoever waits for the epoch looks at its parameters.
            self._epochs, self.history = run.epochs, run.history
            self.epoch, self.params = run.epoch, run.params
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._closed or self._allowed > run.epoch or run.epoch == run.epochs
            )
            if self._closed:
                run.stop("closed")

    def _train(self) -> None:
        try:
            self.result = self._start([self])
        except Exception as error:
            self._error = error
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _wait_until(self, reached: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._over or reached())
        if self._error is not None:
            raise self._error
