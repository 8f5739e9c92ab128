"""Categories by what they mean: 2 is 2.0 and True is true, wherever one was written down as text and the other was not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time
from typing import Any

# 007 is a name, as of a place or an agent, and not 7.
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?", re.ASCII)
_TRUTH = {"true": True, "false": False}


class Meanings:
    """Finds a category by a text that may be written otherwise.

    Parameters
    ----------
    categories : iterable of str

    Examples
    --------
    >>> from multimlp.frames import Meanings
    >>> known = Meanings(["1.0", "7", "a", "true"])
    >>> [known.of(text) for text in ("1", "7.0", "007", "a", "A", "True")]
    ['1.0', '7', '007', 'a', 'A', 'true']
    >>> known.spellings("7")
    ['7.0']
    """

    def __init__(self, categories: Iterable[str]) -> None:
        self._known = set(categories)
        self._kinds: set[str] = set()
        self._by_meaning: dict[Any, str | None] = {}
        for category in self._known:
            kind, meaning = _meaning(category)
            self._kinds.add(kind)
            # Two that mean the same are told apart by their texts alone.
            self._by_meaning[kind, meaning] = None if (kind, meaning) in self._by_meaning else category

    def of(self, text: str) -> str:
        """The category that is meant; the text itself if none is."""
        if text in self._known:
            return text
        return self._by_meaning.get(_meaning(text)) or text

    def spellings(self, category: str) -> list[str]:
        """A category as other programs write it, so far as it is not the text of another: 7 is also 7.0, true is True."""
        kind, meaning = _meaning(category)
        if self._by_meaning[kind, meaning] is None:
            return []
        if kind == "number":
            found = [repr(meaning), *([str(int(meaning))] if meaning.is_integer() else [])]
        elif kind == "boolean":
            found = [str(meaning), str(meaning).lower()]
        elif kind == "date":
            found = [
                str(meaning),
                meaning.isoformat(),
                *([str(meaning.date())] if meaning.time() == time.min else []),
            ]
        else:
            found = []
        return [text for text in dict.fromkeys(found) if text not in self._known]

    def has(self, kind: str) -> bool:
        """Whether some category is a ``"number"``, a ``"date"`` or a ``"boolean"``, so that a column of these may hold them."""
        return kind in self._kinds


def _meaning(text: str) -> tuple[str, Any]:
    if _NUMBER.fullmatch(text):
        return "number", float(text)
    if _DATE.fullmatch(text):
        try:
            found = datetime.fromisoformat(text)
            return "date", found if found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)
        except (ValueError, OverflowError):
            return "text", text
    truth = _TRUTH.get(text.lower())
    return ("text", text) if truth is None else ("boolean", truth)
