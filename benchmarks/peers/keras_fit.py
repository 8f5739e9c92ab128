"""Keras 3: `Model.fit`, on the backend that the environment variable KERAS_BACKEND names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from benchmarks.channel import Clock
from benchmarks.jobs import Call, Network, Training

_ENDLESS = 10**9


def _model(network: Network) -> keras.Model:
    layers: list[Any] = [keras.Input((network[0][0].shape[0],))]
    for i, (_, bias) in enumerate(network):
        layers.append(keras.layers.Dense(len(bias), activation="relu" if i < len(network) - 1 else None))
    model = keras.Sequential(layers)
    model.set_weights([array for layer in network for array in layer])
    return model


class _Watch(keras.callbacks.Callback):
    def __init__(self, after_epoch: Callable[[], bool]) -> None:
        super().__init__()
        self.after_epoch = after_epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self.after_epoch():
            self.model.stop_training = True


def training(job: Training, clock: Clock) -> str:
    """One long `fit`, after the epochs in our order."""
    case = job.case
    X, Y = case.data()
    (network,) = job.initial()
    model = _model(network)
    model.compile(
        keras.optimizers.Adam(job.rate, epsilon=1e-8),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def read() -> list[Network]:
        arrays = [np.asarray(array) for array in model.get_weights()]
        return [list(zip(arrays[::2], arrays[1::2], strict=True))]

    orders = job.orders()
    for _ in range(job.warm_up):
        order = next(orders)
        model.fit(X[order], Y[order], batch_size=case.batch, epochs=1, verbose=0, shuffle=False)
        if not clock(read):
            return ""
    watch = _Watch(lambda: clock(read))
    model.fit(X, Y, batch_size=case.batch, epochs=_ENDLESS, verbose=0, shuffle=True, callbacks=[watch])
    return f"keras {keras.__version__} on {keras.backend.backend()}"


def inference(job: Call) -> tuple[Callable[[], Any], Callable[[Any], np.ndarray]]:
    """`predict_on_batch`, which returns NumPy arrays."""
    model, X = _model(job.network()), job.inputs()
    return lambda: model.predict_on_batch(X), np.asarray
