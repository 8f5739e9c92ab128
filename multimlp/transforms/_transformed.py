"""What a transform returns: a function that is documented, bound to objects and pickled as the one it was made of."""

from __future__ import annotations

import functools
import operator
import sys
import types
from collections.abc import Callable
from typing import Any


class Transformed:
    """A function made of another by a transform: name, signature and docstring are those of the other.

    A pickle of it is the transform, the function and the options; so the function must be one that can be found by its name.
    """

    __name__: str

    def __init__(
        self,
        call: Callable[..., Any],
        transform: Callable[..., Callable[..., Any]],
        function: Callable[..., Any],
        *options: Any,
    ) -> None:
        is_plain = isinstance(function, (types.FunctionType, Transformed))
        functools.update_wrapper(self, function, updated=("__dict__",) if is_plain else ())
        self.__wrapped__ = function
        self._call, self._transform, self._options = call, transform, options

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __get__(self, instance: object | None, owner: type) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        inner = self.__wrapped__
        name = repr(inner) if isinstance(inner, Transformed) else getattr(inner, "__qualname__", repr(inner))
        return f"<{self._transform.__name__} of {name}>"

    def __copy__(self) -> Transformed:
        return self

    def __deepcopy__(self, memo: Any) -> Transformed:
        return self

    def __reduce__(self) -> str | tuple[Any, ...]:
        name: str = getattr(self, "__qualname__", "")
        if self._is_found_as(name):  # it was made as a decorator
            return name
        return self._transform, (self.__wrapped__, *self._options)

    def _is_found_as(self, name: str) -> bool:
        try:
            return operator.attrgetter(name)(sys.modules[self.__module__]) is self
        except (AttributeError, KeyError):
            return False
