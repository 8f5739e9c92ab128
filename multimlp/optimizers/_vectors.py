"""The arithmetic of flat vectors that L-BFGS consists of."""

from __future__ import annotations

from collections.abc import Sequence

from multimlp.backend import Array, array_namespace


class Vectors:
    """By the array API standard; who has buffers to write to brings a subclass that makes fewer arrays."""

    def dot(self, a: Array, b: Array) -> float:
        """The inner product."""
        return float(array_namespace(a, b).sum(a * b))

    def curvatures(self, steps: Sequence[Array], changes: Sequence[Array]) -> list[float]:
        """The inner products of steps and changes, pair by pair."""
        return [self.dot(s, y) for s, y in zip(steps, changes, strict=True)]

    def size(self, a: Array) -> float:
        """The sum of the absolute values."""
        return self.dot(a, array_namespace(a).sign(a))

    def largest(self, a: Array) -> float:
        """The largest absolute value."""
        xp = array_namespace(a)
        return float(xp.max(xp.abs(a)))

    def moved(self, a: Array, length: float, b: Array) -> Array:
        """``a + length b``, a new array."""
        return a + length * b

    def times(self, a: Array, factor: float) -> Array:
        """``factor a``, a new array."""
        return a * factor

    def add(self, a: Array, factor: float, b: Array) -> Array:
        """``a + factor b``; ``a`` is spent."""
        return a + factor * b

    def scale(self, a: Array, factor: float) -> Array:
        """``factor a``; ``a`` is spent."""
        return a * factor
