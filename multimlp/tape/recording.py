"""How a function of the raw namespace becomes one that records: one way of recording for each kind of signature.

Each function here returns a `multimlp.tape.source.Maker`. The tables in ``rules_*.py`` are dicts of makers by name; the traced namespace
calls a maker once, when the name is first asked for, with the `multimlp.tape.source.Source` and itself.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from multimlp.errors import InputError, NotDifferentiableError
from multimlp.tape._array import Wrapped, any_wrapped, device_of
from multimlp.tape._state import RECORDING, call_with
from multimlp.tape.batching import Function, level_of
from multimlp.tape.core import Dual, Node, Rule, Traced, next_order, raw
from multimlp.tape.source import Maker, Source


def pointwise(*rules: Rule) -> Maker:
    """A function of as many array arguments as there are rules, and nothing else."""
    return {1: _unary, 2: _binary}.get(len(rules), _nary)(rules)


def _unary(rules: tuple[Rule, ...]) -> Maker:
    keeps_y, (keeps_x,) = _kept(rules, 1)

    def make(source: Source, xp: Any) -> Function:
        source.rules = rules
        traced, wrapped, function, batch = xp.traced, xp.wrapped, source.plain, source.batched
        source.slope = rules[0]

        def record(x: Any, /) -> Any:
            cls = type(x)
            if cls is traced:
                value = x.value
                y = record(value) if type(value) in wrapped else function(value)
                args = (value if keeps_x else None,)
                node = [next_order(), y.shape, (x.node,), rules, y if keeps_y else None, args, None]
                return traced(y, x.level, node)
            return batch(x) if cls in wrapped else function(x)

        return record

    return make


def _binary(rules: tuple[Rule, ...]) -> Maker:
    both, left, right = [(chosen, *_kept(chosen, 2)) for chosen in (rules, rules[:1], rules[1:])]

    def make(source: Source, xp: Any) -> Function:
        source.rules = both[0]
        traced, wrapped, function, batch = xp.traced, xp.wrapped, source.plain, source.batched

        def record(a: Any, b: Any, /) -> Any:
            first, second = type(a), type(b)
            if first is traced and (second not in wrapped or b.level <= a.level):
                level = a.level
                if second is traced and b.level == level:
                    parents: Any = a.node, b.node
                    way = both
                    b = b.value
                else:
                    parents = (a.node,)
                    way = left
                    if second is list or second is tuple:
                        b = array_of(xp, b)
                a = a.value
            elif second is traced and (first not in wrapped or a.level < b.level):
                level, parents, way = b.level, (b.node,), right
                b = b.value
                if first is list or first is tuple:
                    a = array_of(xp, a)
            elif first in wrapped or second in wrapped:
                if second is list or second is tuple:
                    b = array_of(xp, b)
                elif first is list or first is tuple:
                    a = array_of(xp, a)
                return batch(a, b)
            else:
                return function(a, b)
            y = function(a, b) if type(a) not in wrapped and type(b) not in wrapped else record(a, b)
            rules, keeps_y, (keeps_a, keeps_b) = way
            args = (a if keeps_a else None, b if keeps_b else None)
            return traced(
                y, level, [next_order(), y.shape, parents, rules, y if keeps_y else None, args, None]
            )

        return record

    return make


def array_of(xp: Any, given: list[Any] | tuple[Any, ...]) -> Any:
    """A list beside an array: an array where the library makes one of it, as NumPy does, else `TypeError`."""
    if xp.library.follows_numpy:
        return xp.asarray(given)
    raise TypeError(
        f"an array was combined with a {type(given).__name__}; make an array of it first, xp.asarray(...)"
    )


def _nary(rules: tuple[Rule, ...]) -> Maker:
    def make(source: Source, xp: Any) -> Function:
        source.rules = rules
        traced = xp.traced

        def record(*args: Any) -> Any:
            level, which, below = _take_off(args)
            if not which:
                return source.batched(*args) if level else source.plain(*args)
            y = record(*below)
            parents, chosen = tuple(args[i].node for i in which), tuple(rules[i] for i in which)
            return traced(y, level, [next_order(), y.shape, parents, chosen, y, below, None])

        return record

    return make


def _kept(rules: tuple[Rule, ...], arguments: int) -> tuple[bool, tuple[bool, ...]]:
    """Whether a rule looks at the result, and at each argument: not where its parameter begins with an underscore."""
    names = [tuple(inspect.signature(rule).parameters)[2 : 3 + arguments] for rule in rules]
    looked_at = [
        any(i >= len(given) or not given[i].startswith("_") for given in names) for i in range(1 + arguments)
    ]
    return looked_at[0], tuple(looked_at[1:])


def _take_off(args: tuple[Any, ...]) -> tuple[int, list[int], tuple[Any, ...]]:
    """The highest level among the arguments, the places where it is traced, and the arguments without it.

    No places: the level is a batch, or 0 if there is none.
    """
    level, top = 0, None
    for a in args:
        if isinstance(a, Wrapped) and (top is None or a.level > level):
            level, top = a.level, a
    if not isinstance(top, Traced):
        return level if top is not None else 0, [], args
    which = [i for i, a in enumerate(args) if isinstance(a, Traced) and a.level == level]
    return level, which, tuple(a.value if i in which else a for i, a in enumerate(args))


def check_real(xp: Any, name: str, x: Any) -> None:
    """`NotDifferentiableError` for complex numbers, in rules that are right for real ones alone."""
    if not xp.is_real_floating(x.dtype):
        raise NotDifferentiableError(
            f"{name}: of complex numbers ({x.dtype}) the tape has no derivative of this function"
        )


class Like:
    """What is known of an array when its numbers are gone: a rule gets it for a parameter named ``x_like``."""

    __slots__ = ("device", "dtype", "ndim", "shape", "size")

    def __init__(self, x: Any) -> None:
        self.shape = x.shape
        self.ndim = len(x.shape)
        self.size = math.prod(x.shape)
        self.dtype = x.dtype
        self.device = device_of(x)


def _parameters(
    rule: Rule, skip: int
) -> tuple[frozenset[str], Callable[[Function, dict[str, Any]], NoReturn]]:
    """The keyword arguments that the rule knows, and what raises for others, such as ``where=``."""
    allowed = frozenset(list(inspect.signature(rule).parameters)[skip:])

    def refuse(function: Function, params: dict[str, Any]) -> NoReturn:
        name, unknown = getattr(function, "__name__", "function"), ", ".join(sorted(set(params) - allowed))
        raise InputError(
            f"{name}: no derivative with the argument(s) {unknown}; "
            f"the array API standard has: {', '.join(sorted(allowed)) or 'none'}"
        )

    return allowed, refuse


def parametric(rule: Rule) -> Maker:
    """A function of one array, which comes first, and of parameters."""
    rules = (rule,)
    keeps_y, (keeps_x,) = _kept(rules, 1)
    looks_like = "_like" in tuple(inspect.signature(rule).parameters)[3]
    allowed, refuse = _parameters(rule, skip=4)

    def make(source: Source, xp: Any) -> Function:
        source.rules = rules
        traced, wrapped, function, batch = xp.traced, xp.wrapped, source.plain, source.batched

        def record(x: Any, /, *rest: Any, **params: Any) -> Any:
            cls = type(x)
            if cls is not traced:
                return (batch if cls in wrapped else function)(x, *rest, **params)
            if params and not allowed.issuperset(params):
                refuse(function, params)
            value = x.value
            y = (record if type(value) in wrapped else function)(value, *rest, **params)
            kept = Like(value) if looks_like else value if keeps_x else None
            args = (kept, *rest)
            node = [next_order(), y.shape, (x.node,), rules, y if keeps_y else None, args, params]
            return traced(y, x.level, node)

        return record

    return make


def selecting(rule: Rule) -> Maker:
    """A function of an array, of where to look in it (a key, or an array of indices), and of parameters. The array is
    differentiated; what says where may be batched. The rule looks at no numbers but those of the cotangent.
    """
    rules = (rule,)
    looks_like = "_like" in tuple(inspect.signature(rule).parameters)[3]
    allowed, refuse = _parameters(rule, skip=4)

    def make(source: Source, xp: Any) -> Function:
        source.rules = rules
        traced, wrapped, function = xp.traced, xp.wrapped, source.plain

        def record(x: Any, where: Any, /, *rest: Any, **params: Any) -> Any:
            batch = 0 if type(where) in _PLAIN_KEYS else level_of((where,))
            cls = type(x)
            if cls is not traced or x.level < batch:
                if batch or cls in wrapped:
                    return source.batched(x, where, *rest, **params)
                return function(x, where, *rest, **params)
            if params and not allowed.issuperset(params):
                refuse(function, params)
            value = x.value
            below = record if batch or type(value) in wrapped else function
            y = below(value, where, *rest, **params)
            args = (Like(value) if looks_like else None, where, *rest)
            return traced(y, x.level, [next_order(), y.shape, (x.node,), rules, None, args, params])

        return record

    return make


_PLAIN_KEYS = frozenset((int, slice))


def of_sequence(rule: Rule) -> Maker:
    """A function of a list of arrays and of parameters; the rule's first argument is the position in the
    list.
    """
    allowed, refuse = _parameters(rule, skip=5)

    def make(source: Source, xp: Any) -> Function:
        traced, function = xp.traced, source.plain

        def record(arrays: Any, /, **params: Any) -> Any:
            arrays = tuple(arrays)
            level, which, below = _take_off(arrays)
            if not which:
                return (source.batched if level else function)(arrays, **params)
            if params and not allowed.issuperset(params):
                refuse(function, params)
            y = record(below, **params)
            parents, rules = tuple(arrays[i].node for i in which), tuple(partial(rule, i) for i in which)
            likes = tuple(map(Like, below))
            return traced(y, level, [next_order(), y.shape, parents, rules, Like(y), (likes,), params])

        return record

    return make


def several_results(rule: Rule) -> Maker:
    """A function of one array with a tuple of results. In the rule, ``g`` and ``y`` are tuples."""

    rules = (rule,)

    def make(source: Source, xp: Any) -> Function:
        source.rules = rules
        traced = xp.traced

        def record(x: Any, /, **params: Any) -> Any:
            if type(x) is not traced:
                return source(x, **params)
            value = x.value
            results = record(value, **params)
            node = [next_order(), None, (x.node,), rules, tuple(results), (value,), params]
            items = [
                result_of(node, i, len(results), traced(item, x.level)) for i, item in enumerate(results)
            ]
            return type(results)(*items) if hasattr(results, "_fields") else tuple(items)

        return record

    return make


def result_of(node: Node, i: int, size: int, x: Traced) -> Traced:
    """``x`` as the i-th of ``size`` results of an operation with several."""
    x.node = [next_order(), x.shape, (node,), (partial(_nth_cotangent, i, size),), None, (), None]
    return x


def _nth_cotangent(i: int, size: int, xp: Any, g: Any, y: Any) -> tuple[Any, ...]:
    return tuple(g if j == i else None for j in range(size))


def composed(definition: Function) -> Maker:
    """A function defined by others of the traced namespace: ``definition(xp, *args, **kwargs)``."""

    def make(source: Source, xp: Any) -> Function:
        function = source.plain

        def record(*args: Any, **kwargs: Any) -> Any:
            if any_wrapped(args) or any_wrapped(kwargs.values()):
                return definition(xp, *args, **kwargs)
            return function(*args, **kwargs)

        return record

    return make


def operation(function: Function, pullback: Function, x: Any) -> Any:
    """``function(x)`` as one operation of which the derivative is known.

    Both compute with what is under ``x`` and record if that is traced in its turn, so that there are derivatives of any order.

    Parameters
    ----------
    function : callable
        ``function(x)``
    pullback : callable
        ``pullback(xp, g, x)``: the cotangent of x, from the cotangent ``g`` of the result, with the traced namespace ``xp``.
    x : traced array
        Or one with a tangent, if the function is one of each element.

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
    under = tuple((library, level) for library, level in RECORDING.levels if level < x.level)

    def rule(xp: Any, g: Any, _y: Any) -> Any:
        return pullback(xp, g, below)

    y = call_with(under, function, below)
    if isinstance(x, Dual):
        return type(x)(y, call_with(under, pullback, x.__multimlp_namespace__, x.tangent, below), x.level)
    return type(x)(y, x.level, [next_order(), y.shape, (x.node,), (rule,), None, (), None])


def constant(source: Source, xp: Any) -> Function:
    """The maker of functions whose derivative is zero wherever it exists, or whose result is no real array:
    they see raw values.
    """

    wrapped, function = xp.wrapped, source.plain

    def compute(*args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            args = tuple([raw(x) if type(x) in wrapped else x for x in args])
            if wrapped.isdisjoint(map(type, args)) and list not in map(type, args):
                return function(*args)
        return source(*map(_lower, args), **{name: _lower(value) for name, value in kwargs.items()})

    return compute


def _lower(x: Any) -> Any:
    return [_lower(item) for item in x] if isinstance(x, list) else raw(x)
