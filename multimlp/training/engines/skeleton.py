"""The structure of parameters and states as a key: programs for trees of one structure can be shared."""

from __future__ import annotations

from multimlp import tree
from multimlp.tree import Tree


class Skeleton:
    """The structure of a tree without its arrays, equal to others of the same structure."""

    def __init__(self, state: Tree) -> None:
        self.tree = tree.map(lambda _: 0, state)
        self._text = tree.structure(self.tree)

    def __hash__(self) -> int:
        return hash(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Skeleton) and self._text == other._text
