"""What named things have in common: written down, read back, pickled, compared and shown in one way."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from multimlp._naming._options import Options
from multimlp._naming._table import Table
from multimlp.errors import InputError

N = TypeVar("N", bound="Named")


class Named:
    """A thing with a name in a table and with options; a frozen dataclass.

    Attributes
    ----------
    table : Table
        Of its family.
    name : str
    options : mapping
    known : Options
        What may be set.
    """

    table: ClassVar[Table[Any]]
    name: str
    options: Mapping[str, Any]
    known: Options = Options()

    @functools.cached_property
    def is_known(self) -> bool:
        """Whether the table makes it: not so for one of your own, whatever it is called."""
        if self.name not in self.table.names():
            return False
        try:
            made = self.table.make({"name": self.name, "options": self.options})
        except InputError:
            return False
        return isinstance(made, Named) and made._computes() == self._computes()

    def _computes(self) -> tuple[Any, ...]:
        """The functions that do its work: two things of one name and other functions are not the same."""
        return ()

    def configured(self: N, given: Mapping[str, Any]) -> N:
        """The same thing with options set.

        Raises
        ------
        InputError
            For an option that it does not have, or a value that it cannot have.
        """
        self.known.require_known(f"{self.table.kind}: {self.name}", given)
        if not given:
            return self
        found = copy.copy(self)
        object.__setattr__(found, "options", {**self.options, **self.known.checked(given)})
        return found

    def to_spec(self) -> dict[str, Any]:
        """It as plain values, ``{"name": ..., "options": {...}}``, from which ``get`` makes it again.

        Raises
        ------
        InputError
            If it was made of something of your own, which has no name.
        """
        if not self.is_known:
            kind = self.table.kind
            raise InputError(
                f"{kind}: {self.name!r} cannot be written down, since it is your own; use a named {kind}"
            )
        return self.described()

    def described(self) -> dict[str, Any]:
        """Name and options as plain values, also of one of your own, which nothing can make of them again."""
        return {"name": self.name, "options": {name: _plain(value) for name, value in self.options.items()}}

    def __copy__(self: N) -> N:
        found = object.__new__(type(self))
        found.__dict__.update(self.__dict__)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash((self.table.kind, self.name, tuple(self.options)))

    def _identity(self) -> tuple[Any, ...]:
        return (self.table.kind, self.name, self.options, self._computes())

    def __repr__(self) -> str:
        return f"<{self.table.kind} {', '.join((self.name, *self._shown()))}>"

    def _shown(self) -> list[str]:
        return [f"{name}={value!r}" for name, value in self.options.items()]

    def __reduce__(self) -> tuple[Any, ...]:
        if self.is_known:
            try:
                spec = self.to_spec()
            except InputError:  # an option is something of one's own, which is pickled as it can be
                spec = {"name": self.name, "options": dict(self.options)}
            return self.table.read, (spec,)
        own: Any = self
        return type(self), tuple(getattr(self, part.name) for part in dataclasses.fields(own) if part.init)


def _plain(value: Any) -> Any:
    return value.to_spec() if hasattr(value, "to_spec") else value


def document_as(thing: Named, function: Callable[..., Any]) -> None:
    """What `functools.update_wrapper` does, past the lock of a frozen thing: it is documented as a function is."""
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        if hasattr(function, attribute):
            thing.__dict__[attribute] = getattr(function, attribute)
    thing.__dict__["__wrapped__"] = function
