"""Transforms of ten functions by us and by others: HIPS autograd beside NumPy, each other library's own transforms beside it.

A row is a function, a transform, a library and a size; ours and the peer's are called in turns in one process, and must agree.
``python -m benchmarks --case derivatives`` runs all of it; for some rows, or jitted:

  python -m benchmarks.transforms numpy --function chain --transform grad --size small
  python -m benchmarks.transforms jax --jit
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.process import ROOT, environment
from benchmarks.results import Measurement
from benchmarks.runner import Run
from benchmarks.transform_functions import FUNCTIONS, Function
from benchmarks.transform_peers import PEERS, Transforms, ours

TRANSFORMS = ("grad", "value_and_grad", "hvp", "per-example", "jacobian", "hessian")
SIZES = ("small", "large")
ROUNDS = 7
_BLOCK_SECONDS = 0.01
_AGREE = 1e-8
"""Relative to the largest number of a result; float64 everywhere."""


@dataclass(frozen=True)
class Row:
    """One transform of one function of one size on one library.

    Attributes
    ----------
    function, transform, library, size : str
    peer : str
        Who else does it.
    ours, theirs : list of float
        Seconds of a call, by rounds; round i of both ran one after the other.
    problem : str
        Why the times do not count; empty if both gave the same numbers.
    """

    function: str
    transform: str
    library: str
    size: str
    peer: str
    ours: list[float]
    theirs: list[float]
    problem: str = ""

    @property
    def ratio(self) -> float:
        """The peer's time over ours: the median over rounds."""
        return statistics.median(b / a for a, b in zip(self.ours, self.theirs, strict=True))


def measure(
    library: str,
    functions: Sequence[str] = tuple(FUNCTIONS),
    transforms: Sequence[str] = TRANSFORMS,
    sizes: Sequence[str] = SIZES,
    jit: bool = False,
    rounds: int = ROUNDS,
) -> Iterator[Row]:
    """All rows of a library, each as it is found; ``jit`` compiles both sides."""
    theirs, mine = PEERS[library](), ours(library)
    for name in functions:
        function = FUNCTIONS[name]
        for size in sizes:
            for transform in transforms:
                if (transform, size) in function.cases:
                    yield _row(function, transform, size, mine, theirs, library, jit, rounds)


def _row(
    function: Function,
    transform: str,
    size: str,
    mine: Transforms,
    theirs: Transforms,
    library: str,
    jit: bool,
    rounds: int,
) -> Row:
    arguments = function.arguments(size)
    seconds: tuple[list[float], list[float]] = ([], [])
    problem = ""
    try:
        calls = [side.call(function, transform, arguments, jit) for side in (mine, theirs)]
        problem = difference(*(_numbers(call()) for call in calls))
        repeats = [_repeats(call) for call in calls]
        for _ in range(rounds):
            for call, times, found in zip(calls, repeats, seconds, strict=True):
                found.append(_time(call, times))
    except Exception as error:  # a library has its own; the row says so
        problem = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return Row(function.name, transform, library, size, theirs.name, *seconds, problem)


def _repeats(call: Callable[[], Any]) -> int:
    return max(1, round(_BLOCK_SECONDS / _time(call, 1)))


def _time(call: Callable[[], Any], repeats: int) -> float:
    began = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - began) / repeats


def _numbers(result: Any) -> list[np.ndarray]:
    if isinstance(result, (tuple, list)):
        return [array for part in result for array in _numbers(part)]
    return [np.asarray(result)]


def difference(mine: list[np.ndarray], theirs: list[np.ndarray]) -> str:
    """What is wrong with our result if the peer's is right; empty if they agree."""
    if [a.shape for a in mine] != [a.shape for a in theirs]:
        return f"shapes {[a.shape for a in mine]} against {[a.shape for a in theirs]}"
    for a, b in zip(mine, theirs, strict=True):
        error = float(np.max(np.abs(a - b), initial=0.0)) / max(float(np.max(np.abs(b), initial=0.0)), 1e-300)
        if not error <= _AGREE:
            return f"results differ by {error:.1e}"
    return ""


def measure_all(run: Run) -> None:
    """All rows of every backend that has a peer, as measurements of a run."""
    for backend in run.options.backends:
        if backend in PEERS and run.options.device in (None, "cpu"):
            run.settle()
            variables = environment(len(run.options.cores), None)
            for row in measure_in_process(backend, variables, run.options.cores):
                run.measurements += _measurements(row)
        run.advance(f"derivatives {backend}")


def _measurements(row: Row) -> list[Measurement]:
    case = f"derivative-{row.function}-{row.transform}-{row.size}"
    roles = {"ours": row.ours, "autograd" if row.library == "numpy" else "native": row.theirs}
    return [
        Measurement(case, case, "call", row.library, role, seconds, problem=row.problem)
        for role, seconds in roles.items()
    ]


def measure_in_process(library: str, variables: dict[str, str], cores: Sequence[int]) -> list[Row]:
    """`measure` in a process of its own, where no other library has set anything."""
    command = [sys.executable, "-m", "benchmarks.transforms", library, "--json"]
    if cores:
        command += ["--cores", ",".join(map(str, cores))]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"])[-1]
        return [Row("all", "all", library, "", "", [], [], last)]
    return [Row(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure one library and print the rows."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.transforms",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("library", choices=sorted(PEERS))
    parser.add_argument("--function", action="append", choices=sorted(FUNCTIONS))
    parser.add_argument("--transform", action="append", choices=TRANSFORMS)
    parser.add_argument("--size", action="append", choices=SIZES)
    parser.add_argument("--jit", action="store_true", help="compile both sides")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    parser.add_argument("--cores", help="processors to be pinned to: 0,1")
    args = parser.parse_args(argv)
    if args.cores:
        import os

        os.sched_setaffinity(0, {int(core) for core in args.cores.split(",")})
    rows = measure(
        args.library,
        args.function or tuple(FUNCTIONS),
        args.transform or TRANSFORMS,
        args.size or SIZES,
        args.jit,
        args.rounds,
    )
    for row in rows:
        print(json.dumps(asdict(row)) if args.json else _line(row), flush=True)
    return 0


def _line(row: Row) -> str:
    head = f"{row.function:10} {row.transform:15} {row.library:10} {row.size:6}"
    if not row.ours or not row.theirs:
        return f"{head} {row.problem}"
    mine, theirs = statistics.median(row.ours), statistics.median(row.theirs)
    return f"{head} {1e6 * mine:10.0f} us {1e6 * theirs:10.0f} us of {row.peer:10} {row.ratio:6.2f}x  {row.problem}"


if __name__ == "__main__":
    sys.exit(main())
