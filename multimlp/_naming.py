"""Tables of named things (losses, optimisers, ...): one lookup with one error message for all of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from multimlp.errors import InputError

T = TypeVar("T")


class Table(Generic[T]):
    """Names to things of one kind, in the order in which they were added.

    Parameters
    ----------
    kind : str
        What the things are, as the argument that selects one is called: ``"loss"``, ``"optimizer"``.

    Examples
    --------
    >>> from multimlp._naming import Table
    >>> table = Table("loss")
    >>> table.add("mse", 1, "mean_squared_error")
    1
    >>> table.find("mean_squared_error"), table.names()
    (1, ('mse',))
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, T] = {}
        self._aliases: dict[str, str] = {}

    def add(self, name: str, thing: T, *aliases: str) -> T:
        """Add a thing under its name and further names; returns it."""
        self._things[name] = thing
        self._aliases.update(dict.fromkeys(aliases, name))
        return thing

    def names(self) -> tuple[str, ...]:
        """The names, without aliases."""
        return tuple(self._things)

    def find(self, name: str) -> T:
        """The thing of that name or alias; `InputError` with the closest names if there is none."""
        wanted = name.strip().lower().replace("-", "_")
        wanted = self._aliases.get(wanted, wanted)
        if wanted in self._things:
            return self._things[wanted]
        close = difflib.get_close_matches(wanted, [*self._things, *self._aliases], n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise InputError(f"{self.kind}: unknown name {name!r}.{hint} Known names: {', '.join(self._things)}")

    def reject(self, given: object, others: str) -> InputError:
        """The error for a value that selects nothing: neither a name nor one of ``others``."""
        return InputError(
            f"{self.kind}: expected a name ({', '.join(self._things)}), {others}; "
            f"got {given!r} of type {type(given).__name__}"
        )


def unpack_spec(kind: str, spec: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and options of a plain ``{"name": ..., "options": {...}}`` mapping, as ``to_spec`` writes it."""
    options = spec.get("options", {})
    if (
        not isinstance(spec.get("name"), str)
        or not isinstance(options, Mapping)
        or spec.keys() - {"name", "options"}
    ):
        raise InputError(f'{kind}: expected {{"name": ..., "options": {{...}}}}, got {dict(spec)!r}')
    return spec["name"], dict(options)


def check_number(
    where: str,
    value: object,
    *,
    low: float | None = None,
    high: float | None = None,
    low_open: bool = False,
    high_open: bool = False,
) -> float:
    """The value as a float within the bounds given; `InputError` that names the argument otherwise.

    Examples
    --------
    >>> from multimlp._naming import check_number
    >>> check_number("rate", 0, low=0, high=1, high_open=True)
    0.0
    """
    try:
        if isinstance(value, (bool, str)):
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(
            f"{where}: expected a number, got {value!r} of type {type(value).__name__}"
        ) from None
    too_low = low is not None and (number <= low if low_open else number < low)
    too_high = high is not None and (number >= high if high_open else number > high)
    if number != number or too_low or too_high:
        left = "(-inf" if low is None else f"{'(' if low_open else '['}{low:g}"
        right = "inf)" if high is None else f"{high:g}{')' if high_open else ']'}"
        raise InputError(f"{where}: expected a number in {left}, {right}, got {value!r}")
    return number
