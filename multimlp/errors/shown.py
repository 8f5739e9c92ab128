"""What is shown of things that hold arrays: in a line, whatever they hold."""

from __future__ import annotations

import dataclasses
from typing import Any

MOST_ITEMS, MOST_CHARACTERS = 6, 60


def shown(value: Any) -> str:
    """A value in few characters: an array by its dtype and shape, a number by four digits, a function by its name.

    Examples
    --------
    >>> import numpy as np
    >>> from multimlp.errors.shown import shown
    >>> shown((np.zeros((3, 4), dtype=np.float32), 0.123456, [1] * 20))
    '(float32[3, 4], 0.1235, [1, 1, 1, 1, 1, 1, ... 20 in all])'
    """
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return _array(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return f"{{{_items([f'{key!r}: {shown(item)}' for key, item in value.items()])}}}"
    if type(value) is tuple:
        items = _items([shown(item) for item in value])
        return f"({items},)" if len(value) == 1 else f"({items})"
    if type(value) is list:
        return f"[{_items([shown(item) for item in value])}]"
    if callable(value) and not isinstance(value, type) and hasattr(value, "__name__"):
        text = repr(value)
        return str(value.__name__) if " at 0x" in text else text
    text = " ".join(repr(value).split())
    return text if dataclasses.is_dataclass(value) else cut(text, MOST_CHARACTERS)


def cut(text: str, most: int) -> str:
    """A text of at most so many characters, the last three of them dots where something is left out.

    Examples
    --------
    >>> from multimlp.errors.shown import cut
    >>> cut("as it is", 8), cut("far too long", 8)
    ('as it is', 'far t...')
    """
    return text if len(text) <= most else f"{text[: most - 3]}..."


def one_line(error: BaseException, most: int = 300) -> str:
    """What an error says, in a line of at most so many characters; its type, if it says nothing.

    Examples
    --------
    >>> from multimlp.errors.shown import one_line
    >>> one_line(ValueError("no such\\n  column")), one_line(KeyboardInterrupt())
    ('no such column', 'KeyboardInterrupt')
    """
    return cut(" ".join(str(error).split()) or type(error).__name__, most)


def short_repr(thing: Any) -> str:
    """The ``__repr__`` of a dataclass or a named tuple: its fields, each as `shown` shows it."""
    if dataclasses.is_dataclass(thing):
        names = [part.name for part in dataclasses.fields(thing) if part.repr]
    else:
        names = list(thing._fields)
    pairs = ", ".join(f"{name}={shown(getattr(thing, name))}" for name in names)
    return f"{type(thing).__name__}({pairs})"


def _array(value: Any) -> str:
    try:
        kind = getattr(value.dtype, "name", None) or str(value.dtype).rpartition(".")[2]
        return f"{kind}[{', '.join(map(str, value.shape))}]"
    except Exception:  # a traced array may refuse; nobody wants an error from a repr
        return f"<{type(value).__name__}>"


def _items(texts: list[str]) -> str:
    more = f", ... {len(texts)} in all" if len(texts) > MOST_ITEMS else ""
    return ", ".join(texts[:MOST_ITEMS]) + more
