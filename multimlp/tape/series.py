"""The array with derivatives along a path: Taylor mode.

A series holds the values of an array and of its first, second, ... derivatives along a path, each an array of its shape, or None for
zeros; no factorials are divided by. A series has a *level*, as a traced array, and its terms belong to lower levels: they may be
traced, batched or series themselves. What has no rule in ``series_rules.py`` raises `multimlp.errors.MissingRuleError`.

Many directions at once are *collapsed*: all terms but the values and the last one are batched, a row a direction, and the last term
is the sum over the directions. Derivatives enter the last term linearly, so that it can be propagated as a sum (Dangel, Siebert,
Zeinhofer, Walther (2025), Collapsing Taylor mode automatic differentiation, arXiv:2505.13644).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import comb
from typing import Any, TypeAlias

from multimlp.errors import NotDifferentiableError
from multimlp.tape._array import Wrapped, admit
from multimlp.tape.core import Differentiated

Terms: TypeAlias = Sequence[Any]
"""The value and the derivatives of the orders 1, 2, ...; None for zeros."""


class Series(Differentiated):
    """An array and its derivatives: the array object of the standard, immutable.

    Parameters
    ----------
    terms : tuple of array or None
    level : int
    directions : int
        The level of the batch that the directions are, 0 for one direction.
    """

    __slots__ = ("directions", "level", "terms")

    def __init__(self, terms: Terms, level: int, directions: int = 0) -> None:
        if type(terms[0]) not in self.admitted:
            admit(type(self), terms[0])
        self.terms = terms
        self.level = level
        self.directions = directions

    @property
    def value(self) -> Any:
        return self.terms[0]

    def around(self, value: Any) -> Series:
        """The same derivatives of the same numbers in another wrapping."""
        return type(self)((value, *self.terms[1:]), self.level, self.directions)


class Frame:
    """What the series of one level have in common, and arithmetic with their terms."""

    __slots__ = ("directions", "level", "order", "xp")

    def __init__(self, xp: Any, top: Series) -> None:
        self.xp = xp
        self.level = top.level
        self.directions = top.directions
        self.order = len(top.terms) - 1

    def holds(self, x: Any) -> bool:
        """Whether this is a series of the level."""
        return isinstance(x, Series) and x.level == self.level

    def terms(self, x: Any) -> Terms:
        """The terms of a series of this level; anything else is a constant."""
        return x.terms if self.holds(x) else (x, *(None,) * self.order)

    def series(self, value: Any, higher: Sequence[Any]) -> Any:
        """The series of these terms; the value alone if all others are zero.

        Raises
        ------
        NotDifferentiableError
            For complex numbers: the rules are those of real ones, of a dot product for instance, which conjugates.
        """
        if all(term is None for term in higher):
            return value
        if not self.xp.is_real_floating(value.dtype):
            raise NotDifferentiableError(
                f"jet, laplacian: derivatives are those of real numbers, got {value.dtype} on the way; write the function with real and "
                "imaginary parts, or take hessian"
            )
        return self.xp.series((value, *higher), self.level, self.directions)

    def mapped(self, function: Callable[[Any], Any], x: Any) -> Any:
        """The series of what a linear function makes of each term."""
        value, *higher = [None if term is None else function(term) for term in self.terms(x)]
        return self.series(value, higher)

    def total(self, order: int, parts: Iterable[Any]) -> Any:
        """The sum of parts of a term: the last one is summed over the directions too. None for no parts."""
        found = None
        for part in parts:
            part = self.collapsed(part) if order == self.order else part
            found = part if found is None else self.xp.add(found, part)
        return found

    def collapsed(self, part: Any) -> Any:
        """What a part adds to the last term: the sum over the directions, if it has any."""
        return self.xp.sum(part.value, axis=0) if self._has_directions(part) else part

    def _has_directions(self, part: Any) -> bool:
        return self.directions > 0 and isinstance(part, self.xp.batched) and part.level == self.directions

    def times(self, order: int, a: Any, b: Any, multiply: Callable[[Any, Any], Any] | None = None) -> Any:
        """A part of a term, the product of two terms element by element; ``multiply`` may take Python's numbers."""
        is_summed = order == self.order and self._has_directions(a) and self._has_directions(b)
        if is_summed and a.shape == b.shape and "vecdot" in self.xp.library.functions:
            return self.xp.vecdot(a.value, b.value, axis=0)  # no array of the products is made
        return (multiply or self.xp.multiply)(a, b)

    def product(
        self,
        function: Callable[[Any, Any], Any],
        a: Terms,
        b: Terms,
        order: int,
        start: int = 0,
        end: int = 0,
    ) -> list[Any]:
        """The parts of Leibniz' rule for a bilinear function, from ``a[start] b[order - start]`` to ``a[order - end] b[end]``."""
        parts = []
        for i in range(start, order + 1 - end):
            if a[i] is not None and b[order - i] is not None:
                part = function(a[i], b[order - i])
                parts.append(
                    self.scaled(comb(order, i), self.collapsed(part) if order == self.order else part)
                )
        return parts

    def scaled(self, count: float, part: Any) -> Any:
        """A term times a number."""
        return part if part is None or count == 1 else part * count

    def like(self, term: Any, value: Any) -> Any:
        """A term with the shape of the value that it belongs to."""
        return term if term is None or term.shape == value.shape else self.xp.broadcast_to(term, value.shape)

    def composed(self, value: Any, slopes: Iterable[Any], x: Terms) -> Any:
        """f(x) from the value and the derivatives of f, element by element: Faà di Bruno's formula by partial Bell polynomials.

        ``slopes`` are f', f'', ... at the value of x, None for zeros; as many as the order are taken.
        """
        parts: list[list[Any]] = [[] for _ in range(self.order + 1)]
        power = [None, *x[1:]]  # B_{k, m} at place k, for m = 1
        for m, slope in zip(range(1, self.order + 1), slopes, strict=False):
            if m > 1:
                power = [None if k < m else self._next_power(k, m, x, power) for k in range(self.order + 1)]
            if slope is not None:
                for k in range(m, self.order + 1):
                    if power[k] is not None:
                        parts[k].append(self.xp.multiply(slope, power[k]))
        return self.series(value, [self.total(k, parts[k]) for k in range(1, self.order + 1)])

    def _next_power(self, k: int, m: int, x: Terms, power: Terms) -> Any:
        """B_{k, m} from the x and the B_{., m - 1}."""
        return self.total(
            k,
            (
                self.scaled(comb(k - 1, i - 1), self.times(k, x[i], power[k - i]))
                for i in range(1, k - m + 2)
                if x[i] is not None and power[k - i] is not None
            ),
        )


def top_of(values: Iterable[Any]) -> Wrapped | None:
    """The array of the highest level among the values and in lists and tuples among them."""
    found: Wrapped | None = None
    for x in values:
        if isinstance(x, (list, tuple)):
            x = top_of(x)
        if isinstance(x, Wrapped) and (found is None or x.level > found.level):
            found = x
    return found
