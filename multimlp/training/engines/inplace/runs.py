"""The steps of a block as calls: one a step, or as few as there can be where the library records them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from operator import call as make

from multimlp.backend import Call, Kernels


class Runs:
    """``runs(steps)`` makes the first steps of a block.

    Recordings are made of the whole block, and for any other number of steps of parts whose lengths are powers of two: few recordings
    serve every number, in as many launches as the number has binary digits.

    Parameters
    ----------
    kernels : Kernels
    calls : sequence of sequences of Call
        Those of each step.
    """

    def __init__(self, kernels: Kernels, calls: Sequence[Sequence[Call]]) -> None:
        self._kernels, self.calls = kernels, calls
        self._known: dict[tuple[int, int], Call] = {}

    def __call__(self, steps: int) -> None:
        if self._kernels.recorder is None:
            for calls in self.calls[:steps]:
                deque(map(make, calls), maxlen=0)
            return
        for start, stop in parts(steps, len(self.calls)):
            run = self._known.get((start, stop))
            if run is None:
                together = [call for calls in self.calls[start:stop] for call in calls]
                run = self._known[start, stop] = self._kernels.capture(together)
            run()


def parts(steps: int, whole: int) -> Iterator[tuple[int, int]]:
    """The parts of a block's first steps that are recorded together.

    Examples
    --------
    >>> from multimlp.training.engines.inplace.runs import parts
    >>> list(parts(11, 20)), list(parts(20, 20))
    ([(0, 8), (8, 10), (10, 11)], [(0, 20)])
    """
    start = 0
    while start < steps:
        length = steps if steps == whole else 1 << ((steps - start).bit_length() - 1)
        yield start, start + length
        start += length
