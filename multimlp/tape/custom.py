"""Functions with derivatives of their user's own.

A derivative takes off its level and calls the user's rule with what is underneath, where it is recorded or batched as any function is,
so that there are derivatives of any order; a batch maps function and rule over its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from multimlp._typing import Arrays, Library
from multimlp.errors import DifferentiationError
from multimlp.tape._array import Wrapped
from multimlp.tape._state import RECORDING, call_with
from multimlp.tape.batched import Batched
from multimlp.tape.batching import stretched
from multimlp.tape.core import Node, Traced, next_order
from multimlp.tape.expansion import jet
from multimlp.tape.linear import transposed
from multimlp.tape.namespace import namespace_for, traced_type
from multimlp.tape.recording import result_of
from multimlp.tape.series import Frame, Series

Map = Callable[[Arrays], Arrays]


class Transforms(Protocol):
    """Whose reverse mode and batching the rules are run by."""

    def vjp(self, function: Map, arrays: Arrays) -> tuple[Arrays, Map]:
        """As `multimlp.backend.Backend.vjp`."""

    def vmap(self, function: Map) -> Map:
        """As `multimlp.backend.Backend.vmap`."""


def custom_vjp(
    function: Map,
    forward: Callable[[Arrays], tuple[Arrays, Arrays]],
    backward: Callable[[Arrays, Arrays], Arrays],
    arrays: Arrays,
    library: Library,
    transforms: Transforms | None = None,
) -> Arrays:
    """As `multimlp.backend.Backend.custom_vjp`. In forward and Taylor mode the backward rule is transposed.

    ``transforms`` differentiates and batches the rules, by default the library.
    """
    engine = library if transforms is None else transforms
    return _called(_ByVjp(function, forward, backward, library, engine), tuple(arrays), library)


def custom_jvp(
    function: Map,
    rule: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]],
    arrays: Arrays,
    library: Library,
    transforms: Transforms | None = None,
) -> Arrays:
    """As `multimlp.backend.Backend.custom_jvp`. In reverse mode the rule is transposed. ``transforms`` as for `custom_vjp`."""
    engine = library if transforms is None else transforms
    return _called(_ByJvp(function, rule, library, engine), tuple(arrays), library)


class Forward(Protocol):
    """A function with its derivative along a direction."""

    def pushed(self, arrays: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
        """The outputs and their tangents."""


class _Rule(Forward, Protocol):
    """A function with its derivative, in either direction."""

    function: Map

    def pulled(self, arrays: Arrays) -> tuple[Arrays, Map]:
        """The outputs, and from their cotangents to those of the arrays."""

    def mapped(self) -> _Rule:
        """The same for arrays with one more leading axis."""


class _ByVjp:
    def __init__(
        self, function: Map, forward: Any, backward: Any, library: Library, transforms: Transforms
    ) -> None:
        self.function, self._forward, self._backward = function, forward, backward
        self._library, self._transforms = library, transforms

    def pulled(self, arrays: Arrays) -> tuple[Arrays, Map]:
        outputs, residuals = self._forward(arrays)
        return outputs, lambda cotangents: self._backward(residuals, cotangents)

    def pushed(self, arrays: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
        outputs, pullback = self.pulled(arrays)
        smooth, zeros = _smooth(self._library, outputs)
        derivatives = list(zeros)
        if smooth:
            rows = transposed(pullback, zeros, smooth, self._transforms.vjp)(tangents)
            for i, row in zip(smooth, rows, strict=True):
                derivatives[i] = row
        return outputs, tuple(derivatives)

    def mapped(self) -> _ByVjp:
        count, several = 0, self._transforms.vmap

        def one(arrays: Arrays) -> Arrays:
            nonlocal count
            outputs, residuals = self._forward(arrays)
            count = len(outputs)
            return (*outputs, *residuals)

        def forward(arrays: Arrays) -> tuple[Arrays, Arrays]:
            found = several(one)(arrays)
            return found[:count], found[count:]

        def backward(residuals: Arrays, cotangents: Arrays) -> Arrays:
            size = len(residuals)
            return several(lambda given: self._backward(given[:size], given[size:]))(
                (*residuals, *cotangents)
            )

        return _ByVjp(several(self.function), forward, backward, self._library, self._transforms)


class _ByJvp:
    def __init__(self, function: Map, rule: Any, library: Library, transforms: Transforms) -> None:
        self.function, self._rule = function, rule
        self._library, self._transforms = library, transforms

    def pulled(self, arrays: Arrays) -> tuple[Arrays, Map]:
        library = self._library
        places, zeros = _smooth(library, arrays)
        outputs: Arrays = ()
        smooth: list[int] = []

        def derivative(tangents: Arrays) -> Arrays:
            nonlocal outputs, smooth
            given = list(zeros)
            for i, tangent in zip(places, tangents, strict=True):
                given[i] = tangent
            outputs, derivatives = self._rule(arrays, tuple(given))
            smooth = _smooth(library, outputs)[0]
            return tuple(derivatives[i] for i in smooth)

        _, pull = self._transforms.vjp(derivative, tuple(zeros[i] for i in places))

        def pullback(cotangents: Arrays) -> Arrays:
            found = list(zeros)
            for i, c in zip(places, pull(tuple(cotangents[i] for i in smooth)), strict=True):
                found[i] = c
            return tuple(found)

        return outputs, pullback

    def pushed(self, arrays: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
        outputs, derivatives = self._rule(arrays, tangents)
        return outputs, derivatives

    def mapped(self) -> _ByJvp:
        several = self._transforms.vmap

        def rule(arrays: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
            size = len(arrays)

            def one(given: Arrays) -> Arrays:
                outputs, derivatives = self._rule(given[:size], given[size:])
                return (*outputs, *derivatives)

            found = several(one)((*arrays, *tangents))
            return found[: len(found) // 2], found[len(found) // 2 :]

        return _ByJvp(several(self.function), rule, self._library, self._transforms)


def _smooth(library: Library, arrays: Arrays) -> tuple[list[int], Arrays]:
    """The places of floating-point arrays, and zeros like each."""
    places = [i for i, x in enumerate(arrays) if library.is_floating(x)]
    return places, tuple(namespace_for(library, (x,)).zeros_like(x) for x in arrays)


# ---- one level at a time ---------------------------------------------------------------------------------------------


def _called(rule: _Rule, arrays: Arrays, library: Library) -> Arrays:
    top: Any = max((x for x in arrays if isinstance(x, Wrapped)), key=lambda x: x.level, default=None)
    if top is None:
        outputs = rule.function(arrays)
    elif isinstance(top, Series):
        outputs = expanded(rule, arrays, top, library)
    elif isinstance(top, Batched):
        outputs = _batched(rule, arrays, top, library)
    else:
        outputs = _differentiable(rule, arrays, top)
    _check_closure(outputs, set(_differentiated(arrays)))
    return outputs


def _batched(rule: _Rule, arrays: Arrays, top: Batched, library: Library) -> Arrays:
    level, rows = top.level, top.value.shape[0]
    xp: Any = traced_type(library).__multimlp_namespace__
    below = tuple(stretched(xp, x, level, rows) for x in arrays)
    return tuple(type(top)(y, level) for y in _called(rule.mapped(), below, library))


def _differentiable(rule: _Rule, arrays: Arrays, top: Any) -> Arrays:
    level, kind = top.level, type(top)
    under = tuple((library, number) for library, number in RECORDING.levels if number < level)
    places = [i for i, x in enumerate(arrays) if type(x) is kind and x.level == level]
    below = tuple(x.value if i in places else x for i, x in enumerate(arrays))
    if not isinstance(top, Traced):
        tangents = tuple(x.tangent if i in places else None for i, x in enumerate(arrays))
        zeros = _smooth(top.__multimlp_backend__, below)[1]
        given = tuple(zeros[i] if t is None else t for i, t in enumerate(tangents))
        outputs, derivatives = call_with(under, rule.pushed, below, given)
        smooth, _ = _smooth(top.__multimlp_backend__, outputs)
        return tuple(kind(y, derivatives[i], level) if i in smooth else y for i, y in enumerate(outputs))
    outputs, pullback = call_with(under, rule.pulled, below)

    def cotangents(xp: Any, g: Arrays, y: Any) -> Arrays:
        found = call_with(under, pullback, g)
        _check_closure(found, set(_differentiated((*g, *below))))
        return tuple(found[i] for i in places)

    parents = tuple(arrays[i].node for i in places)
    inputs: Node = [
        next_order(),
        None,
        parents,
        tuple(map(_pick, range(len(places)))),
        (None,) * len(places),
        (),
        None,
    ]
    whole: Node = [next_order(), None, (inputs,), (cotangents,), outputs, (), None]
    smooth, _ = _smooth(top.__multimlp_backend__, outputs)
    return tuple(
        result_of(whole, i, len(outputs), kind(y, level)) if i in smooth else y for i, y in enumerate(outputs)
    )


def expanded(rule: Forward, arrays: Arrays, top: Series, library: Library) -> Arrays:
    """In Taylor mode: y'(t) is what the rule makes of x(t) and x'(t), and its derivatives are those of the rule along both paths."""
    frame = Frame(top.__multimlp_namespace__, top)
    under = tuple((library, number) for library, number in RECORDING.levels if number < frame.level)
    terms = [frame.terms(x) for x in arrays]
    values = tuple(row[0] for row in terms)
    zeros = _smooth(library, values)[1]

    def tangents(order: int) -> Arrays:
        return tuple(
            zero if row[order] is None else row[order] for row, zero in zip(terms, zeros, strict=True)
        )

    def pushed(given: Arrays) -> Arrays:
        outputs, derivatives = rule.pushed(given[: len(values)], given[len(values) :])
        return (*outputs, *derivatives)

    point, last = (*values, *tangents(1)), frame.order
    if last == 1:
        found, higher = call_with(under, pushed, point), None
    else:
        # Collapsed directions are summed in the last term, which enters linearly: it comes to it by itself.
        ends = [None if frame.directions else row[last] for row in terms]
        paths = [row[1:last] for row in terms] + [
            (*row[2:last], end) for row, end in zip(terms, ends, strict=True)
        ]
        found, higher = call_with(under, jet, pushed, point, paths, last - 1, library)
    count = len(found) // 2
    rows = [[y] if higher is None else [y, *higher[count + i]] for i, y in enumerate(found[count:])]
    if frame.directions and last > 1:
        straight = call_with(under, pushed, (*values, *tangents(last)))[count:]
        for row, part in zip(rows, straight, strict=True):
            row[-1] = frame.total(last, (row[-1], part))
    smooth, _ = _smooth(library, found[:count])
    return tuple(frame.series(y, rows[i]) if i in smooth else y for i, y in enumerate(found[:count]))


def _pick(i: int) -> Callable[..., Any]:
    return lambda xp, g, y: g[i]


def _differentiated(values: Arrays) -> Iterator[int]:
    """The levels at which somebody differentiates."""
    for x in values:
        while isinstance(x, Wrapped):
            if not isinstance(x, Batched):
                yield x.level
            x = x.value


def _check_closure(results: Arrays, known: set[int]) -> None:
    if not known.issuperset(_differentiated(results)):
        raise DifferentiationError(
            "custom_vjp, custom_jvp: the function, or its rule, closes over an array that is differentiated. Its derivative would be lost: "
            "make it an argument of the function, or pass multimlp.stop_gradient(array)"
        )
