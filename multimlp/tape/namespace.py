"""The traced namespace of a library: every function of the raw namespace, recording where it must."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from multimlp._typing import Library, Namespace
from multimlp.errors import MissingRuleError
from multimlp.tape._state import call_with, outermost_level
from multimlp.tape.core import Rule, Traced, any_traced
from multimlp.tape.recording import Function, Maker, pointwise

_OWN = frozenset(("_getitem", "_put", "_add_at", "_to_device"))  # not in the raw namespace

_EXTENSIONS = ("linalg", "fft")

_BINARY_OPERATORS: dict[str, tuple[str, Function | None]] = {
    # name of the function: name of the method, and the operator if it may be used on raw arrays
    "add": ("add", operator.add),
    "subtract": ("sub", operator.sub),
    "multiply": ("mul", operator.mul),
    "divide": ("truediv", operator.truediv),
    "floor_divide": ("floordiv", operator.floordiv),
    "remainder": ("mod", operator.mod),
    "pow": ("pow", operator.pow),
    "matmul": ("matmul", None),
}
_OPERATORS: dict[str, tuple[str, Function]] = {
    "negative": ("neg", operator.neg),
    "positive": ("pos", operator.pos),
    "abs": ("abs", operator.abs),
    "equal": ("eq", operator.eq),
    "not_equal": ("ne", operator.ne),
    "less": ("lt", operator.lt),
    "less_equal": ("le", operator.le),
    "greater": ("gt", operator.gt),
    "greater_equal": ("ge", operator.ge),
}


def _rule(name: str) -> Maker | None:
    """What makes the recording function of that name; the table is imported when something is first traced."""
    from multimlp.tape.rules import RULES

    return _added.get(name) or RULES.get(name)


class TracedNamespace:
    """What portable code computes with when it is differentiated.

    Attributes are made when they are first asked for: a function with a rule records, one without derivative
    by nature sees the raw values, any other raises `multimlp.errors.MissingRuleError` on a traced array;
    dtypes, constants and inspection are the raw ones.
    """

    traced: type[Traced]
    """The type of the arrays that this namespace records."""

    def __init__(self, library: Library, source: Namespace, prefix: str = "", main: Any = None) -> None:
        self.library = library
        self._source = source
        self._prefix = prefix
        self._main = self if main is None else main
        self._real_floating: dict[Any, bool] = {}
        self._types: dict[type, bool] = {}
        self.__name__ = f"multimlp.tape({getattr(source, '__name__', library.name)})"

    def __getattr__(self, name: str) -> Any:
        if name == "traced" or (name.startswith("__") and not name.startswith("__array")):
            raise AttributeError(name)
        found = self._make(name)
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in dir(self._source) if not name.startswith("_"))})

    def __repr__(self) -> str:
        return f"<namespace {self.__name__}>"

    def _make(self, name: str) -> Any:
        maker = _rule(self._prefix + name)
        if name in _EXTENSIONS and not self._prefix:
            return _extension(self, name)
        if maker is not None and (name in _OWN or isinstance(maker, _Registered)):
            return maker(_no_function, self._main)
        found = getattr(self._source, name)
        if maker is not None:
            return maker(found, self._main)
        if callable(found) and not isinstance(found, type) and not name.startswith("__"):
            return _without_rule(self._prefix + name, found)
        return found

    def owns(self, x: Any) -> bool:
        """Whether ``x`` is an array of this library, plain or traced."""
        cls = type(x)
        try:
            return self._types[cls]
        except KeyError:
            known = self._types[cls] = cls is self.traced or self.library.is_array_type(cls)
            return known

    def is_real_floating(self, dtype: Any) -> bool:
        """Whether arrays of this dtype can be differentiated."""
        try:
            return self._real_floating[dtype]
        except KeyError:
            known = self._real_floating[dtype] = bool(self._source.isdtype(dtype, "real floating"))
            return known


def _extension(xp: TracedNamespace, name: str) -> TracedNamespace:
    extension = TracedNamespace(xp.library, getattr(xp._source, name), f"{name}.", xp)
    return extension


def _no_function(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("this name has no raw function")


def _without_rule(name: str, function: Function) -> Function:
    def refuse_traced(*args: Any, **kwargs: Any) -> Any:
        if any_traced(args) or any_traced(kwargs.values()):
            raise MissingRuleError(
                f"{name}: the tape has no derivative rule for this function. Add one with "
                f"multimlp.tape.primitive({name!r}, forward, *rules) or a row in multimlp/tape/rules_*.py, "
                f"or pass multimlp.stop_gradient(x) where a constant is meant"
            )
        return function(*args, **kwargs)

    return refuse_traced


class _Registered:
    """The maker of a function added by `primitive`."""

    def __init__(self, forward: Callable[..., Any], rules: tuple[Rule, ...]) -> None:
        self.forward = forward
        self.make = pointwise(*rules)

    def __call__(self, function: Function, xp: TracedNamespace) -> Function:
        return self.make(partial(call_with, (), self.forward, xp.library.xp), xp)


_added: dict[str, _Registered] = {}
"""What `primitive` added, by name."""


def primitive(name: str, forward: Callable[..., Any], *rules: Rule) -> None:
    """Give every traced namespace one more differentiable function, ``xp.<name>``.

    Parameters
    ----------
    name : str
        The name in the traced namespace; an extension's with its prefix, ``"linalg.expm"``.
    forward : callable
        ``forward(xp, *arrays)`` on raw arrays, ``xp`` being the raw namespace.
    *rules : callable
        For each array argument ``rule(xp, g, y, *arrays)``: its cotangent, from the cotangent ``g`` of the
        result ``y``. Here ``xp`` is the traced namespace, so that the derivative can be differentiated again.
        The shape to which the argument was broadcast will do.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> from multimlp import tape
    >>> tape.primitive("cube", lambda xp, x: x * x * x, lambda xp, g, y, x: 3 * g * x * x)
    >>> def f(arrays):
    ...     (x,) = arrays
    ...     return x.__array_namespace__().cube(x), ()
    >>> float(tape.value_and_grad(f, mm.get_backend("numpy"))((np.asarray(2.0),))[2][0])
    12.0
    """
    _added[name] = _Registered(forward, rules)
    for traced in _traced_types.values():
        space: Any = traced.__multimlp_namespace__
        for part in name.split(".")[:-1]:
            space = getattr(space, part)
        vars(space).pop(name.rpartition(".")[2], None)


_traced_types: dict[Library, type[Traced]] = {}


def traced_type(library: Library) -> type[Traced]:
    """The type of the traced arrays of a library, made once."""
    try:
        return _traced_types[library]
    except KeyError:
        return _traced_types.setdefault(library, _make_traced_type(library))


def constants_for(library: Library, arrays: Iterable[Any]) -> tuple[Any, ...]:
    """The arrays, as constants that meet traced ones if the library's plain arrays refuse to (MLX's do)."""
    arrays = tuple(arrays)
    level = outermost_level(library)
    if level is None or any_traced(arrays) or not _refuses_traced(library):
        return arrays
    traced = traced_type(library)
    space = traced.__multimlp_namespace__
    return tuple(traced(x, level) if space.is_real_floating(x.dtype) else x for x in arrays)


_refusing: dict[Library, bool] = {}


def _refuses_traced(library: Library) -> bool:
    if library not in _refusing:
        one = library.xp.ones(())
        try:
            one * traced_type(library)(one, 0)
        except (TypeError, ValueError):
            _refusing[library] = True
        else:
            _refusing[library] = False
    return _refusing[library]


def namespace_for(library: Library, arrays: Iterable[Any]) -> Namespace:
    """What computes with these arrays of a library: its namespace, or the traced one if an array is traced."""
    return traced_type(library).__multimlp_namespace__ if any_traced(arrays) else library.xp


def _make_traced_type(library: Library) -> type[Traced]:
    xp = TracedNamespace(library, library.xp)
    members = {
        "__slots__": (),
        "__multimlp_backend__": library,
        "__multimlp_namespace__": xp,
        "__hash__": None,
    }
    xp.traced = type("Traced", (Traced,), members)
    for name, (method, function) in _OPERATORS.items():
        setattr(xp.traced, f"__{method}__", _recording(name, function, xp))
    for name, (method, operation) in _BINARY_OPERATORS.items():
        record = getattr(xp, name) if operation is None else _recording(name, operation, xp)
        setattr(xp.traced, f"__{method}__", record)
        setattr(xp.traced, f"__r{method}__", _reflected(record))
    return xp.traced


def _recording(name: str, function: Function, xp: TracedNamespace) -> Function:
    maker = _rule(name)
    assert maker is not None, name
    return maker(function, xp)


def _reflected(record: Function) -> Function:
    def reflected(a: Any, b: Any, /) -> Any:
        return record(b, a)

    return reflected
