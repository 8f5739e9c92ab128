"""torch's ``linalg`` as array-api-compat has it, but for a derivative that torch takes to be 0 in silence."""

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
    singular = torch.where(
        found == 0, found, torch.ones_like(found)
    )  # no square of a small one, which would be 0
    return torch.where(found == 0, torch.sqrt(singular * singular), found)
