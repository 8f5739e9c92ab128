"""Checks of option values: ``check(name, value)`` returns the value as it is kept, or raises an `InputError`.

They stand beside the option that they check: ``momentum: Annotated[float, number(low=0, high=1, high_open=True)]``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from multimlp.errors import InputError

Check: TypeAlias = Callable[[str, Any], Any]


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
    except (TypeError, ValueError, OverflowError):  # the last of a whole number beyond float64
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


def number(
    low: float | None = None, high: float | None = None, low_open: bool = False, high_open: bool = False
) -> Check:
    """A number within bounds."""
    return lambda where, value: check_number(
        where, value, low=low, high=high, low_open=low_open, high_open=high_open
    )


def whole(low: int, of: str = "") -> Check:
    """A whole number from ``low`` on; ``of`` says of what, for the message: ``"of steps"``."""

    def check(where: str, value: Any) -> int:
        found = check_number(where, value, low=low)
        if found != found // 1:
            raise InputError(f"{where}: expected a whole number{of and f' {of}'}, got {value!r}")
        return int(found)

    return check


def flag(where: str, value: Any) -> bool:
    """True or False, also as 0 or 1 or as a library writes them."""
    if value in (False, True):
        return bool(value)
    raise InputError(f"{where}: expected True or False, got {value!r}")


def choice(*values: str) -> Check:
    """One of some words."""

    def check(where: str, value: Any) -> Any:
        if value not in values:
            listed = ", ".join(map(repr, values[:-1])) + f" or {values[-1]!r}"
            raise InputError(f"{where}: expected {listed}, got {value!r}")
        return value

    return check


def optional(check: Check) -> Check:
    """None, or what another check passes."""
    return lambda where, value: None if value is None else check(where, value)


def each(check: Check) -> Check:
    """A sequence of values that a check passes, as a list."""

    def checked(where: str, value: Any) -> list[Any]:
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise InputError(f"{where}: expected a sequence, got {value!r} of type {type(value).__name__}")
        return [check(where, item) for item in value]

    return checked
