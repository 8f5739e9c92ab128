"""multimlp, as a user calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import multimlp as mm
from benchmarks.channel import Clock
from benchmarks.jobs import Call, Network, Training, flatten
from multimlp import bench
from multimlp.backend import Array, Backend, array_namespace
from multimlp.callbacks import Run


def training(backend: str, job: Training, clock: Clock) -> str:
    """`mm.fit`."""
    adapter = mm.get_backend(backend)
    members = job.case.members

    def read(run: Run) -> list[Network]:
        layers = [(adapter.to_numpy(layer.weight), adapter.to_numpy(layer.bias)) for layer in run.params]
        return [layers] if members is None else [[(w[i], b[i]) for w, b in layers] for i in range(members)]

    result = bench.train(job.case, lambda run: clock(lambda: read(run)), backend, job.device, "float32")
    return f"{result.engine} engine: {result.engine_reason}"


def call(backend: str, job: Call) -> tuple[Callable[[], Any], Callable[[Any], np.ndarray]]:
    """`mm.predict`, an activation, or a transform; compiled by `mm.jit` where that is how transforms are used."""
    adapter = mm.get_backend(backend)
    function, arguments = KINDS[job.kind](job, adapter)

    def compute() -> Any:
        result = function(*arguments)
        adapter.synchronize(*mm.tree.leaves(result))
        return result

    return compute, lambda result: flatten([adapter.to_numpy(leaf) for leaf in mm.tree.leaves(result)])


def compiled_activation(backend: str, job: Call) -> tuple[Callable[[], Any], Callable[[Any], np.ndarray]]:
    """An activation under `mm.jit`."""
    adapter = mm.get_backend(backend)
    function, (x,) = mm.jit(mm.activations.get(job.name)), (_placed(job, adapter, job.inputs()),)

    def compute() -> Any:
        result = function(x)
        adapter.synchronize(result)
        return result

    return compute, adapter.to_numpy


Prepared = tuple[Callable[..., Any], tuple[Any, ...]]


def _placed(job: Call, adapter: Backend, values: np.ndarray) -> Array:
    return adapter.asarray(values, dtype=values.dtype.name, device=job.device)


def _params(job: Call, adapter: Backend) -> mm.mlp.Params:
    place = [(_placed(job, adapter, w), _placed(job, adapter, b)) for w, b in job.network()]
    return tuple(mm.Dense(w, b) for w, b in place)


def _inference(job: Call, adapter: Backend) -> Prepared:
    mlp = mm.MLP(job.sizes[0], job.sizes[1:-1], job.sizes[-1])
    return mm.predict, (mlp, _params(job, adapter), _placed(job, adapter, job.inputs()))


def _activation(job: Call, adapter: Backend) -> Prepared:
    return mm.activations.get(job.name), (_placed(job, adapter, job.inputs()),)


def _transform(job: Call, adapter: Backend) -> Prepared:
    mlp = mm.MLP(job.sizes[0], job.sizes[1:-1], job.sizes[-1], activation="tanh")
    params = _params(job, adapter)
    X, y = _placed(job, adapter, job.inputs()), _placed(job, adapter, job.labels())

    def loss(params: Any, X: Array, y: Array) -> Array:
        losses = mm.losses.cross_entropy(mlp(params, X), y)
        return array_namespace(losses).mean(losses)

    def one_loss(params: Any, x: Array, label: Array) -> Array:
        xp = array_namespace(x)
        return loss(params, xp.expand_dims(x, axis=0), xp.expand_dims(label, axis=0))

    def outputs(x: Array) -> Array:
        return mlp(params, x)

    def total(x: Array) -> Array:
        return array_namespace(x).sum(outputs(x))

    def first_weight(params: Any, x: Array, label: Array) -> Array:
        return mm.grad(one_loss)(params, x, label)[0].weight

    transforms: dict[str, Prepared] = {
        "grad": (mm.grad(loss), (params, X, y)),
        "hvp": (lambda p, X, y: mm.hvp(lambda q: loss(q, X, y), (p,), (p,)), (params, X, y)),
        "per-example": (mm.vmap(first_weight, in_axes=(None, 0, 0)), (params, X, y)),
        "jacobian": (mm.jacobian(outputs), (X[0, :],)),
        "hessian": (mm.hessian(total), (X[0, :],)),
    }
    function, arguments = transforms[job.name]
    compiles = adapter.capabilities.epoch == "compiled"
    return (mm.jit(function) if compiles else function), arguments


KINDS: dict[str, Callable[[Call, Backend], Prepared]] = {
    "inference": _inference,
    "activation": _activation,
    "transform": _transform,
}
