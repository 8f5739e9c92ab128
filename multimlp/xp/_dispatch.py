"""How a function of the standard finds the library of its arguments.

A function is written as its signature and its docstring. What is annotated as an array decides: one library, plain or traced, whose
namespace has the function of that name. The namespace is looked up by the types of the arrays, which is one look-up in a dictionary.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from multimlp import tape
from multimlp._typing import Namespace
from multimlp.backend import Backend, is_traced, owner, when_kernels_change
from multimlp.errors import CapabilityError

F = TypeVar("F", bound=Callable[..., Any])


class Home(NamedTuple):
    """Where arrays belong: the adapter, and the namespace that computes with them, which records if one of them is traced."""

    library: Backend
    space: Namespace


_homes: dict[tuple[type, ...], Home] = {}
when_kernels_change(_homes.clear)


def home_of(values: Iterable[Any]) -> Home:
    """The one library that the arrays among the values belong to.

    Raises
    ------
    MixedBackendsError
        If they belong to two.
    InputError
        If none of them is an array.
    """
    values = tuple(values)
    types = tuple(map(type, values))
    try:
        return _homes[types]
    except KeyError:
        library = owner(*values)
        space = tape.traced_type(library).__multimlp_namespace__ if is_traced(*values) else library.xp
        found = _homes[types] = Home(library, space)
        return found


class Part:
    """The main part of every library's namespace, or an extension: what has been found of it, and what finds the rest."""

    def __init__(self, extension: str = "") -> None:
        self.extension = extension
        self.by_type: dict[type, Namespace] = {}
        self.by_types: dict[tuple[type, ...], Namespace] = {}
        for known in (self.by_type, self.by_types):
            when_kernels_change(known.clear)

    def name_of(self, function: str) -> str:
        return f"{self.extension}.{function}" if self.extension else function

    def function_of(self, home: Home, name: str) -> Callable[..., Any]:
        """The function of that name; `CapabilityError` for a library that has none."""
        try:
            space = getattr(home.space, self.extension) if self.extension else home.space
            found: Callable[..., Any] = getattr(space, name)
        except AttributeError as error:
            raise CapabilityError(
                f"xp.{self.name_of(name)}: the {home.library.name} backend has no such function; write it with others of the "
                f"standard, or convert the array to a library that has it: multimlp.convert(x, backend=...)"
            ) from error
        return found

    def space_of_one(self, x: Any, name: str) -> Namespace:
        """The namespace for arrays of the type of x, where the function is; it is known from then on."""
        home = home_of((x,))
        self.function_of(home, name)
        space = self.by_type[type(x)] = getattr(home.space, self.extension) if self.extension else home.space
        return space

    def space_of(self, arrays: Sequence[Any], name: str) -> Namespace:
        """As `space_of_one`, for several arrays."""
        home = home_of(arrays)
        self.function_of(home, name)
        space = getattr(home.space, self.extension) if self.extension else home.space
        self.by_types[tuple(map(type, arrays))] = space
        return space


MAIN, LINALG, FFT = Part(), Part("linalg"), Part("fft")


def dispatched(function: F, part: Part = MAIN) -> F:
    """Replace a function without a body by one that calls the function of that name of the arrays' own library."""
    name, arguments = function.__name__, _Arguments(function)
    arrays_alone = not (arguments.keywords or arguments.variadic) and arguments.most == len(arguments.places)
    if arrays_alone and arguments.most == 1:
        call: Any = _of_one(name, part)
    elif arrays_alone and arguments.most == 2:
        call = _of_two(name, part)
    elif arguments.places == [0] and not arguments.names:
        call = _of_one_with_options(name, part, function, arguments)
    else:
        call = _of_any(name, part, function, arguments)
    return functools.wraps(function)(call)  # type: ignore[return-value]


def _of_one(name: str, part: Part) -> Callable[..., Any]:
    known = part.by_type

    def call(x: Any, /) -> Any:
        try:
            function = getattr(known[type(x)], name)
        except (KeyError, AttributeError):
            function = getattr(part.space_of_one(x, name), name)
        return function(x)

    return call


def _of_two(name: str, part: Part) -> Callable[..., Any]:
    known = part.by_types

    def call(x1: Any, x2: Any, /) -> Any:
        try:
            function = getattr(known[type(x1), type(x2)], name)
        except (KeyError, AttributeError):
            function = getattr(part.space_of((x1, x2), name), name)
        return function(x1, x2)

    return call


def _of_one_with_options(
    name: str, part: Part, stated: Callable[..., Any], arguments: _Arguments
) -> Callable[..., Any]:
    known = part.by_type
    least, most, allowed = arguments.least - 1, arguments.most - 1, arguments.keywords.issuperset
    dtype, place = arguments.dtype, arguments.dtype_place

    def call(x: Any, /, *rest: Any, **options: Any) -> Any:
        if not least <= len(rest) <= most or (options and not allowed(options)):
            inspect.signature(stated).bind(x, *rest, **options)  # raises, in Python's own words
        try:
            function = getattr(known[type(x)], name)
        except (KeyError, AttributeError):
            function = getattr(part.space_of_one(x, name), name)
        if dtype in options and isinstance(options[dtype], str):
            options[dtype] = home_of((x,)).library.dtype(str(options[dtype]))
        elif place is not None and isinstance(rest[place - 1], str):
            own = home_of((x,)).library.dtype(str(rest[place - 1]))
            return function(x, *rest[: place - 1], own, *rest[place:], **options)
        return function(x, *rest, **options)

    return call


def _of_any(name: str, part: Part, stated: Callable[..., Any], arguments: _Arguments) -> Callable[..., Any]:
    known = part.by_types

    def call(*args: Any, **kwargs: Any) -> Any:
        if not arguments.fit(args, kwargs):
            inspect.signature(stated).bind(*args, **kwargs)
        arrays = arguments.arrays(args, kwargs)
        try:
            function = getattr(known[tuple(map(type, arrays))], name)
        except (KeyError, AttributeError):
            function = getattr(part.space_of(arrays, name), name)
        return function(*args, **kwargs)

    return call


class _Arguments:
    """Which arguments of a function are arrays, which one is a dtype, and whether those of a call fit."""

    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(function).parameters.values())
        by_position = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.sequence = parameters[0].annotation.startswith("Sequence[Array]")
        self.least = sum(p.default is p.empty for p in by_position)
        self.most = len(by_position)
        self.keywords = frozenset(
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        )
        named = [p for p in parameters if p.annotation.startswith("Array")]
        self.places = [i for i, p in enumerate(by_position) if p in named]
        self.names = [p.name for p in named if p.name in self.keywords]
        self.dtype = next((p.name for p in parameters if p.annotation.startswith("DType")), None)
        self.dtype_place = next((i for i, p in enumerate(by_position) if p.name == self.dtype), None)

    def fit(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        enough = self.least <= len(args) and (self.variadic or len(args) <= self.most)
        return enough and (not kwargs or self.keywords.issuperset(kwargs))

    def arrays(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        if self.variadic:
            return list(args)
        given = list(args[0]) if self.sequence else [args[i] for i in self.places if i < len(args)]
        if kwargs:
            given += [kwargs[name] for name in self.names if name in kwargs]
        return given
