"""How long a training step takes: the networks that are timed, their data, and `fit` with a clock.

The command ``multimlp bench`` compares backends with this alone. The comparison with other libraries, and with
loops written by hand, lives in the repository (``python -m benchmarks``) and times the same cases through the
same functions.
"""

from __future__ import annotations

import functools
import itertools
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from multimlp import random
from multimlp._terminal import print_table, progress
from multimlp.backend import Array, Target, array_namespace, select
from multimlp.callbacks import Run
from multimlp.errors import InputError
from multimlp.errors.checks import check_number
from multimlp.errors.close import did_you_mean
from multimlp.errors.shown import short_repr
from multimlp.mlp import MLP, Params
from multimlp.optimizers import adam
from multimlp.training import FitResult, fit
from multimlp.training.engines.slices import example_slices

__all__ = [
    "CASES",
    "SEED",
    "WARM_UP",
    "Case",
    "Timing",
    "find_case",
    "print_table",
    "product_threads",
    "products",
    "progress",
    "time_fit",
    "train",
]

SEED = 0
WARM_UP = 2
"""Epochs before the clock counts: a second one, because a program may be specialised once more to its own results."""
_ENDLESS = 10**9
_FEWEST = 3


@dataclass(frozen=True)
class Case:
    """A network and a batch size.

    Attributes
    ----------
    name : str
    sizes : tuple of int
        Inputs, hidden widths, outputs.
    batch : int
    rows : int
        A multiple of ``batch``, so that every step of an epoch is the same work.
    members : int or None
        Of an ensemble.
    rate : float
        Adam's; so small that the first few steps already lower the loss.
    activation : str
        Of the hidden layers.

    Examples
    --------
    >>> from multimlp.bench import CASES
    >>> CASES["digits"].title, CASES["digits"].steps
    ('64-128-10, batch 64', 28)
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    rows: int
    members: int | None = None
    rate: float = 1e-3
    activation: str = "relu"

    @property
    def mlp(self) -> MLP:
        """With weights that keep gradients alive through many layers: else the loss of a deep network says little."""
        inputs, *hidden, outputs = self.sizes
        return MLP(inputs, hidden, outputs, activation=self.activation, kernel_init="he_uniform")

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.rows // self.batch

    @property
    def title(self) -> str:
        """Sizes and batch in a few words."""
        inner = self.sizes[1:-1]
        if len(inner) > 3 and len(set(inner)) == 1:
            layers = f"{self.sizes[0]} → {len(inner)} × {inner[0]} → {self.sizes[-1]}"
        else:
            layers = "-".join(map(str, self.sizes))
        smooth = "" if self.activation == "relu" else f", {self.activation}"
        return f"{'' if self.members is None else f'{self.members} × '}{layers}{smooth}, batch {self.batch}"

    @property
    def operations(self) -> int:
        """Floating-point operations of the matrix products of a step: forward, and two backward but for the inputs."""
        pairs = list(itertools.pairwise(self.sizes))
        per_row = sum(6 * a * b for a, b in pairs) - 2 * pairs[0][0] * pairs[0][1]
        return per_row * self.batch * (self.members or 1)

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Random inputs, float32 of shape (rows, inputs), and the classes that a random linear map gives them, int32."""
        generator = random.host_generator(SEED, "bench")
        X = generator.standard_normal((self.rows, self.sizes[0]), dtype=np.float32)
        teacher = generator.standard_normal((self.sizes[0], self.sizes[-1]), dtype=np.float32)
        return X, np.argmax(X @ teacher, axis=1).astype(np.int32)

    def initial(self, **where: Any) -> Params:
        """The parameters that training starts from."""
        return self.mlp.init(SEED if self.members is None else range(self.members), **where)


CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case("tiny", (8, 16, 2), 32, 4096),
        Case("digits", (64, 128, 10), 64, 1792),
        Case("d2l", (784, 256, 10), 256, 12800),
        Case("deep", (128,) * 17 + (10,), 128, 2560, rate=1e-4),
        Case("wide", (1024, 4096, 4096, 10), 512, 1024, rate=1e-5),
    )
}


def find_case(name: str) -> Case:
    """The case of that name.

    Raises
    ------
    InputError
        If there is none.
    """
    if not isinstance(name, str) or name not in CASES:
        close = did_you_mean(name, CASES)
        raise InputError(f"case: there is no {name!r}; choose from {', '.join(CASES)}{close}")
    return CASES[name]


