"""The matrix products of a training step and nothing else: what no implementation on that library can beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.channel import Clock
from benchmarks.jobs import Training
from multimlp.backend import select
from multimlp.bench import product_threads, products


def compiled(backend: str, job: Training, clock: Clock) -> None:
    """One program for all steps of an epoch."""
    call = products(job.case, select(backend, job.device, "float32"))
    _repeat(call, clock)


def numpy(job: Training, clock: Clock) -> None:
    """`numpy.matmul` into arrays made once."""
    import numpy as np

    (network,) = job.initial()
    X, _ = job.case.data()
    with product_threads(job.case, select("numpy", job.device, "float32"))():
        _repeat(_in_place(job, X, [w for w, _ in network], np.empty, np.matmul, lambda a: a.T), clock)


def torch(job: Training, clock: Clock) -> None:
    """`torch.mm` into tensors made once."""
    import torch

    device = torch.device(job.device or "cpu")
    (network,) = job.initial()
    X = torch.from_numpy(job.case.data()[0]).to(device)
    weights = [torch.from_numpy(w).to(device) for w, _ in network]
    epoch = _in_place(
        job, X, weights, lambda shape, dtype: torch.empty(shape, device=device), torch.mm, torch.t
    )

    def call() -> None:
        epoch()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    with product_threads(job.case, select("torch", job.device, "float32"))():
        _repeat(call, clock)


def _in_place(
    job: Training, X: Any, weights: list[Any], empty: Any, multiply: Any, transpose: Any
) -> Callable[[], None]:
    case = job.case
    layers = [empty((case.batch, width), dtype="float32") for width in case.sizes]
    gradients = [empty(tuple(weight.shape), dtype="float32") for weight in weights]
    transposed = [transpose(weight) for weight in weights]
    last = len(weights)

    def epoch() -> None:
        for start in range(0, case.rows, case.batch):
            layers[0] = X[start : start + case.batch]
            for i, weight in enumerate(weights):
                multiply(layers[i], weight, out=layers[i + 1])
            for i in range(last - 1, -1, -1):
                multiply(transpose(layers[i]), layers[i + 1], out=gradients[i])
                if i:
                    multiply(layers[i + 1], transposed[i], out=layers[i])

    return epoch


def _repeat(call: Callable[[], None], clock: Clock) -> None:
    call()
    while clock(lambda: []):
        call()
