"""The words that everything else is written in: arrays, namespaces, and the little that a library is to code below the adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

Array: TypeAlias = Any
"""An array of any library that an adapter serves, or a traced stand-in for one."""

Arrays: TypeAlias = tuple[Array, ...]

Namespace: TypeAlias = Any
"""An array-API namespace."""


class Library(Protocol):
    """What differentiation needs to know of an array library; every `multimlp.backend.Backend` is one."""

    @property
    def name(self) -> str:
        """The name users select it by."""

    @property
    def xp(self) -> Namespace:
        """The namespace that computes with its plain arrays."""

    @property
    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """By the standard's name, what does the same as its function in the namespace and is called faster."""

    @property
    def scatter_add(self) -> Callable[[Array, Any, Array], Array] | None:
        """``target[index] += values``, in place and counting repeated indices, if the library can; the target comes back."""

    @property
    def follows_numpy(self) -> bool:
        """Whether operators of its arrays hand over to the other side's ``__array_ufunc__``, as NumPy's do."""

    def is_array_type(self, cls: type) -> bool:
        """Whether instances of ``cls`` are its plain arrays."""

    def dtype_name(self, dtype: Any) -> str:
        """The standard's name of a dtype."""

    def is_floating(self, x: Array) -> bool:
        """Whether an array, plain or traced, is of a real floating-point dtype."""

    def vjp(
        self, function: Callable[[Arrays], Arrays], arrays: Arrays
    ) -> tuple[Arrays, Callable[[Arrays], Arrays]]:
        """The outputs of a function, and the map from their cotangents to those of its inputs."""

    def jvp(
        self, function: Callable[[Arrays], Arrays], arrays: Arrays, tangents: Arrays
    ) -> tuple[Arrays, Arrays]:
        """The outputs of a function, and their tangents for tangents of its inputs."""

    def vmap(self, function: Callable[[Arrays], Arrays]) -> Callable[[Arrays], Arrays]:
        """The function of arrays with one more leading axis."""
