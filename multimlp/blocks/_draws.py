"""What a model knows while it learns: the key of its random numbers, the rows that it sees of a batch, the number of the step."""

from __future__ import annotations

from typing import Any, NamedTuple

from multimlp import random
from multimlp.backend import Array


class Draws(NamedTuple):
    """Given to blocks while a model learns, and not when it predicts."""

    key: Array
    """Of `multimlp.random`."""
    window: tuple[Any, int] | None = None
    """Which rows of a batch there are, ``(start, rows)``; None for all."""
    step: Any = None
    """The number of the step, an integer or an integer array of shape (); None for the first."""

    def of(self, part: Any) -> Draws:
        """The same for a part, with a key of its own."""
        return self._replace(key=random.fold_in(self.key, part))
