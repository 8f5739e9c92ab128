"""What a trace under way is for: some of TensorFlow's operations have no kernel in XLA, or none once they are vectorised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

_for_xla: ContextVar[bool] = ContextVar("multimlp_tensorflow_for_xla", default=False)
_for_vmap: ContextVar[bool] = ContextVar("multimlp_tensorflow_for_vmap", default=False)
_seen: ContextVar[bool] = ContextVar("multimlp_tensorflow_seen", default=False)
_recorded: ContextVar[bool] = ContextVar("multimlp_tensorflow_recorded", default=False)


class NeedsLoop(BaseException):
    """What is being vectorised has to be called row by row. No `Exception`, so that TensorFlow does not wrap it."""


def is_for_xla() -> bool:
    """Whether what is called now becomes part of an XLA program."""
    return _for_xla.get()


def is_for_vmap() -> bool:
    """Whether what is called now is being vectorised."""
    return _for_vmap.get()


def is_recorded_in_vmap() -> bool:
    """Whether a tape that was opened inside of what is vectorised records what is called now."""
    return _for_vmap.get() and _recorded.get()


@contextmanager
def recorded() -> Iterator[None]:
    """While a tape records."""
    token = _recorded.set(True)
    try:
        yield
    finally:
        _recorded.reset(token)


@contextmanager
def for_xla() -> Iterator[None]:
    """While a function is traced that XLA compiles."""
    token = _for_xla.set(True)
    try:
        yield
    finally:
        _for_xla.reset(token)


def keep_own_gradient() -> None:
    """Vectorising loses the gradients of `tf.custom_gradient`: leave it where somebody outside may differentiate what is vectorised."""
    if _for_vmap.get() and _seen.get():
        raise NeedsLoop


@contextmanager
def for_vmap(seen: bool) -> Iterator[None]:
    """While a function is vectorised, into the graph at hand; ``seen`` says whether somebody outside may differentiate it.

    Under XLA `tf.vectorized_map` would make a function of its own, and XLA takes all arguments of a function for constants
    of which one result is the shape or the axis of something: it would compile again for each new value.
    """
    left: list[tuple[Any, Any]] = []
    graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    while graph is not None:
        left.append((graph, graph._get_control_flow_context()))
        graph._set_control_flow_context(None)
        graph = getattr(graph, "outer_graph", None)
    token, token_of_seen, token_of_recorded = _for_vmap.set(True), _seen.set(seen), _recorded.set(False)
    try:
        yield
    finally:
        _for_vmap.reset(token)
        _seen.reset(token_of_seen)
        _recorded.reset(token_of_recorded)
        for graph, context in left:
            graph._set_control_flow_context(context)