def train(
    case: Case,
    on_epoch: Callable[[Run], bool],
    backend: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> FitResult:
    """`fit` on a case as a user calls it, until ``on_epoch`` returns False."""
    X, y = case.data()

    def watch(run: Run) -> None:
        if not on_epoch(run):
            run.stop("timed")

    params = None if case.members is None else case.initial(backend=backend, device=device, dtype=dtype)
    return fit(
        case.mlp,
        X,
        y,
        optimizer=adam(case.rate),
        epochs=_ENDLESS,
        batch_size=case.batch,
        validation=None,
        seed=SEED,
        params=params,
        backend=backend,
        device=device,
        dtype=dtype,
        callbacks=[watch],
        progress=False,
    )


@dataclass(frozen=True)
class Timing:
    """What `time_fit` found; times in seconds."""

    backend: str
    device: str
    engine: str
    first_epoch: float
    """With everything that happens once: moving data, compiling."""
    step: float
    """Median over the epochs after the warm-up."""
    fastest: float
    slowest: float
    products: float
    """The matrix products of a step alone."""

    __repr__ = short_repr


def time_fit(
    case: Case,
    backend: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    seconds: float = 1.0,
) -> Timing:
    """Train for about so many seconds, after epochs that are not counted, and time each epoch.

    Parameters
    ----------
    case : Case
    backend, device, dtype : str, optional
        By the usual order of precedence.
    seconds : float

    Examples
    --------
    >>> from dataclasses import replace
    >>> from multimlp.bench import CASES, time_fit
    >>> timing = time_fit(replace(CASES["tiny"], rows=64), backend="numpy", seconds=0.01)
    >>> timing.backend, timing.fastest <= timing.step <= timing.slowest
    ('numpy', True)
    """
    seconds = check_number("seconds", seconds, low=0, low_open=True)
    ends: list[float] = []

    def on_epoch(_: Run) -> bool:
        ends.append(time.perf_counter())
        return len(ends) < WARM_UP + _FEWEST or ends[-1] - ends[WARM_UP - 1] < seconds

    began = time.perf_counter()
    result = train(case, on_epoch, backend, device, dtype)
    counted = ends[WARM_UP - 1 :]
    steps = [(b - a) / case.steps for a, b in itertools.pairwise(counted)]
    target = select(backend, device, dtype)
    return Timing(
        backend=result.backend,
        device=str(result.device),
        engine=result.engine,
        first_epoch=ends[0] - began,
        step=statistics.median(steps),
        fastest=min(steps),
        slowest=max(steps),
        products=_time_products(case, target, seconds / 2),
    )


def _time_products(case: Case, target: Target, seconds: float) -> float:
    call = products(case, target)
    for _ in range(WARM_UP):
        call()
    times: list[float] = []
    while not times or sum(times) < seconds:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times) / case.steps


def products(case: Case, target: Target) -> Callable[[], None]:
    """A function that makes the matrix products of an epoch and nothing else; one program where the backend compiles.

    Each product depends on the one before, and the last of each layer is carried out of the loop, so that no
    compiler can leave one out.
    """
    backend = target.backend
    threads = product_threads(case, target)
    place = functools.partial(backend.asarray, dtype=target.dtype, device=target.device)
    X, _ = replace(case, members=None).data()
    batches = place(np.reshape(X, (case.steps, case.batch, case.sizes[0])))
    weights = tuple(
        layer.weight for layer in case.initial(backend=backend, device=target.device, dtype=target.dtype)
    )

    def step(carry: tuple[Array, ...], items: tuple[Array, ...]) -> tuple[tuple[Array, ...], tuple[()]]:
        return tuple(_backward(weights, _forward(weights, items[0]))), ()

    def epoch(arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        return backend.scan(step, weights, arrays, case.steps, collect=False)[0]

    program = backend.compile(epoch) if backend.capabilities.epoch == "compiled" else epoch

    def call() -> None:
        with threads():
            backend.synchronize(*program((batches,)))

    return call


def product_threads(case: Case, target: Target) -> Callable[[], AbstractContextManager[Any]]:
    """The setting in which the products of a training step run in `fit`: as many threads as that has."""
    kernels = target.backend.inplace_kernels(target.dtype, target.device)
    if kernels is None:
        return nullcontext
    compiled = not isinstance(target.backend.compiled_kernels(target.dtype, target.device), str)
    slices = example_slices(case.batch, case.sizes, case.members, target.dtype)
    if len(slices) > 1 and (
        compiled or kernels.cuts
    ):  # each core has a slice, as each has a part of a product here
        return nullcontext
    largest = max(2 * case.batch * a * b for a, b in itertools.pairwise(case.sizes))
    return lambda: kernels.threads(largest)


def _forward(weights: tuple[Array, ...], X: Array) -> list[Array]:
    xp = array_namespace(X)
    layers = [X]
    for weight in weights:
        layers.append(xp.matmul(layers[-1], weight))
    return layers


def _backward(weights: tuple[Array, ...], layers: list[Array]) -> list[Array]:
    xp = array_namespace(layers[0])
    gradients: list[Array] = []
    delta = layers[-1]
    for i in range(len(weights) - 1, -1, -1):
        gradients.insert(0, xp.matmul(xp.matrix_transpose(layers[i]), delta))
        if i:
            delta = xp.matmul(delta, xp.matrix_transpose(weights[i]))
    return gradients
