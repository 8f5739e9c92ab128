"""L1 and L2 penalties on the flat buffers: their gradient added to the loss's, their value kept for the
history."""

from __future__ import annotations

from multimlp.backend import Array, Call, Kernels, array_namespace
from multimlp.regularizers import Regularizer
from multimlp.training.engines.inplace.layout import Layout


class Penalty:
    """``l1 sum |w| + l2 sum w^2`` over the weights, not the biases; of an ensemble's members each its own.

    Parameters
    ----------
    regularizer : Regularizer
    kernels : Kernels
    layout : Layout
    p, g : array, shape (layout.size,)
        The flat parameters and gradient.
    span : slice
        Which part of them; of an ensemble all.
    steps : int
        How many steps' values are kept.
    """

    def __init__(
        self,
        regularizer: Regularizer,
        kernels: Kernels,
        layout: Layout,
        p: Array,
        g: Array,
        span: slice,
        steps: int,
    ) -> None:
        members = layout.blocks(p)[0].weight.shape[:-2]
        self._kernels, self._p, self._g = kernels, p[span], g[span]
        self._slope = kernels.zeros(self._p.shape)
        self._slopes = [block.weight for block in layout.blocks(self._slope)] if members else None
        has_signs = not isinstance(regularizer.l1, (int, float)) or regularizer.l1 != 0
        self._signs = layout.over_weights(regularizer.l1)[span] if has_signs else None
        self._doubled = layout.over_weights(2 * regularizer.l2)[span]
        self._work = kernels.zeros(self._p.shape)
        self._values = kernels.zeros((steps, *members))

    def call(self, position: int) -> Call:
        """The call that adds the gradient and keeps the value of a block's ``position``-th step."""
        value = self._values[position, ...]
        m, p, g, slope, work = self._kernels.module, self._p, self._g, self._slope, self._work

        def call() -> None:
            # The value is the inner product of w and (l1 sign(w) + l2 w); the gradient has 2 l2 there.
            m.multiply(p, self._doubled, out=slope)
            m.add(g, slope, out=g)
            m.multiply(slope, 0.5, out=slope)
            if self._signs is not None:
                m.sign(p, out=work)
                m.multiply(work, self._signs, out=work)
                m.add(g, work, out=g)
                m.add(slope, work, out=slope)
            if self._slopes is None:
                value[...] = self._kernels.dot(slope, p)
                return
            m.multiply(slope, p, out=slope)
            value[...] = sum(array_namespace(w).sum(w, axis=(-1, -2)) for w in self._slopes)

        return call

    def values(self, steps: int) -> Array:
        """The penalties of a block's first steps; shape (steps, ...)."""
        return self._values[:steps]
