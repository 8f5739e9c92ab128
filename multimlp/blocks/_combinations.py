"""Blocks made of blocks: one after the other, beside each other, around; and parts of the inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from multimlp._lazy import lazy
from multimlp.backend import Array, array_namespace
from multimlp.blocks._arrays import constant
from multimlp.blocks._block import Block, Features, block
from multimlp.blocks._choosing import as_block
from multimlp.blocks._draws import Draws
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import check_items, check_whole
from multimlp.tree import Tree


class Combination(Block):
    """A block of other blocks, its parameters a tuple of theirs."""

    @property
    def parts(self) -> tuple[Block, ...]:
        """The blocks that it is made of."""
        raise NotImplementedError

    @property
    def dropout(self) -> float:
        """The largest rate of its parts."""
        return max((part.dropout for part in self.parts), default=0.0)

    def initial(self, seed: int, path: Iterable[int]) -> Tree:
        path = tuple(path)
        return tuple(part.initial(seed, (*path, i)) for i, part in enumerate(self.parts))

    def skeleton(self) -> Tree:
        return tuple(part.skeleton() for part in self.parts)

    @property
    def scheduled(self) -> bool:
        """Whether one of its parts is."""
        return any(part.scheduled for part in self.parts)

    def apply_part(self, i: int, params: Any, x: Any, draws: Draws | None) -> Array:
        """The outputs of its i-th part, with a key of its own where the part draws."""
        part = self.parts[i]
        return part.apply(params[i], x, draws.of(i) if draws is not None and part.dropout else None)


def _blocks(where: str, value: Any) -> tuple[Block, ...]:
    items = value.items() if isinstance(value, Mapping) else enumerate(check_items(where, value, "of blocks"))
    found = tuple(as_block(f"{where}[{i}]", item) for i, item in items)
    if not found:
        raise InputError(f"{where}: expected at least one block")
    return found


Blocks = Annotated[Any, _blocks]


def in_turn(blocks: Sequence[Block], features: int | None) -> tuple[tuple[Block, ...], int | None]:
    """The blocks with their widths filled in, and the width of the last one's outputs.

    Raises
    ------
    ShapeError
        If one takes other numbers of features than come in; names it by its place.
    """
    found = []
    for i, part in enumerate(blocks):
        try:
            fitted = part.after(features)
            features = fitted.width(
                features if features is not None else getattr(fitted, "in_features", None)
            )
        except (ShapeError, InputError) as error:
            raise type(error)(f"block {i}: {str(error).removeprefix('block: ')}") from None
        found.append(fitted)
    return tuple(found), features


@dataclass(frozen=True, eq=False, repr=False)
class Residual(Combination):
    r"""The inputs added to what a block makes of them, :math:`x + f(x)`.

    Parameters
    ----------
    inner : block, MLP, activation or function
        As many outputs as inputs; a `multimlp.chain` for several blocks.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun (2016), Deep residual learning for image recognition, CVPR.

    Examples
    --------
    >>> import multimlp as mm
    >>> from multimlp import blocks
    >>> block = blocks.residual(mm.chain(blocks.layer_norm(), blocks.dense(8, "gelu"), blocks.dense(8)))
    >>> mm.chain(blocks.dense(8, in_features=4), block, blocks.dense(2)).out_features
    2
    """

    inner: Annotated[Any, as_block]

    @property
    def parts(self) -> tuple[Block, ...]:
        return (self.inner,)

    @property
    def in_features(self) -> int | None:
        """Of the block inside."""
        return getattr(self.inner, "in_features", None)

    def after(self, features: int | None) -> Residual:
        inner = self.inner.after(features)
        out = inner.width(features)
        if features is not None and out is not None and out != features:
            raise ShapeError(f"block: residual adds {features} features to {out}; they must be as many")
        return dataclasses.replace(self, inner=inner)

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        return x + self.apply_part(0, params, x, draws)


@dataclass(frozen=True, eq=False, repr=False)
class Concat(Combination):
    """What several blocks make of the same inputs, beside each other in one row.

    Parameters
    ----------
    branches : sequence of block, MLP, activation or function

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import blocks
    >>> split = blocks.concat([blocks.select([0, 1]), mm.chain(blocks.select([2]), blocks.one_hot([3]))])
    >>> mm.chain(split)(mm.chain(split).init(), np.asarray([[0.5, 0.25, 2.0]])).tolist()
    [[0.5, 0.25, 0.0, 0.0, 1.0]]
    """

    branches: Blocks

    keeps_width = False

    @property
    def parts(self) -> tuple[Block, ...]:
        return self.branches

    @property
    def in_features(self) -> int | None:
        """Of the first branch that knows."""
        return next((n for part in self.branches if (n := getattr(part, "in_features", None))), None)

    def after(self, features: int | None) -> Concat:
        return dataclasses.replace(self, branches=tuple(in_turn([p], features)[0][0] for p in self.branches))

    def width(self, features: int | None) -> int | None:
        widths = [part.width(features) for part in self.branches]
        return None if None in widths else sum(widths)

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        outputs = [self.apply_part(i, params, x, draws) for i in range(len(self.branches))]
        return array_namespace(*outputs).concat(outputs, axis=-1)


def _places(where: str, value: Any) -> str | int | tuple[int, ...]:
    if isinstance(value, str):
        return value
    if not hasattr(value, "__iter__"):
        return check_whole(where, value, low=0)
    found = tuple(check_whole(where, item, low=0) for item in check_items(where, value, "of columns"))
    if not found:
        raise InputError(f"{where}: expected at least one column")
    return found


@dataclass(frozen=True, eq=False, repr=False)
class Select(Block):
    """Some columns of the inputs; or one of several inputs, by its name or place.

    Parameters
    ----------
    of : sequence of int, str or int
        The columns, from 0; or the key of a dict of inputs, or the place in a tuple of them.
    features : int, optional
        How many columns such an input has; blocks behind it may need to know.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp import blocks
    >>> blocks.select([2, 0]).apply((), np.asarray([[1.0, 2.0, 3.0]]), None).tolist()
    [[3.0, 1.0]]
    >>> blocks.select("age", features=1).apply((), {"age": np.ones((2, 1))}, None).shape
    (2, 1)
    """

    of: Annotated[str | int | Iterable[int], _places]
    features: Features = None

    keeps_width = False

    def after(self, features: int | None) -> Select:
        if isinstance(self.of, tuple) and features is not None and max(self.of) >= features:
            raise ShapeError(f"block: select takes column {max(self.of)}, but {features} features come in")
        if not isinstance(self.of, tuple) and features is not None:
            raise ShapeError(
                f"block: select takes one of several inputs, {self.of!r}, but one of {features} features comes in"
            )
        return self

    def width(self, features: int | None) -> int | None:
        return len(self.of) if isinstance(self.of, tuple) else self.features

    @lazy
    def _columns(self) -> np.ndarray:
        return np.asarray(self.of, dtype=np.int32)

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        if isinstance(self.of, tuple):
            xp = array_namespace(x)
            features = x.shape[-1]
            if features is not None and max(self.of) >= features:  # JAX would take another column
                raise ShapeError(
                    f"X: expected at least {max(self.of) + 1} columns, of which select takes the last, got {features}"
                )
            return xp.take(x, constant(x, self._columns, xp.int32), axis=-1)
        try:
            found: Array = x[self.of]
        except (KeyError, IndexError, TypeError):
            raise InputError(f"X: expected several inputs, one of them {self.of!r}, got {_kind(x)}") from None
        return found


def _kind(x: Any) -> str:
    return f"the inputs {', '.join(map(repr, x))}" if isinstance(x, Mapping) else type(x).__name__


residual = block(Residual, "residual")
concat = block(Concat, "concat")
select = block(Select, "select")
