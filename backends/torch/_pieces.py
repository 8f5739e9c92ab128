"""Chains of element-wise operations, run over pieces of arrays that stay in the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

_BYTES = 1 << 18
"""Of a piece, for each thread: several fit into a cache of 1 MiB, and a call is short beside the work on one."""


def in_pieces(compute: Callable[..., Any], x: torch.Tensor, outputs: int, scratch: int) -> list[torch.Tensor]:
    """New arrays shaped as x that ``compute(x, *outputs, *scratch)`` fills.

    ``compute`` is called for each piece in turn and writes by ``out=``; all pieces have the same scratch.
    """
    made = [torch.empty_like(x) for _ in range(outputs)]
    size = _BYTES // x.element_size() * torch.get_num_threads()
    if x.numel() <= size or not x.is_contiguous():
        compute(x, *made, *[torch.empty_like(x) for _ in range(scratch)])
        return made
    work = [x.new_empty(size) for _ in range(scratch)]
    for parts in zip(*[a.view(-1).split(size) for a in (x, *made)], strict=True):
        length = parts[0].shape[0]
        compute(*parts, *(work if length == size else [w[:length] for w in work]))
    return made
