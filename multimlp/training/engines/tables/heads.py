"""The end of the network: from targets to what the steps use, and from outputs to loss and gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from multimlp.backend import CompiledKernels, Late, Record
from multimlp.losses import Loss
from multimlp.training.engines.inplace.heads import SoftmaxHead, head_for


class Head:
    """The records of one batch size.

    Parameters
    ----------
    kernels : CompiledKernels
    loss : Loss
    total : array, shape (1,)
        Where the mean losses are added up.
    rows : Late
        The rows of a step.
    width, batch : int
        Of the outputs.
    labels, weighted : bool
        Whether targets are class labels, and whether examples have weights.
    """

    def __init__(
        self,
        kernels: CompiledKernels,
        loss: Loss,
        total: np.ndarray,
        rows: Late,
        width: int,
        batch: int,
        labels: bool,
        weighted: bool,
    ) -> None:
        self._kernels, self._loss, self._total, self._rows, self._labels = kernels, loss, total, rows, labels
        self._share = kernels.zeros((batch,))
        self._share[:] = loss.scale / batch
        self._weighted = weighted
        self._softmax = head_for(loss) is SoftmaxHead
        smoothing, classes = loss.options.get("label_smoothing", 0.0), loss.options.get("class_weights")
        self._smoothing = (
            smoothing,
            np.ones(width) if classes is None else np.asarray(classes, dtype=np.float64),
        )
        self._smooth = self._softmax and (smoothing != 0 or classes is not None)
        self._targets = (
            None if self._softmax and labels and not self._smooth else kernels.zeros((width, batch))
        )

    def load(self) -> list[Record]:
        """Weights and targets of a step's examples."""
        kernels, rows, records = self._kernels, self._rows, []
        if self._weighted:
            records.append(kernels.shares(Late("weights"), rows, self._share, self._loss.scale))
        if self._targets is not None:
            take = kernels.one_hot if self._softmax and self._labels else kernels.gather_columns
            records.append(take(Late("targets"), rows, self._targets))
            if self._smooth:
                smoothing, classes = self._smoothing
                records.append(kernels.smooth(self._targets, classes, smoothing))
        return records

    def step(self, z: np.ndarray, d: np.ndarray) -> Sequence[Record]:
        """From the outputs to their gradient."""
        kernels, loss, share, total = self._kernels, self._loss, self._share, self._total
        if self._targets is None:
            return [kernels.softmax_of_labels(z, d, Late("targets"), self._rows, share, total)]
        if self._softmax:
            return [kernels.softmax(z, d, self._targets, share, total)]
        assert loss.gradient_function is not None  # see `inplace.coverage`
        plain = loss if loss.scale == 1 else loss.scaled(1 / loss.scale)  # the shares have it
        return [kernels.loss(plain, plain.gradient, z, d, self._targets, share, total)]
