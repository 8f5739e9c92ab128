"""Tangents and cotangents: trees that must fit the arrays that they belong to."""

from __future__ import annotations

from typing import Any

from multimlp import tree
from multimlp.backend import Array, Backend, is_array, owner
from multimlp.errors import DTypeError, InputError, ShapeError
from multimlp.tree import Tree


def directions(backend: Backend, given: Tree, of: Tree, names: tuple[str, str]) -> tuple[Array, ...]:
    """The arrays of ``given``, one for each of ``of``, with its shape and dtype; leaves of ``of`` that are no arrays need none.

    Parameters
    ----------
    backend : Backend
    given : tree
        A Python number may stand for an array of shape ().
    of : tree of arrays
    names : tuple of str
        What the two are, for errors: ``("vjp: a cotangent", "output")``.

    Raises
    ------
    InputError
        If the trees differ, or an array is missing.
    ShapeError, DTypeError
        If a shape or a dtype differs.
    MixedBackendsError
        If an array belongs to another library.
    """
    pairs: list[tuple[Any, Array]] = []
    try:
        tree.map(lambda array, direction: pairs.append((direction, array)), of, given)
    except InputError as error:
        raise InputError(
            f"{names[0]} is missing, or one too many: {names[1]}s and these are {error}"
        ) from None
    found = []
    for i, (direction, array) in enumerate(pairs):
        if not is_array(array):
            continue
        if not _fits(direction, array):
            path = tree.paths(of)[i]
            place = f" [{'.'.join(path)}]" if path else ""
            direction = _direction(backend, direction, array, f"{names[0]}{place}", names[1])
        found.append(direction)
    return tuple(found)


def _fits(given: Any, array: Array) -> bool:
    return type(given) is type(array) and given.shape == array.shape and bool(given.dtype == array.dtype)


def _direction(backend: Backend, given: Any, array: Array, where: str, of: str) -> Array:
    shape, dtype = tuple(array.shape), backend.dtype_name(array.dtype)
    if shape == () and isinstance(given, (int, float)) and not isinstance(given, bool):
        return backend.asarray(given, dtype=dtype)
    if not is_array(given):
        raise InputError(
            f"{where} must be an array of shape {shape} and dtype {dtype}, as its {of}; got {given!r} of type {type(given).__name__}"
        )
    owner(array, given)
    if tuple(given.shape) != shape:
        raise ShapeError(f"{where} has shape {tuple(given.shape)}, its {of} {shape}; they must be equal")
    if backend.dtype_name(given.dtype) != dtype:
        raise DTypeError(
            f"{where} has dtype {backend.dtype_name(given.dtype)}, its {of} {dtype}; they must be equal, convert it first"
        )
    return given
