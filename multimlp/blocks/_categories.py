"""Blocks for categories, which come as codes: whole numbers from 0, in columns of floats among other features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np

from multimlp._lazy import lazy
from multimlp.backend import Array, array_namespace, owner
from multimlp.blocks._arrays import constant
from multimlp.blocks._block import Block, Count, Parameter, block
from multimlp.blocks._dense import Initial
from multimlp.blocks._draws import Draws
from multimlp.errors import DTypeError, InputError
from multimlp.errors.checks import choice, each, whole


def _sizes(where: str, value: Any) -> tuple[int, ...]:
    found = tuple(each(whole(1, "of categories"))(where, value))
    if not found:
        raise InputError(f"{where}: expected the number of categories of at least one column")
    return found


Sizes: TypeAlias = Annotated[Sequence[int], _sizes]

_EXACT = {"bfloat16": 2**8, "float16": 2**11, "float32": 2**24}
"""Up to where a dtype holds every whole number."""


def _require_exact(x: Array, sizes: Sequence[int]) -> None:
    """`DTypeError` where codes of so many categories would be rounded to each other."""
    dtype = owner(x).dtype_name(x.dtype)
    most = _EXACT.get(dtype)
    if most is not None and max(sizes) > most:
        raise DTypeError(
            f"X: a column has {max(sizes)} categories, and {dtype} tells {most} codes apart; compute in a wider dtype, such as "
            f"{'float64' if dtype == 'float32' else 'float32'}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Embedding(Block):
    """A learned vector for each category of each column: (..., n, columns) to (..., n, columns * features).

    Parameters
    ----------
    categories : sequence of int
        How many there are in each column. Anything but a code 0 .. categories - 1, NaN too, is a category that nothing is known of: it
        becomes zeros, and nothing is learned from it.
        In 16 bits there are fewer codes: 256 in bfloat16, 2048 in float16; of more categories it is a `DTypeError`.
    features : int
        Length of the vectors.
    table_init : str or callable

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> model = mm.chain(mm.blocks.embedding([3, 2], 4))
    >>> rows = model(model.init(), np.asarray([[2, 1], [0, -1]], dtype=np.float32))
    >>> rows.shape, rows[1, 4:].tolist()
    ((2, 8), [0.0, 0.0, 0.0, 0.0])
    """

    categories: Sizes
    features: Count
    table_init: Initial = "normal"

    @property
    def in_features(self) -> int:
        """As many as there are columns."""
        return len(self.categories)

    def parameters(self) -> Mapping[str, Parameter]:
        return {"table": Parameter((sum(self.categories), self.features), self.table_init)}

    def width(self, features: int | None) -> int:
        return len(self.categories) * self.features

    @lazy
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """How many categories a column has, and how many the columns before it."""
        sizes = np.asarray(self.categories, dtype=np.int32)
        return sizes, np.cumsum(sizes, dtype=np.int32) - sizes

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        _require_exact(x, self.categories)
        xp = array_namespace(x)
        sizes, before = self._ends
        known = xp.logical_and(x >= 0, x < constant(x, sizes))  # NaN is neither
        known = xp.logical_and(known, xp.floor(x) == x)
        codes = xp.astype(xp.where(known, x, xp.zeros_like(x)), xp.int32) + constant(x, before, xp.int32)
        shape = tuple(x.shape)
        vectors = xp.reshape(
            xp.take(params["table"], xp.reshape(codes, (-1,)), axis=0), (*shape, self.features)
        )
        vectors = xp.where(xp.expand_dims(known, axis=-1), vectors, xp.zeros_like(vectors))
        return xp.reshape(vectors, (*shape[:-1], self.width(None)))


@dataclass(frozen=True, eq=False, repr=False)
class OneHot(Block):
    """A feature for each category of each column, 1 where it is the row's, else 0: all 0 for what is no code of the column.

    Parameters
    ----------
    categories : sequence of int
        How many there are in each column.
    binary : {"one_hot", "sign"}
        ``"sign"`` makes one feature of a column of two categories: -1, +1, and 0 for anything else.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.blocks.one_hot([3, 2], binary="sign").apply((), np.asarray([[1.0, 0.0], [-1.0, 1.0]]), None).tolist()
    [[0.0, 1.0, 0.0, -1.0], [0.0, 0.0, 0.0, 1.0]]
    """

    categories: Sizes
    binary: Annotated[str, choice("one_hot", "sign")] = "one_hot"

    @property
    def in_features(self) -> int:
        """As many as there are columns."""
        return len(self.categories)

    @lazy
    def _outputs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each output: its column, the code for +1, and that for -1 (one that there is not, unless it is a sign)."""
        rows = []
        for column, count in enumerate(self.categories):
            if self.binary == "sign" and count == 2:
                rows.append((column, 1, 0))
            else:
                rows += [(column, code, -1) for code in range(count)]
        table = np.asarray(rows)
        return table[:, 0].astype(np.int32), table[:, 1], table[:, 2]

    def width(self, features: int | None) -> int:
        return len(self._outputs[0])

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        _require_exact(x, self.categories)
        xp = array_namespace(x)
        columns, plus, minus = self._outputs
        codes = xp.take(x, constant(x, columns, xp.int32), axis=-1)
        ones, zeros = xp.ones_like(codes), xp.zeros_like(codes)
        signs = xp.where(codes == constant(x, plus), ones, zeros)
        if self.binary == "one_hot":
            return signs
        negative = xp.logical_and(codes == constant(x, minus), constant(x, minus) >= 0)
        return xp.where(negative, -ones, signs)


embedding = block(Embedding, "embedding")
one_hot = block(OneHot, "one_hot")
