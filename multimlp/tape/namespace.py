"""The traced namespace of a library: every function of the raw namespace, recording or batching where it must."""

from __future__ import annotations

import operator
from collections.abc import Callable, Container, Iterable
from functools import partial
from typing import Any

from multimlp._typing import Library, Namespace
from multimlp.errors import MissingRuleError
from multimlp.tape._array import Wrapped, any_wrapped
from multimlp.tape._state import call_with, outermost_level
from multimlp.tape.batched import Batched
from multimlp.tape.batching import Function, elementwise, no_rule
from multimlp.tape.core import Dual, Rule, Traced, raw
from multimlp.tape.raw_selection import OWN, as_places
from multimlp.tape.recording import pointwise
from multimlp.tape.series import Series
from multimlp.tape.source import Maker, Source

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
_BIT_OPERATORS: dict[str, tuple[str, Function]] = {
    "bitwise_and": ("and", operator.and_),
    "bitwise_or": ("or", operator.or_),
    "bitwise_xor": ("xor", operator.xor),
    "bitwise_left_shift": ("lshift", operator.lshift),
    "bitwise_right_shift": ("rshift", operator.rshift),
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


def _source(name: str, plain: Function, xp: TracedNamespace) -> Source:
    """A raw function and how it is applied to batched arrays."""
    from multimlp.tape.batch_rules import BATCH_RULES
    from multimlp.tape.forward_rules import FORWARD_RULES, along_slopes, by_transpose
    from multimlp.tape.series_rules import expand

    added = _added.get(name)
    if added is None:
        rule, forward = BATCH_RULES.get(name) or no_rule(name), FORWARD_RULES.get(name, by_transpose)
    elif added.elementwise:
        rule, forward = elementwise, along_slopes
    else:
        rule, forward = no_rule(name), by_transpose
    return Source(plain, name, rule, forward, partial(expand, rule is elementwise), xp)


class TracedNamespace:
    """What portable code computes with when it is differentiated or batched.

    Attributes are made when they are first asked for: a function with a rule records, one without derivative
    by nature sees the raw values, any other raises `multimlp.errors.MissingRuleError` on a traced array;
    dtypes, constants and inspection are the raw ones.
    """

    traced: type[Traced]
    """The type of the arrays that this namespace records."""
    batched: type[Batched]
    """The type of the arrays that it batches."""
    dual: type[Dual]
    """The type of the arrays with tangents."""
    series: type[Series]
    """The type of the arrays that it expands."""
    differentiated: frozenset[type]
    """All but the batched ones."""
    wrapped: frozenset[type]
    """All of them."""

    def __init__(self, library: Library, source: Namespace, prefix: str = "", main: Any = None) -> None:
        self.library = library
        self._source = source
        self._prefix = prefix
        self._main = self if main is None else main
        self._real_floating: dict[Any, bool] = {}
        self._types: dict[type, bool] = {}
        self.of_ufuncs: dict[Any, Function] = {}
        """What records a ufunc of NumPy's, for those that were met."""
        self.__name__ = f"multimlp.tape({getattr(source, '__name__', library.name)})"

    def __getattr__(self, name: str) -> Any:
        if name in ("traced", "batched", "dual", "series", "differentiated", "wrapped") or (
            name.startswith("__") and not name.startswith("__array")
        ):
            raise AttributeError(name)
        found = self._make(name)
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in dir(self._source) if not name.startswith("_"))})

    def __repr__(self) -> str:
        return f"<namespace {self.__name__}>"

    def _make(self, name: str) -> Any:
        full = self._prefix + name
        maker = _rule(full)
        if name in _EXTENSIONS and not self._prefix:
            return _extension(self, name)
        if isinstance(maker, _Registered):
            found: Any = maker.on_raw(self.library)
        elif name in OWN:
            found = OWN[name](self.library)
        else:
            found = self.library.functions.get(full) or getattr(self._source, name)
        if maker is None:
            if not callable(found) or isinstance(found, type) or name.startswith("__"):
                return found
            maker = _without_rule
        return _source(full, found, self._main).recorded_by(maker, self._main)

    def owns(self, x: Any) -> bool:
        """Whether ``x`` is an array of this library, plain or traced."""
        cls = type(x)
        try:
            return self._types[cls]
        except KeyError:
            known = self._types[cls] = cls in self.wrapped or self.library.is_array_type(cls)
            return known

    def is_floating(self, dtype: Any) -> bool:
        """Whether it is one of real or complex numbers."""
        return self.is_real_floating(dtype) or bool(self._source.isdtype(dtype, "complex floating"))

    def is_half(self, dtype: Any) -> bool:
        """Whether it is one of 16 bits, which does not hold counts beyond 2048."""
        return self.library.dtype_name(dtype) in ("float16", "bfloat16")

    def as_places(self, indices: Any) -> Any:
        """`multimlp.tape.raw_selection.as_places` of this namespace."""
        return as_places(self.library, self, indices)

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


