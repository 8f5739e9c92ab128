"""Names of layers: those that somebody has chosen, and what another library can take for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from multimlp.interop._parts import Dropout, Part, Pointwise


def chosen(name: Any, *kinds: str) -> str:
    """The name, or "" where it is one that libraries give by themselves: a number, ``layers_3``, or one of ``kinds`` with a number.

    Examples
    --------
    >>> from multimlp.interop._names import chosen
    >>> [chosen(name, "Dense") for name in ("hidden1", "net.0", "0", "layers_2", "Dense_1", "dense")]
    ['hidden1', 'net.0', '', '', '', '']
    """
    text = str(name).strip("._/")
    plain = re.sub(r"[\W\d_]", "", text).lower()
    return "" if plain in ("", "layers", *(kind.lower() for kind in kinds)) else text


class Names:
    """Names of the layers of a model under construction, changed where the library cannot have them, each once.

    Parameters
    ----------
    fitting : callable
        Makes of a name one that the library can have.

    Examples
    --------
    >>> from multimlp.interop._names import Names
    >>> names = Names(lambda name: name.replace(".", "_"))
    >>> [names(name) for name in ("net.0", "net.1", "net_0")]
    ['net_0', 'net_1', 'net_0_2']
    """

    def __init__(self, fitting: Callable[[str], str] = str) -> None:
        self._fitting = fitting
        self._taken: set[str] = set()

    def __call__(self, name: str) -> str:
        first = found = self._fitting(name)
        number = 2
        while found in self._taken:
            found, number = f"{first}_{number}", number + 1
        self._taken.add(found)
        return found

    def of(self, parts: Sequence[Part]) -> list[str | None]:
        """The names of steps, one after the other: an activation or dropout behind a named layer has its name from that."""
        found: list[str | None] = []
        before = ""
        for part in parts:
            name = part.name
            if isinstance(part, (Pointwise, Dropout)):
                kind = part.rule.name if isinstance(part, Pointwise) else "dropout"
                name = name or (f"{before}_{kind}" if before else "")
            else:
                before = name
            found.append(self(name) if name else None)
        return found
