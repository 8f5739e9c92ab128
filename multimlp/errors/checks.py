"""Checks of option values: ``check(name, value)`` returns the value as it is kept, or raises an `InputError`.

They stand beside the option that they check: ``momentum: Annotated[float, number(low=0, high=1, high_open=True)]``. Arguments of
functions go through those called ``check_...``, so that every argument of a kind accepts the same, and is refused in the same words.
A number may come as Python's, as NumPy's, or as an array of shape (), as long as it is exactly what is expected.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from multimlp.errors import InputError, MultimlpError, ShapeError
from multimlp.errors.close import did_you_mean
from multimlp.errors.shown import cut

Check: TypeAlias = Callable[[str, Any], Any]


def as_given(value: object) -> str:
    """A value as a message shows it: its ``repr`` on one line, cut off where it is long, and its type where that says more."""
    text = cut(" ".join(repr(value).split()), _LONGEST)
    return text if isinstance(value, _PLAIN) else f"{text} of type {type(value).__name__}"


_LONGEST = 100
_PLAIN = (int, float, str, bytes, type(None))


def refuse(where: str, expected: str, value: object, advice: str = "") -> InputError:
    """The error for an argument: what was expected, what was given, and what to do."""
    if isinstance(value, str) and "number" in expected:
        return InputError(f"{where}: expected {expected}, got {as_given(value)} of type str")
    return InputError(f"{where}: expected {expected}, got {as_given(value)}{advice and f'; {advice}'}")


_NO_NUMBERS = ("bool", "complex", "object", "datetime", "timedelta")


# ---- numbers -------------------------------------------------------------------------------------------------------------


def _scalar(value: object) -> Any:
    """A number as Python's int or float, or None for what is none: text, a boolean, a complex number, more than one number."""
    if isinstance(value, (int, float)):
        return None if isinstance(value, bool) else value
    if isinstance(value, (str, bytes, bytearray)) or getattr(value, "shape", ()) != ():
        return None
    kind = str(getattr(value, "dtype", ""))
    if any(word in kind for word in _NO_NUMBERS) or kind[1:2] in ("U", "S", "V"):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except MultimlpError:
        raise  # a traced array, which says so itself
    except Exception:
        pass
    try:
        return float(value)  # type: ignore[arg-type]
    except MultimlpError:
        raise
    except Exception:
        return None


def check_number(
    where: str,
    value: object,
    *,
    low: float | None = None,
    high: float | None = None,
    low_open: bool = False,
    high_open: bool = False,
    infinite: bool = False,
    nan: bool = False,
) -> float:
    """The value as a float within the bounds given; `InputError` that names the argument otherwise.

    Examples
    --------
    >>> from multimlp.errors.checks import check_number
    >>> check_number("rate", 0, low=0, high=1, high_open=True)
    0.0
    """
    found = value if type(value) is float else _scalar(value)
    if found is None:
        raise refuse(where, "a number", value)
    try:
        number = float(found)
    except OverflowError:
        number = math.inf if found > 0 else -math.inf
    too_low = low is not None and (number <= low if low_open else number < low)
    too_high = high is not None and (number >= high if high_open else number > high)
    if number != number and nan:
        return number
    if number != number or too_low or too_high or (not infinite and math.isinf(number)):
        left = "(-inf" if low is None else f"{'(' if low_open else '['}{low:g}"
        right = f"inf{']' if infinite else ')'}" if high is None else f"{high:g}{')' if high_open else ']'}"
        raise refuse(where, f"a number in {left}, {right}", value)
    return number