def _without_rule(source: Source, xp: TracedNamespace) -> Function:
    """The maker of what has no derivative, though it might: with batched arrays it may still be called."""

    def refuse_traced(*args: Any, **kwargs: Any) -> Any:
        values = (*args, *kwargs.values())
        if not any_wrapped(values):
            return source.plain(*args, **kwargs)
        if _any_traced(values):
            raise MissingRuleError(
                f"{source.name}: the tape has no derivative rule for this function. Add one with "
                f"multimlp.tape.primitive({source.name!r}, forward, *rules) or a row in multimlp/tape/rules_*.py, "
                f"or pass multimlp.stop_gradient(x) where a constant is meant"
            )
        return source.batched(*args, **kwargs)

    return refuse_traced


def _any_traced(values: Iterable[Any]) -> bool:
    """Whether something among the values is differentiated, under whatever levels."""
    return any(
        raw(value) is not value or (isinstance(value, (list, tuple)) and _any_traced(value))
        for value in values
    )


class _Registered:
    """The maker of a function added by `primitive`."""

    def __init__(self, forward: Callable[..., Any], rules: tuple[Rule, ...], elementwise: bool) -> None:
        self.forward = forward
        self.elementwise = elementwise
        self.make = pointwise(*rules)

    def on_raw(self, library: Library) -> Function:
        return partial(call_with, (), self.forward, library.xp)

    def __call__(self, source: Source, xp: TracedNamespace) -> Function:
        return self.make(source, xp)


_added: dict[str, _Registered] = {}
"""What `primitive` added, by name."""


def primitive(name: str, forward: Callable[..., Any], *rules: Rule, elementwise: bool = False) -> None:
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
        The shape to which the argument was broadcast will do. A parameter whose name begins with an underscore is not looked at:
        None is given for it, and its memory is free.
    elementwise : bool
        Whether the arguments are broadcast and each element of the result depends on one of each alone, so that it may be called
        once under `vmap`; any other function is called once for each example.

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
    _added[name] = _Registered(forward, rules, elementwise)
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
    if level is None or any_wrapped(arrays) or not refuses_traced(library):
        return arrays
    traced = traced_type(library)
    space = traced.__multimlp_namespace__
    return tuple(traced(x, level) if space.is_real_floating(x.dtype) else x for x in arrays)


_refusing: dict[Library, bool] = {}


def refuses_traced(library: Library) -> bool:
    """Whether a plain array on the left of a traced one raises."""
    if library not in _refusing:
        one = library.xp.ones(())
        try:
            one * traced_type(library)(one, 0)
        except (TypeError, ValueError):
            _refusing[library] = True
        else:
            _refusing[library] = False
    return _refusing[library]


def owned(xp: Namespace, x: Any, others: Container[int]) -> Any:
    """An array in memory of its own: a copy of one that is among the others, by their ``id``, or that may be a view of any."""
    if isinstance(x, Wrapped):
        return x
    flags = getattr(x, "flags", None)  # libraries whose arrays are views of others say so
    own = getattr(flags, "owndata", False) and id(x) not in others
    return x if own else xp.asarray(x, copy=True)


def namespace_for(library: Library, arrays: Iterable[Any]) -> Namespace:
    """What computes with these arrays of a library: its namespace, or the traced one if an array is traced or batched."""
    return traced_type(library).__multimlp_namespace__ if any_wrapped(arrays) else library.xp


def _make_traced_type(library: Library) -> type[Traced]:
    xp = TracedNamespace(library, library.xp)
    members: dict[str, Any] = {
        "__slots__": (),
        "__multimlp_backend__": library,
        "__multimlp_namespace__": xp,
        "__hash__": None,
        "admitted": set(),  # one for all
    }
    above: tuple[type, ...] = ()
    if library.follows_numpy:
        from multimlp.tape.numpy import NumPyArray

        above = (NumPyArray,)
    else:
        members["__array_ufunc__"] = None  # so that array + Traced comes to Traced.__radd__
    xp.traced = type("Traced", (*above, Traced), members)
    xp.batched = type("Batched", (*above, Batched), members)
    xp.dual = type("Dual", (*above, Dual), members)
    xp.series = type("Series", (*above, Series), members)
    xp.differentiated = frozenset((xp.traced, xp.dual, xp.series))
    xp.wrapped = frozenset((*xp.differentiated, xp.batched))
    for name, (method, function) in _OPERATORS.items():
        _set(f"__{method}__", _recording(name, function, xp), *xp.wrapped)
    for name, (method, operation) in _BINARY_OPERATORS.items():
        record = getattr(xp, name) if operation is None else _recording(name, operation, xp)
        _set(f"__{method}__", record, *xp.wrapped)
        _set(f"__r{method}__", _reflected(record), *xp.wrapped)
    for name, (method, function) in _BIT_OPERATORS.items():
        record = _source(name, function, xp).recorded_by(_without_rule, xp)
        _set(f"__{method}__", record, xp.batched)
        _set(f"__r{method}__", _reflected(record), xp.batched)
    _set(
        "__invert__",
        _source("bitwise_invert", operator.invert, xp).recorded_by(_without_rule, xp),
        xp.batched,
    )
    return xp.traced


def _set(method: str, function: Function, *types: type) -> None:
    for cls in types:
        setattr(cls, method, function)


def _recording(name: str, function: Function, xp: TracedNamespace) -> Function:
    maker = _rule(name)
    assert maker is not None, name
    return _source(name, function, xp).recorded_by(maker, xp)


def _reflected(record: Function) -> Function:
    def reflected(a: Any, b: Any, /) -> Any:
        return record(b, a)

    return reflected
