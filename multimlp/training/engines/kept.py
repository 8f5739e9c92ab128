"""What an engine keeps for each kind of batch that it has met, so much and no more."""

from __future__ import annotations

from typing import Any, TypeVar

Key = TypeVar("Key", bound=tuple[Any, ...])
T = TypeVar("T")


def make_room(kept: dict[Key, T], most: int, batch_size: int) -> None:
    """Drop one of ``most`` entries, whose keys begin with a batch size: the oldest that is not of the full batch, which comes again, or
    the oldest, if all are.

    Examples
    --------
    >>> from multimlp.training.engines.kept import make_room
    >>> kept = {(32, 0): "a", (7, 0): "b", (5, 0): "c"}
    >>> make_room(kept, 3, batch_size=32)
    >>> kept
    {(32, 0): 'a', (5, 0): 'c'}
    """
    if len(kept) >= most:
        others = (key for key in kept if key[0] != batch_size)
        del kept[next(others, next(iter(kept)))]
