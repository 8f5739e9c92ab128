"""The derivatives of all orders of element-wise functions of one array.

Those that are met most have a row here: ``row(xp, x, y, n)`` gives f', f'', ..., n of them, at x, where y = f(x), None for zeros; it
may be lazy. Any other follows from its first derivative, the rule of reverse mode, by a series in one variable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from multimlp._typing import Array, Namespace
from multimlp.tape._state import new_level
from multimlp.tape.rules_elementwise import slope_of_tanh

Slopes = Callable[[Namespace, Any, Any, int], Iterable[Any]]


def variable(xp: Any, x: Array, order: int) -> Any:
    """x as a series in itself, with so many derivatives."""
    if order == 0:
        return x
    return xp.series((x, xp.ones_like(x), *(None,) * (order - 1)), new_level())


def derivatives(slope: Callable[[Any], Any], xp: Any, x: Array, n: int) -> list[Any]:
    """f', f'', ..., n of them, from the function ``slope`` that computes f'."""
    point = variable(xp, x, n - 1)
    found = slope(point)
    if n > 1 and isinstance(found, xp.series) and found.level == point.level:
        return list(found.terms)
    return [found, *(None,) * (n - 1)]


def polynomial(factor: Array, y: Array, next_of: Callable[[list[int]], list[int]], n: int) -> Iterator[Any]:
    """``factor`` times P_1(y), P_2(y), ..., where P_1 = 1; coefficients from the lowest power on."""
    coefficients = [1]
    for _ in range(n):
        value: Any = coefficients[-1]
        for c in reversed(coefficients[:-1]):
            value = value * y + c if c else value * y
        yield factor if coefficients == [1] else factor * value
        coefficients = next_of(coefficients)


def _derivative(p: list[int]) -> list[int]:
    return [i * c for i, c in enumerate(p)][1:] or [0]


def _times(p: list[int], q: list[int]) -> list[int]:
    found = [0] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            found[i + j] += a * b
    return found


def _plus(p: list[int], q: list[int]) -> list[int]:
    size = max(len(p), len(q))
    return [a + b for a, b in zip(p + [0] * (size - len(p)), q + [0] * (size - len(q)), strict=True)]


def _tanh(xp: Namespace, x: Array, y: Array, n: int) -> Iterator[Any]:
    """s P(y) with s = 1 - y^2, computed without cancellation: (s P)' = s (-2 y P + (1 - y^2) P')."""
    return polynomial(
        slope_of_tanh(xp, x), y, lambda p: _plus(_times([0, -2], p), _times([1, 0, -1], _derivative(p))), n
    )


def _tan(xp: Namespace, x: Array, y: Array, n: int) -> Iterator[Any]:
    return polynomial(1 + y * y, y, lambda p: _plus(_times([0, 2], p), _times([1, 0, 1], _derivative(p))), n)


def _cycle(*functions: Callable[[Namespace, Array, Array], Array]) -> Slopes:
    """Derivatives that repeat; of those that differ each is computed once."""

    def slopes(xp: Namespace, x: Array, y: Array, n: int) -> Iterator[Any]:
        known: dict[int, Any] = {}
        for m in range(n):
            place = m % len(functions)
            if place not in known:
                known[place] = functions[place](xp, x, y)
            yield known[place]

    return slopes


def _powers(first: Callable[[Namespace, Array, Array], tuple[Array, Array]], exponent: float) -> Slopes:
    """Derivatives of a power, the first one given, and 1/x: each is the one before, divided by x and times the exponent left."""

    def slopes(xp: Namespace, x: Array, y: Array, n: int) -> Iterator[Any]:
        slope, inverse = first(xp, x, y)
        for m in range(1, n + 1):
            yield slope
            slope = slope * (inverse * (exponent - m))

    return slopes


def _logarithm(argument: Callable[[Array], Array], base: float) -> Slopes:
    def first(xp: Namespace, x: Array, y: Array) -> tuple[Array, Array]:
        inverse = 1 / argument(x)
        return (inverse if base == math.e else 1 / (math.log(base) * argument(x))), inverse

    return _powers(first, 0.0)


def power_of(exponent: float) -> Slopes:
    """``x ** exponent`` for a number: derivatives of whole powers end, and are right at 0."""

    def slopes(xp: Namespace, x: Array, y: Array, n: int) -> Iterator[Any]:
        factor = 1.0
        for m in range(1, n + 1):
            factor *= exponent - m + 1
            rest = exponent - m
            if factor == 0:
                yield None
            elif rest in (0, 1, 2):
                yield xp.full_like(x, factor) if rest == 0 else (x if rest == 1 else x * x) * factor
            else:
                yield xp.pow(x, xp.full_like(x, rest)) * factor

    return slopes


SLOPES: dict[str, Slopes] = {
    "exp": _cycle(lambda xp, x, y: y),
    "expm1": _cycle(lambda xp, x, y: xp.exp(x)),
    "sin": _cycle(
        lambda xp, x, y: xp.cos(x), lambda xp, x, y: -y, lambda xp, x, y: -xp.cos(x), lambda xp, x, y: y
    ),
    "cos": _cycle(
        lambda xp, x, y: -xp.sin(x), lambda xp, x, y: -y, lambda xp, x, y: xp.sin(x), lambda xp, x, y: y
    ),
    "sinh": _cycle(lambda xp, x, y: xp.cosh(x), lambda xp, x, y: y),
    "cosh": _cycle(lambda xp, x, y: xp.sinh(x), lambda xp, x, y: y),
    "log": _logarithm(lambda x: x, math.e),
    "log1p": _logarithm(lambda x: 1 + x, math.e),
    "log2": _logarithm(lambda x: x, 2.0),
    "log10": _logarithm(lambda x: x, 10.0),
    "sqrt": _powers(lambda xp, x, y: (0.5 / y, 1 / x), 0.5),
    "reciprocal": _powers(lambda xp, x, y: (-y * y, y), -1.0),
    "tan": _tan,
    "tanh": _tanh,
}
