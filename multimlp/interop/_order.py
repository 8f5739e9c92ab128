"""The order of layers that are known by name alone, as in files that are sorted by name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from multimlp.errors import InputError

_MOST_GROUPS = 8
"""Of names that differ in more than their numbers: with more, nothing is tried."""
_MOST_STEPS = 100_000


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key by which ``"layers.10"`` comes behind ``"layers.9"``, however many digits there are."""
    return tuple(_key(piece) for piece in re.split(r"([0-9]+)", name) if piece)


def _key(piece: str) -> tuple[int, str]:
    if not (piece.isascii() and piece.isdigit()):
        return -1, piece
    digits = piece.lstrip("0")
    return len(digits), digits


def in_order(source: str, layers: Mapping[str, tuple[int, int]]) -> list[str]:
    """The names of fully connected layers in the order in which they are computed.

    Names that differ in numbers alone go by these; else each layer takes what the one before gives, if only one order does so.

    Parameters
    ----------
    source : str
        What is read, for the error.
    layers : mapping of str to (int, int)
        Of each layer how many features come in and go out.

    Raises
    ------
    InputError
        If the layers fit together in several orders.

    Examples
    --------
    >>> from multimlp.interop._order import in_order
    >>> in_order("file", {"10": (3, 3), "2": (3, 3)})
    ['2', '10']
    >>> in_order("file", {"hidden": (4, 8), "first": (2, 4), "scores": (8, 3)})
    ['first', 'hidden', 'scores']
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(layers, key=natural):
        groups.setdefault(re.sub(r"[0-9]+", "#", name), []).append(name)
    if len(groups) == 1:
        return next(iter(groups.values()))
    for halved in (False, True) if len(groups) <= _MOST_GROUPS else ():
        found = _orders(list(groups.values()), layers, halved)
        if len(found) == 1:
            return found[0]
        if found:
            break
    else:
        found = []
    shown = ", ".join(name.rstrip(".") for name in sorted(layers, key=natural)[:6])
    raise InputError(
        f"{source}: its layers are sorted by name and fit together in {'no order' if not found else 'several orders'} that the names "
        f"tell ({shown}{', ...' if len(layers) > 6 else ''}); number them, or give the model as a whole or in a format that keeps the order"
    )


def _orders(groups: list[list[str]], layers: Mapping[str, tuple[int, int]], halved: bool) -> list[list[str]]:
    """Up to two orders in which the layers fit together, those of a group in its order; ``halved`` if half of what one gives may go into
    the next, as behind glu."""
    found: list[list[str]] = []
    waiting: list[tuple[tuple[int, ...], list[str]]] = [((0,) * len(groups), [])]
    steps = 0
    while waiting and len(found) < 2 and steps < _MOST_STEPS:
        steps += 1
        taken, order = waiting.pop()
        if len(order) == len(layers):
            found.append(order)
        for i, group in enumerate(groups):
            if taken[i] < len(group) and _fits(order, group[taken[i]], layers, halved):
                waiting.append(((*taken[:i], taken[i] + 1, *taken[i + 1 :]), [*order, group[taken[i]]]))
    return found if steps < _MOST_STEPS else []


def _fits(order: list[str], name: str, layers: Mapping[str, tuple[int, int]], halved: bool) -> bool:
    if not order:
        return True
    given, taken = layers[order[-1]][1], layers[name][0]
    return given == taken or (halved and given == 2 * taken)


def as_metadata(names: Iterable[str]) -> dict[str, str]:
    """Where a file that is sorted by name keeps the order."""
    return {_ORDER_KEY: json.dumps(list(names))}


def from_metadata(metadata: Mapping[str, str], names: Iterable[str]) -> list[str] | None:
    """The order that a file states, if it is one of these names."""
    try:
        found = json.loads(metadata.get(_ORDER_KEY, "null"))
    except (ValueError, RecursionError):
        return None
    is_order = isinstance(found, list) and all(isinstance(name, str) for name in found)
    return found if is_order and sorted(found) == sorted(names) else None


_ORDER_KEY = "multimlp.order"
