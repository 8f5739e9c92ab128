"""The options of a function: their names, defaults and checks, read from its signature."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from multimlp.errors import InputError
from multimlp.errors.checks import Check
from multimlp.errors.close import did_you_mean


class Options:
    """What may be set, read from a function whose parameters are annotated with their checks.

    Parameters
    ----------
    function : callable, optional
        None: no options.
    skip : int
        How many parameters come first that are no options, but the arrays that the function takes.

    Notes
    -----
    Annotations are looked at when the options are first used, since that costs more than all else here. A parameter
    without a check is then a TypeError, at any use: nobody can add an option and forget to check it.

    Examples
    --------
    >>> from typing import Annotated
    >>> from multimlp._naming import Options
    >>> from multimlp.errors.checks import number
    >>> def sgd(learning_rate: Annotated[float, number(low=0)] = 0.01): ...
    >>> options = Options(sgd)
    >>> options.defaults, options.checked({"learning_rate": 1})
    ({'learning_rate': 0.01}, {'learning_rate': 1.0})
    >>> def unchecked(beta: float): ...
    >>> Options(unchecked).checked({})
    Traceback (most recent call last):
    ...
    TypeError: unchecked: the option 'beta' has no check; annotate it, e.g. Annotated[float, number(low=0)]
    """

    def __init__(self, function: Callable[..., Any] | None = None, skip: int = 0) -> None:
        self._function, self._skip = function, skip

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The options alone."""
        if self._function is None:
            return inspect.Signature()
        whole = inspect.signature(self._function)
        return whole.replace(parameters=list(whole.parameters.values())[self._skip :])

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of the signature."""
        return tuple(self.signature.parameters)

    @property
    def defaults(self) -> dict[str, Any]:
        """Of the options that have one."""
        return {p.name: p.default for p in self.signature.parameters.values() if p.default is not p.empty}

    @functools.cached_property
    def _checks(self) -> dict[str, Check]:
        return {} if self._function is None else _checks(self._function, self.names)

    def __reduce__(self) -> tuple[Any, ...]:
        return Options, (self._function, self._skip)

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values given, as they are kept.

        Raises
        ------
        InputError
            For a value that an option cannot have.
        """
        checks = self._checks
        return {name: checks[name](name, value) for name, value in given.items()}

    def bound(self, what: str, args: tuple[Any, ...], given: Mapping[str, Any]) -> dict[str, Any]:
        """All options of a call, in the order of the signature, defaults included, checked."""
        try:
            found = self.signature.bind(*args, **given)
        except TypeError as error:
            raise TypeError(f"{what}() {error}") from None
        found.apply_defaults()
        return self.checked(found.arguments)

    def require_known(self, what: str, given: Mapping[str, Any]) -> None:
        """Raise an `InputError` for names that are no options of ``what``."""
        for name in given:
            if name not in self.names:
                close = did_you_mean(name, self.names)
                raise InputError(f"{what} has no option {name!r}; its options: {self._listed()}{close}")

    def require_complete(self, what: str, given: Mapping[str, Any]) -> None:
        """Raise an `InputError` if an option without a default is missing."""
        missing = [repr(name) for name in self.names if name not in given and name not in self.defaults]
        if missing:
            raise InputError(
                f"{what}: missing the option {', '.join(missing)}; its options: {self._listed()}"
            )

    def _listed(self) -> str:
        return ", ".join(self.names) or "none"


def _checks(function: Callable[..., Any], names: tuple[str, ...]) -> dict[str, Check]:
    """The check of each option: what its annotation carries beside the type."""
    plain = inspect.unwrap(function)
    if isinstance(plain, type):
        annotations: dict[str, Any] = plain.__annotations__
        known: dict[str, Any] = vars(inspect.getmodule(plain))
    else:
        annotations, known = plain.__annotations__, plain.__globals__
    # The options' annotations alone: the others may name what is imported for type checkers only.
    holder: Any = SimpleNamespace(__annotations__={n: annotations[n] for n in names if n in annotations})
    hints = typing.get_type_hints(holder, known, include_extras=True)
    found: dict[str, Check] = {}
    for name in names:
        check = next(filter(callable, getattr(hints.get(name), "__metadata__", ())), None)
        if check is None:
            label = getattr(plain, "__name__", plain)
            raise TypeError(
                f"{label}: the option {name!r} has no check; annotate it, e.g. Annotated[float, number(low=0)]"
            )
        found[name] = check
    return found
