"""Embeddings of numbers by the bins that they lie in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from multimlp import initializers
from multimlp._lazy import lazy
from multimlp.backend import Array, array_namespace, host_values
from multimlp.blocks._arrays import constant
from multimlp.blocks._block import Block, Parameter, block
from multimlp.blocks._dense import OptionalRule
from multimlp.blocks._draws import Draws
from multimlp.blocks._each_feature import each_feature, of_rows, side_by_side
from multimlp.errors import DataError, InputError
from multimlp.errors.checks import check_items, check_whole, each, number, optional, whole


def _edges(where: str, value: Any) -> tuple[tuple[float, ...], ...]:
    found = []
    for i, items in enumerate(check_items(where, value, "of the edges of each feature")):
        name = f"{where}[{i}]"
        edges = tuple(each(number())(name, items))
        if len(edges) < 2 or any(b <= a for a, b in itertools.pairwise(edges)):
            raise InputError(
                f"{name}: expected two or more edges, each larger than the one before, got {edges[:4]}"
            )
        found.append(edges)
    if not found:
        raise InputError(f"{where}: expected the edges of at least one feature")
    return tuple(found)


@dataclass(frozen=True, eq=False, repr=False)
class PiecewiseLinear(Block):
    r"""Piecewise linear encoding: for each bin [a, b) of a feature how much of it lies below x, :math:`(x - a) / (b - a)` cut to [0, 1];
    the first bin is not cut below, the last not above. At an edge the slope in x is that to its right.

    Parameters
    ----------
    edges : sequence of sequence of float
        Of each feature, ascending; see `quantile_edges`.
    features : int, optional
        If given, a fully connected layer makes so many of each feature's bins, and a linear one of the feature itself is added: the bins
        start with weights of 0 (version "B" of the reference's package).
    activation : str, mapping, callable, Activation or None
        After the layer of the bins.

    References
    ----------
    Y. Gorishniy, I. Rubachev, A. Babenko (2022), On embeddings for numerical features in tabular deep learning, arXiv:2203.05556.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.blocks.piecewise_linear([[0.0, 1.0, 3.0]]).apply((), np.asarray([[2.0], [-1.0]]), None).tolist()
    [[1.0, 0.5], [-1.0, 0.0]]
    """

    edges: Annotated[Any, _edges]
    features: Annotated[int | None, optional(whole(1, "of features"))] = None
    activation: OptionalRule = None

    @property
    def in_features(self) -> int:
        """As many as have edges."""
        return len(self.edges)

    @property
    def _most(self) -> int:
        return max(len(edges) - 1 for edges in self.edges)

    @lazy
    def _bins(self) -> tuple[np.ndarray, ...]:
        """Left end and width of each bin, (features, bins), below what it is 0, and from where on it is what: the last bin has no end; a
        bin that a feature does not have is 0 throughout."""
        shape = (len(self.edges), self._most)
        left, width, start, end, full = (np.full(shape, value) for value in (0.0, 1.0, 0.0, 0.0, 0.0))
        for j, edges in enumerate(self.edges):
            count = len(edges) - 1
            left[j, :count], width[j, :count] = edges[:-1], np.diff(edges)
            start[j, :count], end[j, :count], full[j, :count] = edges[:-1], edges[1:], 1
            start[j, 0], end[j, count - 1], full[j, count - 1] = -np.inf, np.inf, np.inf
        return left, width, start, end, full

    @lazy
    def _real(self) -> np.ndarray:
        """The places of the bins that there are, among all."""
        return np.asarray(
            [j * self._most + i for j, edges in enumerate(self.edges) for i in range(len(edges) - 1)],
            dtype=np.int32,
        )

    def parameters(self) -> Mapping[str, Parameter]:
        if self.features is None:
            return {}
        n = len(self.edges)
        draw = initializers.uniform(1 / math.sqrt(self.features))
        return {
            "weight": Parameter((n, self._most, self.features), initializers.zeros),
            "slope": Parameter((n, self.features), draw),
            "shift": Parameter((n, self.features), draw),
        }

    def width(self, features: int | None) -> int:
        return len(self._real) if self.features is None else len(self.edges) * self.features

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        return of_rows(lambda rows: self._of_rows(params, rows), x)

    def _of_rows(self, params: Any, x: Array) -> Array:
        xp = array_namespace(x)
        values = each_feature(x)
        left, width, start, end, full = (xp.expand_dims(constant(x, bins), axis=-2) for bins in self._bins)
        share = (values - left) / width
        # At an edge the slope is that of the bin which begins there, on every library: those of minimum and maximum differ, and compilers
        # make of a quotient by a constant a product that may not be 1.
        share = xp.where(values < start, xp.zeros_like(full), xp.where(values >= end, full, share))
        if self.features is None:
            return xp.take(side_by_side(share), constant(x, self._real, xp.int32), axis=-1)
        made = xp.matmul(share, params["weight"])
        made = made if self.activation is None else self.activation(made)
        slope, shift = (xp.expand_dims(params[name], axis=-2) for name in ("slope", "shift"))
        return side_by_side(made + values * slope + shift)


_MOST_BINS = 2**20


def quantile_edges(X: Any, bins: int = 48) -> tuple[tuple[float, ...], ...]:
    """The edges of bins that hold equally many rows, for `piecewise_linear`; fewer for a feature of few distinct values.

    Parameters
    ----------
    X : array, shape (n, features), on the host
    bins : int

    Returns
    -------
    tuple of tuple of float
        The edges of each feature, ascending.

    Raises
    ------
    InputError
        For a feature of one value alone.
    DataError
        For NaN and infinities.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import blocks
    >>> blocks.quantile_edges(np.asarray([[0.0], [1.0], [2.0], [3.0], [4.0]]), bins=2)
    ((0.0, 2.0, 4.0),)
    """
    count = check_whole("bins", bins, low=1, high=_MOST_BINS)
    columns = np.asarray(host_values(X, "X"), dtype=np.float64)
    if columns.ndim != 2 or not columns.size:
        raise InputError(f"X: expected shape (n, features), got {columns.shape}")
    if not np.isfinite(columns).all():
        row, j = np.argwhere(~np.isfinite(columns))[0]
        raise DataError(f"X: expected finite numbers, got {columns[row, j]} in row {row} of column {j}")
    quantiles = np.quantile(columns, np.linspace(0, 1, count + 1), axis=0)
    found = tuple(tuple(float(edge) for edge in np.unique(column)) for column in quantiles.T)
    for j, edges in enumerate(found):
        if len(edges) < 2:
            raise InputError(
                f"X: column {j} has one value alone, {edges[0]!r}, so that there is no bin; leave it out"
            )
    return found


piecewise_linear = block(PiecewiseLinear, "piecewise_linear")