def check_whole(
    where: str, value: object, *, low: int | None = None, high: int | None = None, of: str = ""
) -> int:
    """The value as an int within the bounds given; ``of`` says of what, for the message: ``"of steps"``.

    Examples
    --------
    >>> from multimlp.errors.checks import check_whole
    >>> check_whole("epochs", 3.0, low=0)
    3
    """
    if type(value) is int and (low is None or value >= low) and (high is None or value <= high):
        return value
    found = _scalar(value)
    # Beyond 2^53 a float is no longer one whole number, but a range of them.
    whole = found is not None and (isinstance(found, int) or (abs(found) <= 2**53 and found == found // 1))
    if whole and high is not None and found > high:
        raise refuse(where, f"an integer{of and f' {of}'} up to {high}", value)
    if not whole or (low is not None and found < low):
        raise refuse(where, _integers(low, of), value)
    return int(found)


def check_seed(where: str, value: object) -> int:
    """A seed as an int: two words of 32 bits, which is what the keys of random numbers on every library hold.

    Examples
    --------
    >>> from multimlp.errors.checks import check_seed
    >>> check_seed("seed", 7)
    7
    """
    return check_whole(where, value, low=0, high=2**64 - 1)


LARGEST = 2**31 - 1
"""The largest size of an axis that every library can address."""


def _integers(low: int | None, of: str) -> str:
    if low == 1:
        return f"a positive integer{of and f' {of}'}"
    return f"an integer{of and f' {of}'}{'' if low is None else f' >= {low}'}"


def number(
    low: float | None = None, high: float | None = None, low_open: bool = False, high_open: bool = False
) -> Check:
    """A number within bounds."""
    return lambda where, value: check_number(
        where, value, low=low, high=high, low_open=low_open, high_open=high_open
    )


def whole(low: int, of: str = "") -> Check:
    """A whole number from ``low`` on; ``of`` says of what, for the message: ``"of steps"``."""
    return lambda where, value: check_whole(where, value, low=low, of=of)


def flag(where: str, value: Any) -> bool:
    """True or False, also as 0 or 1 or as a library writes them.

    Examples
    --------
    >>> from multimlp.errors.checks import flag
    >>> flag("shuffle", 0)
    False
    """
    if isinstance(value, bool):
        return value
    if "bool" in str(getattr(value, "dtype", "")) and getattr(value, "shape", None) == ():
        return bool(value)
    found = _scalar(value)
    if found is None or found not in (0, 1):
        raise refuse(where, "True or False", value)
    return bool(found)


# ---- words, functions, places --------------------------------------------------------------------------------------------


def check_choice(where: str, value: Any, values: Sequence[str]) -> str:
    """The value, if it is one of some words; `InputError` with the closest of them otherwise."""
    if not isinstance(value, str) or value not in values:
        given = repr(value) if isinstance(value, str) else as_given(value)
        quoted = [repr(word) for word in values]
        listed = f"{', '.join(quoted[:-1])} or {quoted[-1]}" if len(quoted) > 1 else quoted[0]
        raise InputError(f"{where}: expected {listed}, got {given}{did_you_mean(value, values)}")
    return value


def choice(*values: str) -> Check:
    """One of some words."""
    return lambda where, value: check_choice(where, value, values)


def optional(check: Check) -> Check:
    """None, or what another check passes."""
    return lambda where, value: None if value is None else check(where, value)


def each(check: Check) -> Check:
    """A sequence of values that a check passes, as a list."""
    return lambda where, value: [check(where, item) for item in check_items(where, value)]


def check_items(where: str, value: Any, of: str = "") -> list[Any]:
    """The items of a sequence as a list; text, mappings, sets and arrays of shape () are none."""
    if not isinstance(value, (str, bytes, Mapping, set, frozenset)) and hasattr(value, "__iter__"):
        try:
            return list(value)
        except TypeError:
            pass
    raise refuse(where, f"a sequence{of and f' {of}'}", value)


def check_names(where: str, value: Any) -> list[str]:
    """A sequence of names, as a list; a name alone is none."""
    found = check_items(where, value, "of names")
    for name in found:
        if not isinstance(name, str):
            raise refuse(where, "names", name)
    return found


def check_shape(where: str, value: Any, high: int | None = None) -> tuple[int, ...]:
    """A shape as a tuple of Python's integers, each at most ``high``; `ShapeError` for anything else."""
    try:
        return tuple(
            check_whole(where, extent, low=0, high=high) for extent in check_items(where, value, "of sizes")
        )
    except InputError as error:
        raise ShapeError(str(error)) from None


def check_function(where: str, value: Any, expected: str = "a function") -> Any:
    """The value, if it can be called."""
    if not callable(value):
        raise refuse(where, expected, value)
    return value


def check_path(where: str, value: Any, of: str = "file") -> str:
    """The name of a file, or of a folder, as text; `InputError` for what is none, since a number would be taken for an open file."""
    name = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if isinstance(name, bytes):
        raise refuse(where, f"the name of a {of} as text", value, "decode it (os.fsdecode)")
    if not name or "\0" in name:
        raise refuse(where, f"the name of a {of}", value)
    return name
