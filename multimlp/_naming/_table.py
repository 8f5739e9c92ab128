"""Tables of named things: one lookup with one error message for all of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from multimlp._naming._options import Options
from multimlp.errors import InputError
from multimlp.errors.checks import as_given, refuse

T = TypeVar("T")
R = TypeVar("R")


def squeezed(name: str) -> str:
    """A name without what does not count in it: case, underscores, hyphens, spaces.

    Examples
    --------
    >>> from multimlp._naming import squeezed
    >>> squeezed("CrossEntropy") == squeezed("cross-entropy") == squeezed(" cross_entropy")
    True
    """
    return name.lower().translate(_DROPPED)


_DROPPED = str.maketrans("", "", "_- \t\n")


class Table(Generic[T]):
    """Names to things of one kind, in the order in which they were added.

    Parameters
    ----------
    kind : str
        What the things are, as the argument that selects one is called: ``"loss"``, ``"optimizer"``.

    Examples
    --------
    >>> from multimlp._naming import Table
    >>> table = Table("loss")
    >>> table.add("mse", 1, "mean_squared_error")
    1
    >>> table.find("MeanSquaredError"), table.names()
    (1, ('mse',))
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.read: Callable[..., Any] = self.find
        """The function of the family that makes a thing of whatever selects one."""
        self._things: dict[str, T] = {}
        self._spellings: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<table of {len(self._things)} things of the kind {self.kind!r}>"

    def reader(self, read: Callable[..., R]) -> Callable[..., R]:
        """Decorate the function of the family that makes a thing of whatever selects one; pickles use it."""
        self.read = read
        return read

    # ---- filling it

    def add(self, name: str, thing: T, *aliases: str) -> T:
        """Add a thing under its name and further names; returns it."""
        for spelling in (name, *aliases):
            taken = self._spellings.setdefault(squeezed(spelling), name)
            if taken != name:
                raise ValueError(f"{self.kind}: {spelling!r} is already a name of {taken!r}")
        self._things[name] = thing
        return thing

    def maker(
        self,
        function: Callable[..., Any],
        build: Callable[[str, dict[str, Any]], Any],
        skip: int = 0,
        name: str | None = None,
    ) -> Any:
        """Add a function of options that makes a thing; options are checked before it is called.

        Parameters
        ----------
        function : callable
            Its name and its parameters, after the first ``skip``, are those of the maker; each carries its check.
        build : callable
            ``build(name, options)`` with all options, in the order of the signature.
        name : str, optional
            If it is another than the function's.
        """
        called, known = name or function.__name__, Options(function, skip)

        @functools.wraps(function)
        def make(*args: Any, **given: Any) -> Any:
            return build(called, known.bound(called, args, given))

        made: Any = make
        made.__name__ = made.__qualname__ = called  # where a pickle finds it
        made.known = known
        made.__signature__ = known.signature.replace(return_annotation=self.kind.capitalize())
        return self.add(called, made)

    # ---- finding in it

    def names(self) -> tuple[str, ...]:
        """The names, without aliases."""
        return tuple(self._things)

    def canonical(self, name: str) -> str | None:
        """The name of which this is a spelling or an alias, or None."""
        return self._spellings.get(squeezed(name))

    def find(self, name: str) -> T:
        """The thing of that name or alias, however spelt; `InputError` with the closest name if there is none."""
        if not isinstance(name, str):
            raise self.reject(name)
        found = self.canonical(name)
        if found is None:
            raise self.unknown(name)
        return self._things[found]

    def close(self, name: str, most: int) -> list[str]:
        """The names that are spelt most like this one, the closest first."""
        import difflib

        found = difflib.get_close_matches(squeezed(name), self._spellings, n=most)
        return [self._spellings[spelling] for spelling in found]

    def unknown(self, name: str) -> InputError:
        """The error for a name that is not in the table."""
        close = self.close(name, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return InputError(f"{self.kind}: unknown name {name!r}.{hint} Known names: {', '.join(self._things)}")

    def reject(self, given: object, others: str = "") -> InputError:
        """The error for a value that selects nothing: neither a name nor one of ``others``."""
        return refuse(self.kind, f"a name ({', '.join(self._things)}){others and f', {others}'}", given)

    def own(self, thing: Any, others: str) -> Any:
        """The thing, if it is a function of somebody's own; `InputError` for what selects nothing, and for a class, whose call makes
        an object and computes nothing."""
        if isinstance(thing, type):
            name = thing.__name__
            raise refuse(
                self.kind, "a function, or an object that can be called", thing, f"make one: {name}()"
            )
        if not callable(thing):
            raise self.reject(thing, others)
        return thing

    def make(self, spec: str | Mapping[str, Any]) -> Any:
        """The thing that a name, or a mapping as ``to_spec`` writes it, describes.

        Raises
        ------
        InputError
            For an unknown name, an option that the thing does not have, or a value that an option cannot have.
        """
        name, options = unpack_spec(self.kind, spec)
        entry: Any = self.find(name)
        what = f"{self.kind}: {self.canonical(name)}"
        entry.known.require_known(what, options)
        entry.known.require_complete(what, options)
        return entry.configured(options) if hasattr(entry, "configured") else entry(**options)


def unpack_spec(kind: str, spec: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and options of a name alone or of a plain ``{"name": ..., "options": {...}}`` mapping."""
    if isinstance(spec, str):
        return spec, {}
    options = spec.get("options", {})
    if (
        not isinstance(spec.get("name"), str)
        or not isinstance(options, Mapping)
        or spec.keys() - {"name", "options"}
    ):
        raise InputError(f'{kind}: expected {{"name": ..., "options": {{...}}}}, got {as_given(dict(spec))}')
    return spec["name"], dict(options)
