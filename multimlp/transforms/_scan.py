"""Loops that carry a state."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from multimlp import tree
from multimlp.backend import Array
from multimlp.errors import ShapeError
from multimlp.transforms._call import Outputs, backend_of
from multimlp.tree import Tree


def scan(
    f: Callable[[Tree, Tree], tuple[Tree, Tree]], init: Tree, xs: Tree, length: int | None = None
) -> tuple[Tree, Tree]:
    """``carry, y = f(carry, x)`` over the leading axis of ``xs``; the last carry and all ``y``, stacked.

    Parameters
    ----------
    f : callable
        ``(carry, x) -> (carry, y)``; the carry keeps its structure, shapes and dtypes.
    init : tree of arrays
    xs : tree of arrays with the same leading size, or None
    length : int, optional
        Number of steps; needed when ``xs`` is None.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> total, partial = mm.scan(lambda c, x: (c + x, c + x), np.asarray(0.0), np.arange(4.0))
    >>> float(total), partial
    (6.0, array([0., 1., 3., 6.]))
    """
    carry, rebuild_carry = tree.flatten(init)
    items, rebuild_items = tree.flatten(xs)
    sizes = {int(item.shape[0]) for item in items} | (set() if length is None else {length})
    if len(sizes) != 1:
        raise ShapeError(
            f"scan: the leading sizes of xs and length must agree, got {', '.join(map(str, sorted(sizes))) or 'none'}"
        )
    backend, outputs = backend_of((*carry, *items)), Outputs()

    def step(carry: Sequence[Array], items: Sequence[Array]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        result, row = f(rebuild_carry(carry), rebuild_items(items))
        return tuple(tree.leaves(result)), outputs.split(row)

    with backend.scope_of(*carry, *items):
        last, rows = backend.scan(step, tuple(carry), tuple(items), sizes.pop())
    return rebuild_carry(last), outputs.join(rows)
