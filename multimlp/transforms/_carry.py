"""What loops carry from step to step: a tree of arrays that keeps its structure, shapes and dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from multimlp import tree
from multimlp.backend import Array, Backend, array_namespace, is_array, select
from multimlp.errors import DTypeError, InputError, ShapeError
from multimlp.transforms._call import floating_dtype
from multimlp.tree import Tree


def carried(name: str, backend: Backend, init: Sequence[Any], items: Sequence[Array] = ()) -> list[Array]:
    """The carry to begin with; Python floats become arrays."""
    kind = floating_dtype(backend, (*init, *items))
    arrays = []
    for leaf in init:
        if not is_array(leaf) and not isinstance(leaf, float):
            raise InputError(
                f"{name}: init must hold arrays, got {leaf!r} of type {type(leaf).__name__}; make one of it, xp.asarray({leaf!r})"
            )
        arrays.append(leaf if is_array(leaf) else backend.asarray(leaf, dtype=kind or select(backend).dtype))
    return arrays


def places_of(init: Tree) -> list[str]:
    """What each leaf of the carry is called in errors."""
    return [f"carry{' [' + '.'.join(path) + ']' if path else ''}" for path in tree.paths(init)]


def kept(name: str, backend: Backend, before: Tree, after: Tree, places: Sequence[str]) -> tuple[Array, ...]:
    """The leaves of the new carry, each of the shape and dtype that it had."""
    leaves: list[Any] = []
    try:
        tree.map(lambda _, leaf: leaves.append(leaf), before, after)
    except InputError as error:
        raise InputError(
            f"{name}: the carry must keep its structure, but before and after a step they are {error}"
        ) from None
    for old, new, place in zip(tree.leaves(before), leaves, places, strict=True):
        if not is_array(new):
            raise InputError(
                f"{name}: the {place} was an array and became {new!r} of type {type(new).__name__}"
            )
        if tuple(old.shape) != tuple(new.shape):
            raise ShapeError(
                f"{name}: the {place} had shape {tuple(old.shape)} and got {tuple(new.shape)}; it must keep it"
            )
        kinds = backend.dtype_name(old.dtype), backend.dtype_name(new.dtype)
        if kinds[0] != kinds[1]:
            raise DTypeError(f"{name}: the {place} had dtype {kinds[0]} and got {kinds[1]}; it must keep it")
    return tuple(leaves)


def zeros_like(like: Array, shape: tuple[int, ...]) -> Array:
    """Zeros of another shape."""
    place = getattr(like, "device", None)
    return array_namespace(like).zeros(shape, dtype=like.dtype, device=place)


def arrays_alone(where: str, result: Tree) -> Tree:
    """The tree; `InputError` for numbers in place of arrays, which would be those of one branch, or of one step, whichever was run."""
    for leaf in tree.leaves(result):
        if not is_array(leaf):
            raise InputError(
                f"{where} arrays, got {leaf!r} of type {type(leaf).__name__}; make one of it, xp.asarray({leaf!r})"
            )
    return result
