"""Chains of element-wise operations, run over pieces of arrays that stay in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

_BYTES = 1 << 18
"""Of a piece, for each thread: three or four fit into a cache of 1 MiB, and a call is short beside the work on one."""


def piece_size(x: torch.Tensor) -> int:
    """Numbers in a piece of an array of x's dtype."""
    return _BYTES // x.element_size() * torch.get_num_threads()


def filled(compute: Callable[..., Any], x: torch.Tensor, outputs: int, scratch: int) -> list[torch.Tensor]:
    """New arrays shaped as x, after ``compute(x, *outputs, *scratch)``, which writes by ``out=``."""
    made = [torch.empty_like(x) for _ in range(outputs)]
    in_pieces(compute, (x, *made), scratch)()
    return made


def in_pieces(
    compute: Callable[..., Any], arrays: Sequence[torch.Tensor], scratch: int
) -> Callable[[], None]:
    """The call ``compute(*arrays, *scratch)``, for each piece of the arrays in turn; all pieces have the same scratch."""
    x = arrays[0]
    size = piece_size(x)
    if x.numel() <= size or not all(a.is_contiguous() for a in arrays):
        whole = (*arrays, *[torch.empty_like(x) for _ in range(scratch)])
        return lambda: compute(*whole)
    work = [x.new_empty(size) for _ in range(scratch)]
    pieces = [
        (*parts, *[w[: parts[0].shape[0]] for w in work])
        for parts in zip(*[a.view(-1).split(size) for a in arrays], strict=True)
    ]

    def call() -> None:
        for piece in pieces:
            compute(*piece)

    return call
