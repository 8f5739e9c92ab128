"""Losses of CPU tensors by torch's own, where they agree with the portable definitions: what is usual, and nothing to be converted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from multimlp.backends.torch._activations import where_made_for


def _cross_entropy(
    outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0, class_weights: Any = None
) -> Tensor:
    usual = outputs.ndim == 2 and targets.ndim == 1 and targets.shape[0] == outputs.shape[0]
    if not usual or label_smoothing or class_weights is not None or targets.dtype not in _LABELS:
        return NotImplemented
    return functional.cross_entropy(
        outputs, targets.to(torch.int64), reduction="none", ignore_index=_NO_LABEL
    )


_NO_LABEL = -(2**63)
"""torch's default, -100, would be a label without a loss."""
_LABELS = frozenset((torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8))


def _mean_of(loss: Callable[..., Tensor], *names: str) -> Callable[..., Tensor]:
    """The mean over the outputs of one of torch's losses, whose options are called so."""

    def kernel(outputs: Tensor, targets: Tensor, *options: Any, **named: Any) -> Tensor:
        if outputs.ndim < 2 or targets.shape != outputs.shape or targets.dtype is not outputs.dtype:
            return NotImplemented
        given = dict(zip(names, options, strict=False)) | named
        return loss(outputs, targets, reduction="none", **given).mean(-1)

    return kernel


def kernels() -> dict[str, Callable[..., Tensor]]:
    """By operation."""
    found: dict[str, Callable[..., Tensor]] = {
        "softmax_cross_entropy": _cross_entropy,
        "mean_squared_error": _mean_of(functional.mse_loss),
        "mean_absolute_error": _mean_of(functional.l1_loss),
        "huber_loss": _mean_of(functional.huber_loss, "delta"),
    }
    return {name: where_made_for(function) for name, function in found.items()}
