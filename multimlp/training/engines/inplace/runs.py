"""The steps of a block: phase by phase, or as few calls as there can be where the library records them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from multimlp.backend import Call, Kernels, Phase


class Runs:
    """``runs(steps)`` makes the first steps of a block.

    Recordings are made of the whole block, and for any other number of steps of parts whose lengths are powers of two: few recordings
    serve every number, in as many launches as the number has binary digits.

    Parameters
    ----------
    kernels : Kernels
    phases : sequence of sequences of Phase
        Those of each step.
    """

    def __init__(self, kernels: Kernels, phases: Sequence[Sequence[Phase]]) -> None:
        self._kernels, self.phases = kernels, phases
        self._known: dict[tuple[int, int], Call] = {}

    def __call__(self, steps: int) -> None:
        if self._kernels.recorder is None:
            self._kernels.run([phase for phases in self.phases[:steps] for phase in phases])
            return
        for start, stop in parts(steps, len(self.phases)):
            run = self._known.get((start, stop))
            if run is None:
                step = self.phases[start:stop]
                together = [c for phases in step for phase in phases for task in phase for c in task]
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
