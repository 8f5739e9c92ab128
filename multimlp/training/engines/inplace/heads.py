"""The end of the network: the loss of a slice of a batch and its gradient with respect to the outputs, for all batches of a
block of steps. Most batches are one slice.

A head is made for slices of ``batch`` of the ``examples`` over which losses are means. It keeps the targets of a whole block in the
form in which the steps use them, and what the steps leave of their losses. The weights of the examples (one over the batch's size, or
the sample weights over their sum) are folded into the targets beforehand.
"""

from __future__ import annotations

from typing import Any, Protocol

from multimlp import losses
from multimlp.backend import Array, Call, Kernels, array_namespace
from multimlp.losses import Loss


class Head(Protocol):
    """What a program asks of the end of its network."""

    def load(self, targets: Array, weights: Array | None) -> None:
        """Take the targets (steps * batch, ...) and normalised weights (steps, batch) of a block's first
        steps."""

    def step(self, position: int, z: Array, d: Array) -> Call:
        """The call that turns outputs ``z`` (..., k, batch) into their gradient ``d``; ``z`` is spent."""

    def losses(self, steps: int) -> Array:
        """What the slices add to the mean losses of the first steps of the block; shape (steps, ...)."""


class SoftmaxHead:
    """Cross-entropy of a softmax: labels or probabilities, label smoothing, class weights, sample weights."""

    def __init__(
        self,
        kernels: Kernels,
        loss: Loss,
        steps: int,
        lead: tuple[int, ...],
        k: int,
        batch: int,
        examples: int,
        uniform: bool,
    ) -> None:
        self._kernels, self._batch = kernels, batch
        self._share = loss.scale / examples
        self._factor = loss.scale
        self._smoothing = loss.options.get("label_smoothing", 0.0)
        self._classes = loss.options.get("class_weights")
        self._targets = kernels.zeros((steps, k, batch))
        self._scales: Array | None = None if uniform else kernels.zeros((steps, 1, batch))
        self._sums = kernels.zeros((steps, *lead, 1, batch))
        self._dots = kernels.zeros((steps, *lead))

    @staticmethod
    def is_uniform(loss: Loss, labels: bool, weighted: bool) -> bool:
        """Whether every column of targets has the same sum, 1 over the batch's size."""
        return labels and not weighted and loss.options.get("class_weights") is None

    def load(self, targets: Array, weights: Array | None) -> None:
        _, k, batch = self._targets.shape
        steps = targets.shape[0] // batch
        xp = array_namespace(targets, self._targets)
        q = losses.one_hot(xp, targets, k) if targets.ndim == 1 else targets
        q = xp.astype(xp.reshape(q, (steps, batch, k)), self._targets.dtype)
        if self._smoothing:
            q = q * (1 - self._smoothing) + self._smoothing / k
        if self._classes is not None:
            q = q * xp.asarray(self._classes, dtype=q.dtype, device=getattr(q, "device", None))
        q = q * (-self._share if weights is None else -self._factor * weights[:, :, None])
        self._targets[:steps] = xp.permute_dims(q, (0, 2, 1))
        if self._scales is not None:
            self._scales[:steps, 0] = -xp.sum(q, axis=-1)

    def step(self, position: int, z: Array, d: Array) -> Call:
        scale = self._share if self._scales is None else self._scales[position]
        return self._kernels.softmax_cross_entropy(
            z, d, self._targets[position], scale, self._sums[position], self._dots[position, ...]
        )

    def losses(self, steps: int) -> Array:
        scale: Any = self._share
        if self._scales is not None:
            extra = self._dots.ndim - 1
            scale = self._scales[:steps].reshape((steps, *(1,) * extra, 1, self._batch))
        return self._kernels.softmax_cross_entropy_loss(scale, self._sums[:steps], self._dots[:steps])


class SquaredHead:
    """Mean squared error."""

    def __init__(
        self,
        kernels: Kernels,
        loss: Loss,
        steps: int,
        lead: tuple[int, ...],
        k: int,
        batch: int,
        examples: int,
        uniform: bool,
    ) -> None:
        self._kernels, self._batch, self._k, self._factor = kernels, batch, k, loss.scale
        self._share = 1.0 / examples
        self._targets = kernels.zeros((steps, k, batch))
        self._scales: Array | None = None if uniform else kernels.zeros((steps, 1, batch))
        self._dots = kernels.zeros((steps, *lead))

    @staticmethod
    def is_uniform(loss: Loss, labels: bool, weighted: bool) -> bool:
        return not weighted

    def load(self, targets: Array, weights: Array | None) -> None:
        _, k, batch = self._targets.shape
        steps = targets.shape[0] // batch
        xp = array_namespace(targets, self._targets)
        self._targets[:steps] = xp.permute_dims(xp.reshape(targets, (steps, batch, k)), (0, 2, 1))
        if self._scales is not None and weights is not None:
            self._scales[:steps, 0] = weights

    def step(self, position: int, z: Array, d: Array) -> Call:
        scale = self._share if self._scales is None else self._scales[position]
        targets, dots = self._targets[position], self._dots[position, ...]
        return self._kernels.squared_error(z, d, targets, scale, 2.0 * self._factor / self._k, dots)

    def losses(self, steps: int) -> Array:
        means = self._dots[:steps] / self._k
        return means if self._factor == 1 else means * self._factor


class ClosedFormHead:
    """Any other built-in loss, through its own function and closed-form gradient."""

    def __init__(
        self,
        kernels: Kernels,
        loss: Loss,
        steps: int,
        lead: tuple[int, ...],
        k: int,
        batch: int,
        examples: int,
        uniform: bool,
    ) -> None:
        self._kernels, self._loss, self._batch = kernels, loss, batch
        self._weights = kernels.filled((steps, batch), 1.0 / examples)
        self._losses = kernels.zeros((steps, *lead))
        self._targets: Array | None = None

    @staticmethod
    def is_uniform(loss: Loss, labels: bool, weighted: bool) -> bool:
        return False

    def load(self, targets: Array, weights: Array | None) -> None:
        self._targets = targets
        if weights is not None:
            self._weights[: weights.shape[0]] = weights

    def step(self, position: int, z: Array, d: Array) -> Call:
        outputs, gradient = self._kernels.transposed(z), self._kernels.transposed(d)
        weights, result = self._weights[position], self._losses[position, ...]
        column = weights[:, None]
        rows = slice(position * self._batch, (position + 1) * self._batch)
        loss = self._loss
        xp = array_namespace(z)

        def call() -> None:
            targets = self._targets[rows]  # type: ignore[index]
            gradient[...] = loss.gradient(outputs, targets) * column
            result[...] = xp.sum(loss(outputs, targets) * weights, axis=-1)

        return call

    def losses(self, steps: int) -> Array:
        return self._losses[:steps]


_FUSED: tuple[tuple[Loss, type[SoftmaxHead] | type[SquaredHead]], ...] = (
    (losses.cross_entropy, SoftmaxHead),
    (losses.mse, SquaredHead),
)


def head_for(loss: Loss) -> type[SoftmaxHead] | type[SquaredHead] | type[ClosedFormHead]:
    """The kind of head for a loss: by what it computes, since anybody may call a loss of their own ``"mse"``."""
    for known, head in _FUSED:
        if loss.function is known.function and loss.gradient_function is known.gradient_function:
            return head
    return ClosedFormHead
