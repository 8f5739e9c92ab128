"""torch's ``linalg`` as array-api-compat has it, but for a derivative that torch takes to be 0, and for what its vmap confuses."""

from __future__ import annotations

import importlib
from typing import Any

import torch
from array_api_compat.torch.linalg import *

from multimlp.backend import Array

_compat: Any = importlib.import_module("array_api_compat.torch.linalg")  # its types say less than it has

__all__ = [name for name in _compat.__all__ if name[0] != "_"]


def det(x: Array, /) -> Array:
    """The determinant; of a singular matrix the derivative is NaN.

    It is the matrix of cofactors, and torch divides by what it decomposes the matrix into: where that has a zero it gives 0.
    """
    found = torch.linalg.det(x)
    # Only of those that are 0: the square of a small one would be 0 too.
    singular = torch.where(found == 0, found, torch.ones_like(found))
    return torch.where(found == 0, torch.sqrt(singular * singular), found)


def solve(x1: Array, x2: Array, /) -> Array:  # type: ignore[no-redef]
    """The x of ``x1 @ x = x2``; stacks of matrices and of right-hand sides have all their axes, so that nothing is left to guess.

    Torch takes for a stack of vectors what has the shape of one, and under vmap one axis of x2 more or less makes it that.
    """
    if x1.ndim == 2 and x2.ndim == 2:
        return _compat.solve(x1, x2)
    if x2.ndim == 1:
        return solve(x1, x2[:, None])[..., 0]
    stack = torch.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    return _compat.solve(x1.expand(*stack, *x1.shape[-2:]), x2.expand(*stack, *x2.shape[-2:]))
