"""Running epochs: an engine is fed in pieces small enough that Ctrl-C is heard, and never half-way through a step."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from multimlp.backend import owner
from multimlp.errors import DataError
from multimlp.training._sources import Source
from multimlp.training.engines import Engine

COMPILED_STEPS = 4096
"""Most steps that one compiled call makes: between two calls Ctrl-C is heard and the progress bar moves."""
SEGMENT_SECONDS = 1.0
"""About how long an engine that runs step by step is left alone, for the same reasons."""


class Trainer:
    """Feeds an engine and adds up the losses."""

    def __init__(self, engine: Engine, source: Source, steps: int) -> None:
        self._engine, self._source = engine, source
        self._seconds_per_step: float | None = None
        self.steps = steps
        self.member_loss: np.ndarray | None = None

    def epoch(self, number: int, interrupt: DeferredInterrupt) -> float:
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
        values = owner(total).to_numpy(total)
        per_member = np.atleast_1d(np.asarray(values, dtype=np.float64)) / examples
        self.member_loss = per_member
        finite = per_member[np.isfinite(per_member)]
        return float(finite.mean()) if finite.size else float(per_member[0])


class DeferredInterrupt:
    """Turns the first Ctrl-C into a flag, so that parameters are never half-updated; a second one acts at once."""

    asked = False

    def __enter__(self) -> DeferredInterrupt:
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
