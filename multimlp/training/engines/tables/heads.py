"""The end of the network: from targets to what the steps use, and from outputs to loss and gradient."""

from __future__ import annotations

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
    width, batch : int
        Of the outputs.
    labels, weighted : bool
        Whether targets are class labels, and whether examples have weights.
    """

    def __init__(
        self, kernels: CompiledKernels, loss: Loss, width: int, batch: int, labels: bool, weighted: bool
    ) -> None:
        self._kernels, self._loss, self._batch = kernels, loss, batch
        self._labels, self._weighted = labels, weighted
        self._share = kernels.zeros((batch,))
        self._share[:] = loss.scale / batch
        self._softmax = head_for(loss) is SoftmaxHead
        self._smoothing, classes = loss.options.get("label_smoothing", 0.0), loss.options.get("class_weights")
        self._classes = np.ones(width) if classes is None else np.asarray(classes, dtype=np.float64)
        self._smooth = self._softmax and (self._smoothing != 0 or classes is not None)
        by_label = self._softmax and labels and not self._smooth
        self._targets = None if by_label else kernels.zeros((width, batch))

    def load(self, part: slice) -> list[Record]:
        """Weights and targets of a slice of a step's examples."""
        kernels, records = self._kernels, []
        if self._weighted:
            rows, weights = Late("rows", self._batch), Late("weights")
            share = self._share[part]
            records.append(kernels.shares(weights, rows, share, part.start, self._batch, self._loss.scale))
        if self._targets is not None:
            targets = self._targets[:, part]
            take = kernels.one_hot if self._softmax and self._labels else kernels.gather_columns
            records.append(take(Late("targets"), self._rows(part), targets))
            if self._smooth:
                records.append(kernels.smooth(targets, self._classes, self._smoothing))
        return records

    def step(self, part: slice, z: np.ndarray, d: np.ndarray, total: np.ndarray) -> Record:
        """From the outputs of a slice to their gradient; the loss is added to ``total``."""
        kernels, loss, share = self._kernels, self._loss, self._share[part]
        if self._targets is None:
            return kernels.softmax_of_labels(z, d, Late("targets"), self._rows(part), share, total)
        targets = self._targets[:, part]
        if self._softmax:
            return kernels.softmax(z, d, targets, share, total)
        plain = loss if loss.scale == 1 else loss.scaled(1 / loss.scale)  # the shares have it
        return kernels.loss(plain, plain.gradient, z, d, targets, share, total)

    def _rows(self, part: slice) -> Late:
        return Late("rows", self._batch, first=part.start)
