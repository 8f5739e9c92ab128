"""A table as the matrix that a network of blocks takes: what is missing filled in, codes beside numbers, and their figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.preprocessing import QuantileTransformer

from multimlp import blocks, random
from multimlp.backend import Array, array_namespace
from multimlp.frames import Schema, median

MOST_ONE_HOT = 9
"""Categories of a column that becomes one-hot; of more, they become embeddings (pytabkit's default for RealMLP)."""
_MOST = 2.0**100
"""The largest number of a matrix."""


@dataclass(frozen=True)
class Preparation:
    """How tables become matrices, learned from the rows that a network is trained on.

    The columns of a matrix are numbers, indicators of missing numbers, codes that become one-hot, and codes that become embeddings.

    Attributes
    ----------
    schema : Schema
    numbers : tuple of int
        Which of the schema's numeric columns are used: those that are not constant.
    fill : tuple of float
        The medians, which stand where a number is missing, and from which numbers are counted.
    unit : tuple of float
        What they are counted in: powers of two near the columns' robust scales. So the networks, which compute in 32 bits or fewer, get
        numbers near 1 with all of their digits, also of seconds since 1970 or of billionths.
    gaps : tuple of int
        Which of the numeric columns get an indicator.
    one_hot, embedded : tuple of int
        Which of the schema's categorical columns.
    one_hot_sizes, embedded_sizes : tuple of int
        How many categories they have.
    absent : tuple of tuple of int
        Of each of these columns the categories that no row has which the network is trained on, such as those of rows that are held out:
        it knows nothing of them.
    ranks : QuantileTransformer, optional
        Makes numbers normal.
    """

    schema: Schema
    numbers: tuple[int, ...]
    fill: tuple[float, ...]
    unit: tuple[float, ...]
    gaps: tuple[int, ...]
    one_hot: tuple[int, ...]
    one_hot_sizes: tuple[int, ...]
    embedded: tuple[int, ...]
    embedded_sizes: tuple[int, ...]
    absent: tuple[tuple[int, ...], ...]
    ranks: Any = None

    @classmethod
    def of(
        cls, schema: Schema, X: Any, most_one_hot: int = MOST_ONE_HOT, normal: bool = False
    ) -> Preparation:
        """The preparation of an encoded table, `multimlp.frames.Encoded`; whether numbers shall become normal by their ranks."""
        numbers, codes = X
        used, fill = [], []
        for j, column in enumerate(numbers.T):
            known = column[~np.isnan(column)]
            if len(known) and known.min() < known.max():
                used.append(j)
                fill.append(median(known))
        gaps = [j for j, column in enumerate(numbers.T) if 0 < np.isnan(column).sum() < len(column)]
        sizes = [len(column.categories) for column in schema.categorical]
        # Of one category alone there is something to see only where it is missing now and then.
        kept = [j for j, size in enumerate(sizes) if size > 1 or (size == 1 and (codes[:, j] < 0).any())]
        few = [j for j in kept if sizes[j] <= most_one_hot]
        many = [j for j in kept if sizes[j] > most_one_hot]
        filled = np.where(np.isnan(numbers[:, used]), np.asarray(fill), numbers[:, used])
        found = cls(
            schema, tuple(used), tuple(fill), tuple(map(_unit, filled.T)), tuple(gaps),
            tuple(few), tuple(sizes[j] for j in few), tuple(many), tuple(sizes[j] for j in many),
            tuple(_absent(codes[:, j], sizes[j]) for j in (*few, *many)),
        )  # fmt: skip
        if not normal or not used:
            return found
        return dataclasses.replace(found, ranks=normal_by_ranks(found._counted(filled)))

    def matrix(self, X: Any) -> np.ndarray:
        """Shape (n, columns), float64, of an encoded table."""
        numbers, codes = X
        return np.asarray(
            self.matrix_of(numbers, codes, None if self.ranks is None else self.ranks.transform)
        )

    def matrix_of(self, numbers: Array, codes: Array, normal: Callable[[Array], Array] | None) -> Array:
        """As `matrix`, of arrays of any library; ``normal`` makes filled numbers normal."""
        xp = array_namespace(numbers, codes)

        def columns(x: Array, places: Sequence[int]) -> Array:
            return xp.take(x, xp.asarray(np.asarray(places, dtype=np.int64)), axis=1)

        parts = []
        if self.numbers:
            own = columns(numbers, self.numbers)
            counted = self._counted(xp.where(xp.isnan(own), xp.asarray(np.asarray(self.fill)), own))
            parts.append(counted if normal is None else normal(counted))
        if self.gaps:
            parts.append(xp.astype(xp.isnan(columns(numbers, self.gaps)), xp.float64))
        coded = (*self.one_hot, *self.embedded)
        if any(self.absent):
            known = zip(coded, self._known, strict=True)
            parts += [
                xp.expand_dims(xp.take(xp.asarray(table), xp.astype(codes[:, j] + 1, xp.int64)), axis=1)
                for j, table in known
            ]
        elif coded:
            parts.append(columns(codes, coded))
        return xp.concat(parts, axis=1)

    @property
    def _known(self) -> list[np.ndarray]:
        """Of each column of codes what stands for -1, 0, 1, ...: -1 for a category that is absent."""
        sizes = (*self.one_hot_sizes, *self.embedded_sizes)
        tables = [np.arange(-1.0, size) for size in sizes]
        for table, absent in zip(tables, self.absent, strict=True):
            table[np.asarray(absent, dtype=np.int64) + 1] = -1
        return tables

    def _counted(self, filled: Array) -> Array:
        """Numbers from their medians on and in their units: the same to the last bit as the difference alone, which could overflow."""
        xp = array_namespace(filled)
        share = 1 / np.asarray(self.unit)
        with np.errstate(over="ignore"):
            found = filled * xp.asarray(share) - xp.asarray(np.asarray(self.fill) * share)
        # Beyond it all are alike, bounded softly or by their ranks; and the networks' dtypes end.
        return xp.minimum(xp.maximum(found, xp.full_like(found, -_MOST)), xp.full_like(found, _MOST))

    # ---- where the parts of a matrix are

    @property
    def _ends(self) -> np.ndarray:
        parts = (self.numbers, self.gaps, self.one_hot, self.embedded)
        return np.cumsum([0, *(len(part) for part in parts)])

    @property
    def columns(self) -> int:
        """Of a matrix."""
        return int(self._ends[-1])

    def places(self, first: int, last: int) -> list[int]:
        """The columns of the parts from one to another: 0 numbers, 1 indicators, 2 one-hot, 3 embedded."""
        return list(range(int(self._ends[first]), int(self._ends[last + 1])))

    # ---- blocks

    def plain(self) -> blocks.Block | None:
        """Numbers, indicators and one-hot features in one row, or None where there are none."""
        parts: list[Any] = []
        if self.places(0, 1):
            parts.append(blocks.select(self.places(0, 1)))
        if self.one_hot:
            signs = blocks.one_hot(self.one_hot_sizes, binary="sign")
            parts.append(blocks.chain(blocks.select(self.places(2, 2)), signs))
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else blocks.concat(parts)


def normal_by_ranks(numbers: np.ndarray) -> QuantileTransformer:
    """What makes columns, in their own units, normal by their ranks; fitted with a little noise, so that values that many rows share keep
    some width.

    References
    ----------
    Y. Gorishniy, I. Rubachev, V. Khrulkov, A. Babenko (2021), Revisiting deep learning models for tabular data, arXiv:2106.11959.
    """
    rows = len(numbers)
    noise = random.host_generator(0, "ranks").standard_normal(numbers.shape) * 1e-5
    count = min(rows, max(min(rows // 30, 1000), 10))
    return quantile_transformer(count).fit(numbers + noise)


def quantile_transformer(count: int) -> QuantileTransformer:
    """What makes columns normal by so many ranks, before it is fitted."""
    return QuantileTransformer(n_quantiles=count, output_distribution="normal", subsample=None)


def centre_and_scale(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and robust scale of each feature: the range between the quartiles, half of the whole range where that is 0, and 1 for
    a constant.

    References
    ----------
    D. Holzmüller et al. (2024), arXiv:2407.04491, section 3.1.
    """
    low, centre, high = np.quantile(features, [0.25, 0.5, 0.75], axis=0)
    spread = high - low
    spread = np.where(spread == 0, (features.max(axis=0) - features.min(axis=0)) / 2, spread)
    return centre, np.where(spread == 0, 1.0, spread)


def _absent(codes: np.ndarray, size: int) -> tuple[int, ...]:
    """The codes below a size that are not there."""
    return tuple(np.setdiff1d(np.arange(size), codes).tolist())


def _unit(column: np.ndarray) -> float:
    """The power of two at or below the robust scale of a column."""
    _, half = centre_and_scale(column / 2)  # whose differences do not overflow
    return 2.0 ** int(np.clip(np.frexp(half)[1], -1022, 1022))
