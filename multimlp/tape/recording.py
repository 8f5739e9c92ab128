"""How a function of the raw namespace becomes one that records: one way of recording for each kind of
signature.

Each function here returns a `Maker`. The tables in ``rules_*.py`` are dicts of makers by name; the traced
namespace calls a maker once, when the name is first asked for, with the raw function and itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from multimlp.errors import InputError
from multimlp.tape._state import call_with
from multimlp.tape.core import Node, Rule, Traced, any_traced, raw

Function: TypeAlias = Callable[..., Any]
Maker: TypeAlias = "Callable[[Function, Any], Function]"
"""From the raw function and the traced namespace to the function that records."""


def pointwise(*rules: Rule) -> Maker:
    """A function of as many array arguments as there are rules, and nothing else."""
    return {1: _unary, 2: _binary}.get(len(rules), _nary)(rules)


def _unary(rules: tuple[Rule, ...]) -> Maker:
    def make(function: Function, xp: Any) -> Function:
        traced = xp.traced

        def record(x: Any, /) -> Any:
            if type(x) is not traced:
                return function(x)
            value = x.value
            return traced(record(value), x.level, (x,), rules, (value,))

        return record

    return make


def _binary(rules: tuple[Rule, ...]) -> Maker:
    left, right = rules[:1], rules[1:]

    def make(function: Function, xp: Any) -> Function:
        traced = xp.traced

        def record(a: Any, b: Any, /) -> Any:
            if type(a) is traced:
                level = a.level
                if type(b) is traced and b.level >= level:
                    if b.level == level:
                        args = (a.value, b.value)
                        return traced(record(*args), level, (a, b), rules, args)
                else:
                    args = (a.value, b)
                    return traced(record(*args), level, (a,), left, args)
            elif type(b) is not traced:
                return function(a, b)
            args = (a, b.value)
            return traced(record(*args), b.level, (b,), right, args)

        return record

    return make


def _nary(rules: tuple[Rule, ...]) -> Maker:
    def make(function: Function, xp: Any) -> Function:
        traced = xp.traced

        def record(*args: Any) -> Any:
            level, which, below = _take_off(args, traced)
            if not which:
                return function(*args)
            parents = tuple(args[i] for i in which)
            return traced(record(*below), level, parents, tuple(rules[i] for i in which), below)

        return record

    return make


def _take_off(args: tuple[Any, ...], traced: type[Traced]) -> tuple[int, list[int], tuple[Any, ...]]:
    """The highest level among the arguments, the places where it occurs, and the arguments without it."""
    level = max((a.level for a in args if type(a) is traced), default=0)
    which = [i for i, a in enumerate(args) if type(a) is traced and a.level == level]
    return level, which, tuple(a.value if i in which else a for i, a in enumerate(args)) if which else args


def _parameter_check(rule: Rule, skip: int) -> Function:
    """A function that raises for keyword arguments that the rule does not know, such as ``where=``."""
    allowed = frozenset(list(inspect.signature(rule).parameters)[skip:])

    def check(name: str, params: dict[str, Any]) -> None:
        if not allowed.issuperset(params):
            unknown = ", ".join(sorted(set(params) - allowed))
            raise InputError(
                f"{name}: no derivative with the argument(s) {unknown}; "
                f"the array API standard has: {', '.join(sorted(allowed)) or 'none'}"
            )

    return check


def parametric(rule: Rule) -> Maker:
    """A function of one array, which comes first, and of parameters."""
    rules = (rule,)
    check = _parameter_check(rule, skip=4)

    def make(function: Function, xp: Any) -> Function:
        traced = xp.traced

        def record(x: Any, /, *rest: Any, **params: Any) -> Any:
            if type(x) is not traced:
                return function(x, *rest, **params)
            if params:
                check(getattr(function, "__name__", "function"), params)
            value = x.value
            return traced(record(value, *rest, **params), x.level, (x,), rules, (value, *rest), params)

        return record

    return make


def of_sequence(rule: Rule) -> Maker:
    """A function of a list of arrays and of parameters; the rule's first argument is the position in the
    list.
    """
    check = _parameter_check(rule, skip=5)

    def make(function: Function, xp: Any) -> Function:
        traced = xp.traced

        def record(arrays: Any, /, **params: Any) -> Any:
            arrays = tuple(arrays)
            level, which, below = _take_off(arrays, traced)
            if not which:
                return function(arrays, **params)
            check(getattr(function, "__name__", "function"), params)
            parents = tuple(arrays[i] for i in which)
            rules = tuple(partial(rule, i) for i in which)
            return traced(record(below, **params), level, parents, rules, (below,), params)

        return record

    return make


def several_results(rule: Rule) -> Maker:
    """A function of one array with a tuple of results. In the rule, ``g`` and ``y`` are tuples."""

    rules = (rule,)

    def make(function: Function, xp: Any) -> Function:
        traced = xp.traced

        def record(x: Any, /, **params: Any) -> Any:
            if type(x) is not traced:
                return function(x, **params)
            value = x.value
            results = record(value, **params)
            node = Node(tuple(results), x.level, (x,), rules, (value,), params)
            items = [
                traced(item, x.level, (node,), (partial(_nth_cotangent, i, len(results)),))
                for i, item in enumerate(results)
            ]
            return type(results)(*items) if hasattr(results, "_fields") else tuple(items)

        return record

    return make


def _nth_cotangent(i: int, size: int, xp: Any, g: Any, y: Any) -> tuple[Any, ...]:
    return tuple(g if j == i else None for j in range(size))


def composed(definition: Function) -> Maker:
    """A function defined by others of the traced namespace: ``definition(xp, *args, **kwargs)``."""

    def make(function: Function, xp: Any) -> Function:
        def record(*args: Any, **kwargs: Any) -> Any:
            if any_traced(args) or any_traced(kwargs.values()):
                return definition(xp, *args, **kwargs)
            return function(*args, **kwargs)

        return record

    return make


def operation(function: Function, pullback: Function, x: Traced) -> Traced:
    """``function(x)`` as one operation of which the derivative is known.

    Both compute with what is under ``x`` and record if that is traced in its turn, so that there are derivatives of any order.

    Parameters
    ----------
    function : callable
        ``function(x)``
    pullback : callable
        ``pullback(xp, g, x)``: the cotangent of x, from the cotangent ``g`` of the result, with the traced namespace ``xp``.
    x : traced array

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import tape
    >>> def cube(x):
    ...     return tape.operation(lambda x: x * x * x, lambda xp, g, x: xp.multiply(g, 3 * x * x), x)
    >>> value_and_grad = tape.value_and_grad(lambda xs: (cube(xs[0]), ()), mm.get_backend("numpy"))
    >>> value, _, (g,) = value_and_grad((np.asarray(2.0),))
    >>> float(value), float(g)
    (8.0, 12.0)
    """
    below = x.value

    def rule(xp: Any, g: Any, y: Any) -> Any:
        return pullback(xp, g, below)

    return type(x)(call_with((), function, below), x.level, (x,), (rule,))


def constant(function: Function, xp: Any) -> Function:
    """The maker of functions whose derivative is zero wherever it exists, or whose result is no real array:
    they see raw values.
    """

    def compute(*args: Any, **kwargs: Any) -> Any:
        return function(*map(_lower, args), **{name: _lower(value) for name, value in kwargs.items()})

    return compute


def _lower(x: Any) -> Any:
    return [_lower(item) for item in x] if isinstance(x, list) else raw(x)
