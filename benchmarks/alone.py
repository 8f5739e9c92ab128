"""Activations and losses by themselves, eager, against the library's own: ``python -m benchmarks.alone BACKEND [MOST ELEMENTS [SECONDS]]``.

One process a backend. Ours and theirs take turns call by call, so that what disturbs one disturbs the other, and the ratio is that of
the fastest calls. Values and gradients are compared in the same run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

import multimlp as mm
from benchmarks.peers import alone as peers
from benchmarks.process import ROOT, environment
from benchmarks.results import Alone
from benchmarks.runner import Run

SIZES = (1_000, 1_000_000, 10_000_000)
DTYPES = ("float32", "float64")
WAYS = ("value", "gradient", "both")
CLASSES = 10
_SECONDS = 0.1
"""For a pair; five turns are made in any case."""
_TURNS = 5
_BLOCK = 5e-4
_TOLERANCE = {"float32": 2e-5, "float64": 1e-7}
"""Of values and gradients, relative to the largest: a library's own may lose digits. The slope of torch's hard sigmoid is that of
float32 in float64 too."""


@dataclass(frozen=True)
class Function:
    """What is timed: ``ours(*inputs)``, and its derivative in closed form, for libraries that do not differentiate."""

    name: str
    ours: Callable[..., Any]
    slope: Callable[..., Any]
    is_loss: bool = False
    labels: bool = False


def functions() -> Iterator[Function]:
    """All of them, in the order of the tables."""
    for name in peers.ACTIVATIONS:
        plain, _, approximate = name.partition(" ")
        options = {"approximate": approximate} if approximate else {}
        both = mm.activations.get(plain), mm.activations.derivative(plain)
        yield Function(name, *[partial(f, **options) if options else f for f in both])
    for name in peers.LOSSES:
        loss = mm.losses.get(name)
        yield Function(name, _mean(loss), _mean_gradient(loss), True, name == "cross_entropy")


def _mean(loss: Any) -> Callable[..., Any]:
    return lambda o, t: mm.losses.batch_mean(loss(o, t))


def _mean_gradient(loss: Any) -> Callable[..., Any]:
    return lambda o, t: loss.gradient(o, t) / o.shape[0]


def inputs(function: Function, elements: int, dtype: str) -> tuple[np.ndarray, ...]:
    """A vector; for a loss outputs of ten classes, and labels or numbers in [0, 1]."""
    random = np.random.default_rng(0)
    x = (random.standard_normal(elements, dtype=np.float32) * 2).astype(dtype)
    if not function.is_loss:
        return (x,)
    x = x.reshape(-1, CLASSES)
    if function.labels:
        return x, random.integers(0, CLASSES, len(x))
    return x, random.random(x.shape, dtype=np.float32).astype(dtype)


def measure(run: Run) -> list[Alone]:
    """Everything on every backend that differentiates or has a peer written by hand."""
    found: list[Alone] = []
    for backend in run.options.backends:
        if backend in peers.MAKERS:
            run.settle()
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.alone", backend],
                cwd=ROOT,
                env=environment(len(run.options.cores), run.options.device),
                capture_output=True,
                text=True,
                check=False,
            )
            found += [Alone(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]
            if done.returncode:
                last = done.stderr.strip().splitlines()[-1]
                found.append(Alone("-", backend, "-", 0, "-", 0.0, 0.0, last))
        run.advance(f"activations and losses by themselves {backend}")
    return found


def measured(backend: str, most: int, seconds: float) -> Iterator[Alone]:
    """The figures of one backend, up to so many elements, ``seconds`` a pair."""
    make = peers.MAKERS[backend]()
    for dtype in DTYPES:
        for elements in (size for size in SIZES if size <= most):
            for function in functions():
                arrays = make.place(inputs(function, elements, dtype))
                theirs = make.ways(make.functions[function.name], make.slopes.get(function.name), arrays)
                ours = make.ways(function.ours, function.slope, arrays)
                problem = _differs(make, ours, theirs, dtype)
                for way in WAYS:
                    times = _in_turn(ours[way], theirs[way], seconds)
                    yield Alone(function.name, backend, dtype, elements, way, *times, problem)


def _differs(make: Any, ours: Mapping[str, Any], theirs: Mapping[str, Any], dtype: str) -> str:
    """What is wrong with the values or the gradients, or ""."""
    for way in ("value", "gradient"):
        mine, other = (np.ravel(make.host(calls[way]())) for calls in (ours, theirs))
        off = float(np.max(np.abs(mine - other)) / np.max(np.abs(other)))
        if not off < _TOLERANCE[dtype]:
            return f"the {way}s differ by {off:.2g}"
    return ""


def _in_turn(ours: Callable[[], Any], theirs: Callable[[], Any], seconds: float) -> tuple[float, float]:
    """Seconds of a call of each, at best."""
    ours(), theirs()
    began = time.perf_counter()
    theirs()
    calls = max(1, round(_BLOCK / (time.perf_counter() - began)))
    best, end, turns = [float("inf")] * 2, time.perf_counter() + seconds, 0
    while turns < _TURNS or time.perf_counter() < end:
        for i, call in enumerate((ours, theirs)):
            began = time.perf_counter()
            for _ in range(calls):
                call()
            best[i] = min(best[i], (time.perf_counter() - began) / calls)
        turns += 1
    return best[0], best[1]


if __name__ == "__main__":
    chosen, most, each = [*sys.argv[1:], *("", str(SIZES[-1]), str(_SECONDS))[len(sys.argv) - 1 :]]
    for one in measured(chosen, int(float(most)), float(each)):
        print(json.dumps(asdict(one)), flush=True)
