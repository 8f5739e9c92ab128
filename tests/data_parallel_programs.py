"""What processes of the tests of compiled programs run."""

from __future__ import annotations

import os
import threading

import data_parallel_cases as cases
import numpy as np

import multimlp as mm
from multimlp.training.engines import Chunk, Problem, choose


def on_two_devices():
    """One case on one device and on two; and what comes back, of which programs are looked at."""
    name = "dropout"
    return {
        "one": cases.fitted(name, "jax"),
        "two": cases.fitted(name, "jax", devices=2),
        "refused": cases.said(lambda: cases.small_fit(backend="jax", devices=9)),
        "members": [members(4, placed) for placed in (None, 2)],
    }


def on_devices(names, devices):
    """The table on one device and on several of this process, the latter twice; and in shards, on each of the numbers of devices."""
    most = devices[-1]
    several = {"backend": "jax", "devices": most}
    return {
        "one": cases.table(names, "jax")[0],
        "several": [{name: cases.fitted(name, "jax", devices=most) for name in names} for _ in range(2)],
        "shards": [
            {name: cases.fitted(name, "jax", devices=count, shards=4) for name in names} for count in devices
        ],
        "reason": cases.small_fit(**several).engine_reason,
        "refused": {
            "too many": cases.said(lambda: cases.small_fit(backend="jax", devices=9)),
            "no such": cases.said(lambda: cases.small_fit(backend="jax", devices=["cpu", "cpu:9"])),
            "named": cases.said(lambda: cases.small_fit(backend="jax", devices=["cpu:1", "cpu:2"])),
            "shards": cases.said(lambda: cases.small_fit(backend="jax", devices=most, shards=most + 1)),
        },
        "local": _local(),
        "sweeps": [swept(count) for count in (None, *devices[1:])],
        "members": [members(4, placed, 0.2) for placed in (None, *devices[1:])],
    }


def members(count, devices, dropout=0.0):
    """An ensemble with its members on so many devices."""
    X, y, _ = cases.data()
    mlp = mm.MLP(cases.FEATURES, 8, cases.CLASSES, dropout=dropout, **cases.MODEL)
    backend = mm.get_backend("jax")
    params = mlp.init(range(count), "jax", "float64")
    problem = Problem(
        mlp, mm.losses.get("cross_entropy"), mm.optimizers.adam(0.01), None, backend, None, "float64", count, 10, 0,
        placement=None if devices is None else backend.members_on(devices, count),
    )  # fmt: skip
    with backend.scope("float64"):
        engine, reason = choose(problem, params)
        chunk = Chunk(backend.asarray(X), backend.asarray(y, dtype="int32"), None)
        for epoch in range(2):
            result = engine.run(chunk, np.arange(cases.ROWS), 6 * epoch)
        engine.params(), engine.optimizer_state()
        leaves = mm.tree.leaves(engine.finish())
        return [np.asarray(leaf) for leaf in (*leaves, result.loss)], reason


def swept(devices):
    """Candidates, dropped out each at its own rate, on so many devices."""
    X, y, _ = cases.data()
    grid = {"seed": range(2), "learning_rate": [0.01, 0.1], "dropout": [0.0, 0.2]}
    mlp = mm.MLP(cases.FEATURES, 8, cases.CLASSES, **cases.MODEL)
    result = mm.sweep(
        mlp,
        grid,
        X,
        y,
        devices=devices,
        epochs=3,
        batch_size=10,
        backend="jax",
        dtype="float64",
        progress=False,
    )
    params = [np.asarray(leaf) for i in range(len(result)) for leaf in mm.tree.leaves(result.params(i))]
    return [*params, np.asarray(result.table.columns["val_loss"])], result.engine_reason


def _local():
    """What comes back is an ordinary array, on one device, of which predictions are made."""
    result = cases.small_fit(backend="jax", devices="all")
    weight = result.params[0].weight
    mlp = mm.MLP(cases.FEATURES, 8, cases.CLASSES, **cases.MODEL)
    return len(weight.sharding.device_set), mm.predict(mlp, result.params, cases.data()[0]).shape


def too_late(backend):
    """The library has computed before it is to join the others: sums go over the host, and shards are refused."""
    mm.MLP(2, 3, 2).init(0, backend)
    found = cases.fitted("dropout", backend, devices="all")
    result = cases.small_fit(backend=backend)
    return found, result.engine_reason, cases.said(lambda: cases.small_fit(backend=backend, shards=4))


class Dies(mm.callbacks.Callback):
    """The end of process 1, without a word, in the middle of the second epoch."""

    def settings(self):
        return {}

    def on_epoch_end(self, run):
        if mm.distributed.rank() == 1:
            threading.Timer(0.5, os._exit, (9,)).start()


def dying(backend, folder):
    """What the other process is told stands in a file, since nobody returns."""
    X, y, _ = cases.data()
    more = {"X": np.tile(X, (200, 1)), "y": np.tile(y, 200), "batch_size": 4, "epochs": 50}
    path = os.path.join(folder, "run.safetensors")
    text = cases.said(lambda: cases.small_fit(backend=backend, callbacks=[Dies()], checkpoint=path, **more))
    with open(os.path.join(folder, "said"), "w", encoding="utf-8") as file:
        file.write(text)


def checkpointed(backend, folder, epochs, **more):
    """A run that is written to a file, or goes on from it."""
    path = os.path.join(folder, f"{backend}.safetensors")
    result = cases.small_fit(backend=backend, epochs=epochs, checkpoint=path, **more)
    host = mm.get_backend(backend).to_numpy
    return np.concatenate([np.ravel(host(leaf)) for leaf in mm.tree.leaves(result.params)])
