"""All parameters in one buffer: where each layer lies in it, and the way there and back.

A layer's weight (in, out) and bias (out,) are adjacent, so that together they are one matrix (in + 1, out).
With a row of ones under the inputs, one product makes the affine map, and one product makes both gradients.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from multimlp import tree
from multimlp.backend import Array, CompiledKernels, Kernels
from multimlp.training.engines.slices import Rows
from multimlp.tree import Tree

T = TypeVar("T")


class Block(NamedTuple):
    """One layer's place in a flat buffer, as views."""

    matrix: Array
    """Shape (..., in + 1, out), or (..., in, out) without a bias."""
    weight: Array
    """Shape (..., in, out)."""
    bias: Array | None
    """Shape (..., out)."""


class Layout:
    """Where the layers lie.

    Parameters
    ----------
    params : tuple of Dense
        With or without a leading axis of members.
    kernels : Kernels or CompiledKernels
    """

    def __init__(self, params: Tree, kernels: Kernels | CompiledKernels) -> None:
        self._kernels = kernels
        self._rebuild = tree.rebuilder(params)
        self._shapes: list[tuple[int, ...]] = []
        self._starts: list[int] = []
        self._members = len(params[0].weight.shape) > 2
        self.has_bias = [layer.bias is not None for layer in params]
        self.size = 0
        for layer, with_bias in zip(params, self.has_bias, strict=True):
            *members, fan_in, fan_out = layer.weight.shape
            self._shapes.append((*members, fan_in + with_bias, fan_out))
            self._starts.append(self.size)
            self.size += math.prod(self._shapes[-1])

    def blocks(self, flat: Array) -> list[Block]:
        """Each layer's views of a flat buffer, or of many along leading axes."""
        found = []
        for start, shape, with_bias in zip(self._starts, self._shapes, self.has_bias, strict=True):
            matrix = flat[..., start : start + math.prod(shape)].reshape((*flat.shape[:-1], *shape))
            fan_in = shape[-2] - with_bias
            found.append(
                Block(matrix, matrix[..., :fan_in, :], matrix[..., fan_in, :] if with_bias else None)
            )
        return found

    def _views(self, flat: Array) -> list[Array]:
        """Views of a flat buffer in the order of the parameters' leaves."""
        return [
            view for block in self.blocks(flat) for view in (block.weight, block.bias) if view is not None
        ]

    def packed(self, params: Tree, lead: tuple[int, ...] = ()) -> Array:
        """A new flat buffer with the values of a tree like the parameters, or many along the leading axes of its leaves."""
        flat = self._kernels.zeros((*lead, self.size))
        for view, leaf in zip(self._views(flat), tree.leaves(params), strict=True):
            view[...] = leaf
        return flat

    def unpacked(self, flat: Array, copies: bool = True) -> Tree:
        """A tree like the parameters with copies of a flat buffer's values, or views of them."""
        views = self._views(flat)
        return self._rebuild([self._kernels.copied(view) for view in views] if copies else views)

    @property
    def widths(self) -> list[int]:
        """Inputs, hidden widths, outputs."""
        return [self._shapes[0][-2] - self.has_bias[0], *(shape[-1] for shape in self._shapes)]

    @property
    def rows(self) -> list[tuple[int, int]]:
        """The shape of each layer's matrix; of an ensemble, all members' below each other."""
        return [(math.prod(shape[:-1]), shape[-1]) for shape in self._shapes]

    def span(self, rows: Sequence[Rows]) -> slice:
        """Where neighbouring rows lie in a flat buffer."""
        start, stop = (
            self._starts[layer] + row * self._shapes[layer][-1]
            for layer, row in ((rows[0].layer, rows[0].start), (rows[-1].layer, rows[-1].stop))
        )
        return slice(start, stop)

    def pieces(
        self, labels: Sequence[T], flats: Sequence[Array], cuts: Iterable[int] = ()
    ) -> list[tuple[T, int, list[Array]]]:
        """Views that together cover flat buffers, each of leaves with one label, the same for every buffer, and where each begins.

        Neighbours with the same label are one flat view, but for the ``cuts``; one label for all leaves gives the buffers themselves.
        The weights and biases of an ensemble's members take turns, so that there each leaf is a view with gaps, and its beginning is
        its place in the order.
        """
        sizes = [math.prod(view.shape) for view in self._views(flats[0])]
        starts = [0, *itertools.accumulate(sizes)]
        changes = [i for i in range(1, len(labels)) if labels[i] is not labels[i - 1]]
        if changes and self._members:
            columns = zip(*(self._views(flat) for flat in flats), strict=True)
            return [(*found, list(views)) for *found, views in zip(labels, starts, columns, strict=False)]
        bounds = sorted({0, self.size, *cuts, *(starts[i] for i in changes)})
        return [
            (labels[bisect.bisect(starts, first) - 1], first, [flat[first:last] for flat in flats])
            for first, last in itertools.pairwise(bounds)
        ]

    def member_pieces(self, labels: Sequence[T], flats: Sequence[Array]) -> list[tuple[T, int, list[Array]]]:
        """As `pieces`, for an ensemble, each view with the members along its first axis."""
        columns = zip(*(self._views(flat) for flat in flats), strict=True)
        whole = [block for flat in flats for block in self.blocks(flat)]
        found: list[tuple[T, int, list[Array]]] = []
        place = 0
        for layer, with_bias in enumerate(self.has_bias):
            leaves = [next(columns) for _ in range(1 + with_bias)]
            own = labels[place : place + len(leaves)]
            if all(label is own[0] for label in own):
                found.append((own[0], place, [block.matrix for block in whole[layer :: len(self.has_bias)]]))
            else:
                found += [(own[i], place + i, list(views)) for i, views in enumerate(leaves)]
            place += len(leaves)
        return found

    def over_weights(self, value: Any) -> Array:
        """A flat buffer with ``value``, or a host array of one a member, at the weights and zero at the biases."""
        flat, kernels = self._kernels.zeros((self.size,)), self._kernels
        if isinstance(value, np.ndarray):
            value = kernels.backend.asarray(value[:, None, None], dtype=kernels.dtype, device=kernels.device)  # type: ignore[union-attr]
        for block in self.blocks(flat):
            block.weight[...] = value
        return flat
