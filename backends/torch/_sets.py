"""Distinct elements, with derivatives: torch has none for them, and none that says where each is first."""

from __future__ import annotations

import torch

from multimlp.backend import Array
from multimlp.backends._host_sets import UniqueAll, with_the_others

__all__ = ["unique_all", "unique_counts", "unique_inverse", "unique_values"]


def _unique_all(x: Array, /) -> UniqueAll:
    """The distinct elements, where each is first, which of them each element is, and how often it is there."""
    values, inverse, counts = torch.unique(x.detach(), return_inverse=True, return_counts=True)
    places = torch.arange(x.numel(), device=x.device)
    first = torch.full((values.numel(),), x.numel(), device=x.device)
    first = first.scatter_reduce(0, inverse.reshape(-1), places, "amin")
    return UniqueAll(x.reshape(-1)[first], first, inverse.reshape(x.shape), counts)


unique_all, unique_counts, unique_inverse, unique_values = with_the_others(_unique_all)
