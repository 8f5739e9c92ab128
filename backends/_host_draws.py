"""NumPy kernels of `multimlp.random`'s draws: piece by piece, so that what lies between the steps stays in the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_PIECE = 1 << 15


def by_elements(
    key: np.ndarray,
    first: np.ndarray | None = None,
    second: np.ndarray | None = None,
    *,
    draw: Callable[..., tuple[np.ndarray, ...]],
    count: int,
    options: tuple[Any, ...] = (),
) -> np.ndarray:
    """The same numbers as the portable definition, whose elements do not depend on each other."""
    pieces = [(i, min(i + _PIECE, count)) for i in range(0, count, _PIECE)] or [(0, 0)]
    result: np.ndarray = np.empty((0, 0))
    for start, stop in pieces:
        counter = np.arange(start, stop, dtype=np.int32)
        drawn = draw(
            key, counter, _part(first, start, stop, count), _part(second, start, stop, count), *options
        )
        if len(pieces) == 1:
            return drawn[0] if len(drawn) == 1 else np.concatenate(drawn)
        if start == 0:
            result = np.empty((len(drawn), count), dtype=drawn[0].dtype)
        for row, values in zip(result, drawn, strict=True):
            row[start:stop] = values
    return result.reshape(-1)


def left_over(good: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """The same places, without the search for each."""
    rejected = ~good
    places = np.zeros(room, dtype=np.int32)
    found = np.flatnonzero(rejected)[:room]
    places[: found.size] = found
    return places, np.cumsum(rejected, dtype=np.int32)


def _part(x: np.ndarray | None, start: int, stop: int, count: int) -> np.ndarray | None:
    return x if x is None or x.shape != (count,) else x[start:stop]


def on_the_host(
    to_numpy: Callable[[Any], np.ndarray], from_numpy: Callable[[np.ndarray], Any]
) -> Callable[..., Any]:
    """The kernel for a library whose arrays are in the host's memory: NumPy's numbers, hundreds of calls sooner."""

    def kernel(key: Any, first: Any = None, second: Any = None, **options: Any) -> Any:
        if "bfloat16" in options.get("options", ()):  # which NumPy cannot round to
            return NotImplemented
        given = (None if x is None else to_numpy(x) for x in (first, second))
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return from_numpy(by_elements(to_numpy(key), *given, **options))

    return kernel
