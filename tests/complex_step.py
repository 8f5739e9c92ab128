"""Derivatives to the last digits without a rule of differentiation: the imaginary part of f(x + ih) / h, h = 1e-30.

Nothing is subtracted, so nothing cancels (Squire, Trapp, Using complex variables to estimate derivatives of real functions, SIAM
Review 40, 1998). The function must be analytic where it is computed, and hold for complex numbers: no abs, no conjugate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import multimlp as mm

STEP = 1e-30


def slopes(function: Callable[[Any], Any], point: Any) -> Any:
    """The derivative of an array-valued function of a tree: for each array of the tree the outputs' shape and then its own."""
    leaves, rebuild = mm.tree.flatten(point)
    leaves = [np.asarray(leaf, dtype=np.complex128) for leaf in leaves]
    found = []
    for n, leaf in enumerate(leaves):
        rows = []
        for index in np.ndindex(leaf.shape):
            moved = leaf.copy()
            moved[index] += 1j * STEP
            rows.append(np.imag(function(rebuild([*leaves[:n], moved, *leaves[n + 1 :]]))) / STEP)
        stacked = np.stack(rows, axis=-1)
        found.append(stacked.reshape((*stacked.shape[:-1], *leaf.shape)))
    return rebuild(found)
