"""Moving arrays from one library to another."""

from __future__ import annotations

from typing import Any

from multimlp import registry, tree
from multimlp.backend import Backend
from multimlp.registry import Array
from multimlp.selection import get_backend
from multimlp.tree import Tree


def convert(
    x: Tree, backend: str | Backend, device: str | None = None, dtype: str | None = None
) -> Tree:
    """Arrays, or a tree of them such as parameters, as arrays of another library.

    Parameters
    ----------
    x : array or tree of arrays
        Of any libraries; leaves that are no arrays stay as they are.
    backend : str or Backend
    device : str, optional
        Default: the device that the array is on, if the backend can reach it without a copy, else its default device.
    dtype : str, optional
        Default: the array's own.

    Returns
    -------
    tree
        Shares memory with ``x`` where both libraries allow it safely: do not write to either.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.convert((np.ones(2), None), backend="numpy", dtype="float32")
    (array([1., 1.], dtype=float32), None)
    """
    target = get_backend(backend)
    place = target.resolve_device(device)

    def move(leaf: Any) -> Array:
        owner = registry.owner_of_type(type(leaf))
        if owner is None:
            return leaf
        if owner is target:
            return target.asarray(leaf, dtype=dtype, device=place)
        kind = dtype or owner.dtype_name(leaf.dtype)
        return target.adopt(leaf, owner, dtype=kind, device=place)

    return tree.map(move, x)
