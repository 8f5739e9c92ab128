"""How much of the gradient reaches each layer."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from multimlp import losses
from multimlp.backend import Array, Backend, Target, host, owner
from multimlp.callbacks import Callback, Run
from multimlp.errors.checks import check_whole
from multimlp.errors.shown import short_repr
from multimlp.mlp import MLP, Params, check_params
from multimlp.training import check_rows, place
from multimlp.transforms import value_and_grad

VANISHING = 1e-3
"""A first layer's gradient below this share of the last one's is vanishing; above its inverse, exploding."""


@dataclass(frozen=True)
class GradientFlow:
    """The gradient of a loss, layer by layer, first to last.

    Attributes
    ----------
    loss : float
    weight_norms, bias_norms : tuple of float
        Euclidean norms of the loss's gradient with respect to each layer's weight and bias (0 without one).
    parameter_norms : tuple of float
        Norms of the weights themselves.
    """

    loss: float
    weight_norms: tuple[float, ...]
    bias_norms: tuple[float, ...]
    parameter_norms: tuple[float, ...]

    __repr__ = short_repr

    @property
    def ratio(self) -> float:
        """The first layer's weight gradient over the last one's."""
        last = self.weight_norms[-1]
        return self.weight_norms[0] / last if last > 0 else math.nan

    @property
    def verdict(self) -> str:
        """``"healthy"``, ``"vanishing"``, ``"exploding"`` or ``"not finite"``."""
        if not all(math.isfinite(norm) for norm in self.weight_norms):
            return "not finite"
        if max(self.weight_norms) == 0 or self.ratio < VANISHING:
            return "vanishing"
        return "exploding" if self.ratio > 1 / VANISHING else "healthy"

    def __str__(self) -> str:
        lines = [
            f"loss {self.loss:.6g}; the gradient is {self.verdict} (first / last layer: {self.ratio:.3g})"
        ]
        lines.append("layer   |dL/dW|     |dL/db|     |dL/dW| / |W|")
        columns = zip(self.weight_norms, self.bias_norms, self.parameter_norms, strict=True)
        for i, (weight, bias, size) in enumerate(columns):
            share = weight / size if size > 0 else math.nan
            lines.append(f"{i + 1:5}   {weight:9.3e}   {bias:9.3e}   {share:9.3e}")
        return "\n".join(lines)


def gradient_flow(mlp: MLP, params: Params, X: Any, y: Any, loss: Any = "cross_entropy") -> GradientFlow:
    """The norm of the loss's gradient in each layer: a diagnosis of vanishing and exploding gradients.

    Parameters
    ----------
    mlp : MLP
    params : tuple of Dense
        The gradient is taken on their backend.
    X : array of shape (n, in_features)
    y : array of shape (n,) or (n, k)
    loss : str, Loss or callable
        As for `multimlp.fit`; averaged over the rows.

    Returns
    -------
    GradientFlow

    Raises
    ------
    InputError
        If the arguments do not fit each other, or ``params`` is an ensemble.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp.structure import gradient_flow
    >>> mlp = mm.MLP(2, [8] * 10, 2, activation="sigmoid")
    >>> X, y = np.asarray([[0.0, 1.0], [1.0, 0.0]]), np.asarray([0, 1])
    >>> gradient_flow(mlp, mlp.init(seed=0), X, y).verdict
    'vanishing'
    """
    check_params(mlp, params, single=True)
    rule = losses.get(loss)
    weight = params[0].weight
    backend = owner(weight)
    target = Target(backend, backend.device_name(weight), backend.dtype_name(weight.dtype))
    inputs, labels = host(X, "X"), host(y, "y")
    check_rows(inputs, labels, None, mlp.in_features)
    rule.validate((int(labels.shape[0]), mlp.out_features), labels)
    inputs, targets, _ = place(target, rule, inputs, labels)

    def objective(weights: Params) -> Array:
        return losses.reduce(rule(mlp(weights, inputs), targets))

    with backend.scope_of(weight):
        value, gradient = value_and_grad(objective)(params)
    return GradientFlow(
        loss=float(backend.to_numpy(value)),
        weight_norms=tuple(_norm(backend, layer.weight) for layer in gradient),
        bias_norms=tuple(_norm(backend, layer.bias) for layer in gradient),
        parameter_norms=tuple(_norm(backend, layer.weight) for layer in params),
    )


def _norm(backend: Backend, array: Array | None) -> float:
    """In float64 on the host, so that small gradients of a deep network do not underflow when squared."""
    return 0.0 if array is None else float(np.linalg.norm(backend.to_numpy(array).astype(np.float64)))


class RecordGradientFlow(Callback):
    """A callback of `multimlp.fit` that records the gradient flow on fixed rows while a network is trained.

    Parameters
    ----------
    X, y : array
        The rows; a few hundred suffice.
    loss : str, Loss or callable
    every : int
        Epochs from one record to the next; the first is made before training.

    Attributes
    ----------
    epochs : list of int
    records : list of GradientFlow

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp.structure import RecordGradientFlow
    >>> X, y = np.asarray([[0.0, 1.0], [1.0, 0.0]]), np.asarray([0, 1])
    >>> watch = RecordGradientFlow(X, y)
    >>> result = mm.fit(mm.MLP(2, [4, 4], 2), X, y, epochs=3, callbacks=[watch], validation=None)
    >>> watch.epochs
    [0, 1, 2, 3]
    """

    def __init__(self, X: Any, y: Any, loss: Any = "cross_entropy", every: int = 1) -> None:
        self._every = check_whole("every", every, low=1)
        self._X, self._y, self._loss = host(X, "X"), host(y, "y"), losses.get(loss)
        check_rows(self._X, self._y, None, None)
        self.epochs: list[int] = []
        self.records: list[GradientFlow] = []

    def on_fit_begin(self, run: Run) -> None:
        if run.epoch == 0:
            self.epochs, self.records = [], []
        if not self.epochs:
            self._record(run)

    def on_epoch_end(self, run: Run) -> None:
        if run.epoch % self._every == 0:
            self._record(run)

    def settings(self) -> dict[str, Any]:
        return {"every": self._every}

    def state(self) -> Any:
        return {"epochs": list(self.epochs), "records": [astuple(flow) for flow in self.records]}

    def restore(self, state: Any) -> None:
        self.epochs = [int(epoch) for epoch in state["epochs"]]
        self.records = [GradientFlow(loss, *map(tuple, norms)) for loss, *norms in state["records"]]

    def _record(self, run: Run) -> None:
        self.epochs.append(run.epoch)
        self.records.append(gradient_flow(run.mlp, run.params, self._X, self._y, self._loss))
