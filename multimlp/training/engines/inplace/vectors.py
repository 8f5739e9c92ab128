"""The arithmetic of L-BFGS on flat buffers: on the host wherever their memory is there, since NumPy's calls are the shortest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from multimlp import tree
from multimlp.backend import Array, Kernels, owner
from multimlp.optimizers import Vectors
from multimlp.tree import Tree


class BufferVectors(Vectors):
    """Vectors of one library, of the size of a flat buffer.

    Parameters
    ----------
    kernels : Kernels
        Of the library that the buffers belong to; the vectors are NumPy's if their memory is on the host.
    *buffers : array, shape (size,)

    Attributes
    ----------
    views : tuple of array
        The buffers as such vectors.
    kernels : Kernels
        Of the vectors.
    """

    def __init__(self, kernels: Kernels, *buffers: Array) -> None:
        views: tuple[Any, ...] = tuple(kernels.host_view(buffer) for buffer in buffers)
        self._outside = self.kernels = kernels
        self.views: tuple[Array, ...] = buffers
        if views[0] is not None:
            inside: Any = owner(views[0]).inplace_kernels(kernels.dtype, None)
            self.kernels = kernels = inside
            self.views = views
        self.copied = kernels.copied
        self.add = kernels.add_scaled  # type: ignore[method-assign]
        self._dot, self._absolute = kernels.dot, kernels.module.abs
        self._work = kernels.zeros(buffers[0].shape)
        self._curvatures: dict[int, tuple[Array, float]] = {}

    # ---- to and fro

    def taken(self, state: Tree) -> Tree:
        """A tree whose arrays are the kernels' library's, with vectors in their place."""
        return tree.map(lambda x: self._moved_to(self.kernels, x), state)

    def given(self, state: Tree) -> Tree:
        """The inverse of `taken`."""
        return tree.map(lambda x: self._moved_to(self._outside, x), state)

    def _moved_to(self, kernels: Kernels, x: Any) -> Any:
        if self.kernels is self._outside or not hasattr(x, "shape"):
            return x
        backend = owner(x)
        return kernels.backend.asarray(backend.to_numpy(x), dtype=kernels.dtype, device=kernels.device)

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
