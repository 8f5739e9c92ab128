"""What a block is: a step of a model, written down as a value, with parameters of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple, ParamSpec, TypeAlias, TypeVar

import numpy as np

from multimlp import random
from multimlp._naming import Named, Table
from multimlp.backend import Array
from multimlp.blocks._draws import Draws
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import number, optional, whole
from multimlp.tree import Tree

P = ParamSpec("P")
B = TypeVar("B", bound="Block")
Shape: TypeAlias = tuple[int, ...]
Features: TypeAlias = Annotated[int | None, optional(whole(1, "of features"))]
Count: TypeAlias = Annotated[int, whole(1)]
Positive: TypeAlias = Annotated[float, number(low=0, low_open=True)]

BLOCKS: Table[Any] = Table("block")


class Parameter(NamedTuple):
    """An array that a block learns."""

    shape: Shape
    draw: Callable[..., np.ndarray]
    """Where learning starts: ``draw(generator, shape)``, as an initializer."""


@dataclass(frozen=True, eq=False, repr=False)
class Block(Named):
    """A step of a chain: a function of rows with parameters. Subclasses are frozen dataclasses whose fields are their options.

    A subclass says what it learns (`parameters`), how wide its outputs are (`width`) and what it computes (`apply`). One with a
    field ``in_features`` needs to know how many features come in; a chain fills it in from the block before.

    Attributes
    ----------
    name : str
        In the table of blocks.
    dropout : float
        The largest rate of dropout in it: above 0 it needs a key while it learns.
    scheduled : bool
        Whether it is another at another step of training.
    """

    table = BLOCKS
    dropout: ClassVar[Any] = 0.0
    scheduled: ClassVar[Any] = False

    @property
    def options(self) -> dict[str, Any]:  # type: ignore[override]
        """All of them."""
        return {part.name: getattr(self, part.name) for part in dataclasses.fields(self)}

    # ---- what a subclass says

    @property
    def keeps_width(self) -> bool:
        """Of one that takes any number of features: whether as many go out."""
        return self.width(1) == 1 and self.width(2) == 2

    def parameters(self) -> Mapping[str, Parameter]:
        """What it learns, by name."""
        return {}

    def width(self, features: int | None) -> int | None:
        """How many features go out if so many come in; None where that is not known."""
        return features

    def apply(self, params: Any, x: Any, draws: Draws | None) -> Array:
        """Its outputs: ``x`` of shape (..., n, features) or (features,), and what it draws with while it learns."""
        raise NotImplementedError

    def packed(self, values: Mapping[str, Any]) -> Tree:
        """Its parameters as the node of a tree."""
        return dict(values)

    # ---- written down

    @property
    def is_known(self) -> bool:
        """Whether it can be written down: not so with a function of your own in it."""
        try:
            self.described()
        except InputError:
            return False
        return self.name in self.table.names()

    def _computes(self) -> tuple[Any, ...]:
        return (type(self),)

    def described(self) -> dict[str, Any]:
        """Name and options as plain values."""
        return {"name": self.name, "options": {name: _plain(value) for name, value in self.options.items()}}

    # ---- what a chain asks

    def after(self: B, features: int | None) -> B:
        """The block with the number of features that come in, if that is known.

        Raises
        ------
        ShapeError
            If it takes another number.
        """
        if features is None or not hasattr(self, "in_features"):
            return self
        own = self.in_features
        if own is not None and own != features:
            raise ShapeError(f"block: {self.name} takes {own} features, but {features} come in")
        return self if own is not None else dataclasses.replace(self, in_features=features)  # type: ignore[call-arg]

    def initial(self, seed: int, path: Iterable[int]) -> Tree:
        """Fresh parameters as float64 host arrays; ``path`` says where in a model it stands, so that no two draw the same numbers."""
        return self.packed({
            name: row.draw(random.host_generator(seed, *path, i), row.shape)
            for i, (name, row) in enumerate(self._known_parameters().items())
        })  # fmt: skip

    def known_width(self) -> int:
        """How many features come in; `ShapeError` if nobody has said."""
        own = getattr(self, "in_features", 0)
        if own is None:
            raise ShapeError(
                f"block: {self.name} must know how many features come in, and no block before it does; give it in_features=..."
            )
        return int(own)

    def _known_parameters(self) -> Mapping[str, Parameter]:
        found = self.parameters()
        if found:
            self.known_width()
        return found

    def skeleton(self) -> Tree:
        """Arrays of the shapes of its parameters that take no memory."""
        return self.packed({name: empty(row.shape) for name, row in self._known_parameters().items()})

    def _shown(self) -> list[str]:
        known = self.table.find(self.name).known
        usual, options = known.checked(known.defaults), self.options.items()
        return [f"{name}={value!r}" for name, value in options if name not in usual or usual[name] != value]

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(self._shown())})"


def empty(shape: Shape) -> np.ndarray:
    """An array of this shape that takes no memory."""
    return np.broadcast_to(np.zeros(()), shape)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.to_spec() if hasattr(value, "to_spec") else value


def block(cls: Callable[P, B], name: str) -> Callable[P, B]:
    """The function that makes blocks of a class, and its row in the table of blocks.

    Parameters
    ----------
    cls : subclass of Block
        A frozen dataclass, whose fields are its options; each is annotated with its check.
    name : str
        By which files know it.

    Returns
    -------
    callable
        Of the options; it checks them.

    Examples
    --------
    >>> from multimlp import blocks
    >>> blocks.multiply(2.0)  # made by block(Multiply, "multiply")
    multiply(factor=2.0)
    """
    cls.name = name  # type: ignore[attr-defined]
    made: Callable[P, B] = BLOCKS.maker(cls, lambda _, options: cls(**options), name=name)  # type: ignore[call-arg]
    return made
