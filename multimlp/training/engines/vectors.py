"""The arithmetic of L-BFGS on buffers: on the host wherever their memory is there, since NumPy's calls are the shortest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from multimlp import tree
from multimlp.backend import Array, Kernels, Target, owner
from multimlp.optimizers import Vectors
from multimlp.tree import Tree


def host_kernels(dtype: str) -> Kernels:
    """NumPy's."""
    library: Any = owner(np.empty(0))
    found: Kernels = library.inplace_kernels(dtype, None)
    return found


class BufferVectors(Vectors):
    """Vectors of one size.

    Parameters
    ----------
    kernels : Kernels
        Of the library whose arrays the vectors are.
    size : int
    home : Target, optional
        Where arrays come from and go to, if they are not such as the vectors.
    """

    def __init__(self, kernels: Kernels, size: int, home: Target | None = None) -> None:
        self.kernels, self._home = kernels, home
        self.copied = kernels.copied
        self.add = kernels.add_scaled  # type: ignore[method-assign]
        self._dot, self._absolute = kernels.dot, kernels.module.abs
        self._work = kernels.zeros((size,))
        self._curvatures: dict[int, tuple[Array, float]] = {}

    # ---- to and fro

    def taken(self, state: Tree) -> Tree:
        """A tree with vectors in the places of its arrays."""
        kernels = self.kernels
        return self._elsewhere(state, Target(kernels.backend, kernels.device, kernels.dtype))

    def given(self, state: Tree) -> Tree:
        """The inverse of `taken`."""
        return self._elsewhere(state, self._home)

    def _elsewhere(self, state: Tree, target: Target | None) -> Tree:
        if self._home is None or target is None:
            return state

        def move(x: Any) -> Any:
            if not hasattr(x, "shape"):
                return x
            return target.backend.asarray(owner(x).to_numpy(x), dtype=target.dtype, device=target.device)

        return tree.map(move, state)

    # ---- arithmetic

    def dot(self, a: Array, b: Array) -> float:
        return float(self._dot(a, b))

    def curvatures(self, steps: Sequence[Array], changes: Sequence[Array]) -> list[float]:
        # Only the newest is new; the vectors are kept beside the numbers, so that an id stands for one vector.
        before = self._curvatures
        self._curvatures = {
            id(s): before.get(id(s)) or (s, self.dot(s, y)) for s, y in zip(steps, changes, strict=True)
        }
        return [number for _, number in self._curvatures.values()]

    def size(self, a: Array) -> float:
        return float(self._absolute(a, out=self._work).sum())

    def largest(self, a: Array) -> float:
        return float(self._absolute(a, out=self._work).max())

    def moved(self, a: Array, length: float, b: Array) -> Array:
        return self.add(self.copied(a), length, b)

    def scale(self, a: Array, factor: float) -> Array:
        a *= factor
        return a
