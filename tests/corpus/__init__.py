"""Forty models as people write them, after each library's own introductions, written anew; half of them with normalisation, scaling,
residual additions and the like.

Each module of models has a list ``ROWS``. `tests/test_corpus.py` converts each in every direction and runs both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

LIBRARIES = ("torch", "keras", "flax", "nnx", "equinox", "onnx", "sklearn")


@dataclass(frozen=True)
class Row:
    """A model of the corpus."""

    name: str
    make: Callable[[], Any]
    """Gives the model, in a state in which nothing is trivial: statistics gathered, scales that are not 1."""
    hidden: tuple[int, ...] | None
    """Widths of the hidden layers if it is an MLP here; None if it is a chain of blocks."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Libraries that have no equivalent of something in it, and what the error says."""
    options: Callable[[Any], Mapping[str, Any]] = lambda model: {}
    """What reading it needs besides the model."""
    slow: bool = False
    """Whether even reading it waits for the slow run: the library compiles for seconds, and another row has nearly the same in it."""
