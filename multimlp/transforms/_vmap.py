"""Vectorisation over an axis of the arguments."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from multimlp import tree
from multimlp.backend import Array, array_namespace, is_array, owner, owner_of_type
from multimlp.errors import InputError, ShapeError
from multimlp.errors.checks import as_given, check_whole, refuse
from multimlp.transforms._call import Outputs, backend_of, check_transformed, explained
from multimlp.transforms._engine import engine
from multimlp.transforms._transformed import Transformed
from multimlp.tree import Tree


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: int = 0) -> Callable[..., Any]:
    """Vectorise a function over an axis of its arguments.

    Parameters
    ----------
    f : callable
        Of arrays without the mapped axis.
    in_axes : int, None, or a sequence per positional argument
        Which axis of each array of the argument is mapped; None: not mapped, given whole to each call. For an argument that is a tree
        also a tree of these, as deep as they differ: ``({"w": 0, "b": None}, 0)``. Keyword arguments are never mapped.
    out_axes : int
        Where the mapped axis stands in all arrays of the output; negative ones count from the end. What is no array is returned as
        it is, and must be the same for all rows.

    Returns
    -------
    callable
        Of the arguments of ``f``, with one more axis where ``in_axes`` says.

    Notes
    -----
    The function is called once, with arrays that hide the mapped axis, so that what it does besides returning values is done once. On
    libraries without a ``vmap`` of their own it is called again, once for each element, where it asks for the numbers of one (``if``,
    ``float``, assignment) or for a function without a batching rule; on others these are refused.

    Raises
    ------
    InputError
        If ``in_axes`` or ``out_axes`` are no integers, do not fit the arguments, or map nothing; if rows that are called one by one
        return other trees, shapes, or numbers that are no arrays.
    ShapeError
        If an array has no such axis, or the mapped axes differ in size, or have size 0.
    MixedBackendsError

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.vmap(lambda row, w: mm.array_namespace(row).sum(row * w), in_axes=(0, None))(np.ones((2, 3)), np.arange(3.0))
    array([3., 3.])
    """
    check_transformed("vmap", f)
    try:
        out_axes = check_whole("vmap: out_axes", out_axes)
    except InputError:
        raise InputError(
            f"vmap: out_axes must be an integer, the same for all outputs, got {out_axes!r}"
        ) from None
    in_axes = tree.map(_axis, in_axes)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        axes = tuple(in_axes) if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise InputError(f"vmap: in_axes has {len(axes)} entries for {len(args)} positional arguments")
        leaves, rebuild = tree.flatten(args)
        leaf_axes = [
            one for argument, axis in zip(args, axes, strict=True) for one in _leaf_axes(axis, argument)
        ]
        mapped = [i for i, axis in enumerate(leaf_axes) if axis is not None]
        if not mapped:
            raise InputError(
                "vmap: every in_axes is None (or no argument holds an array); there is nothing to map over"
            )
        backend = backend_of((*leaves, *tree.leaves(kwargs)))
        size = _mapped_size(leaves, leaf_axes, mapped)
        xp = array_namespace(*(leaves[i] for i in mapped))
        fronted = tuple(
            xp.moveaxis(leaves[i], leaf_axes[i], 0) if leaf_axes[i] else leaves[i] for i in mapped
        )
        outputs, returned = Outputs(), _Returned(size)

        def one(arrays: Sequence[Array]) -> tuple[Array, ...]:
            filled = list(leaves)
            for i, array in zip(mapped, arrays, strict=True):
                filled[i] = array
            found = outputs.split(returned.seen(f(*rebuild(filled), **kwargs)))
            for array in found:
                if owner_of_type(type(array)) is not backend:
                    owner(*arrays, array)  # says that they do not go together
            return found

        if size == 0:
            raise ShapeError("vmap: the mapped axis has size 0")
        with backend.scope_of(*fronted):
            try:
                results = explained(backend, engine(backend, fronted).vmap(one), fronted)
            except Exception as error:
                returned.check(error)
                raise
            returned.check()
            if out_axes:
                results = tuple(_placed(r, out_axes) for r in results)
        return outputs.join(results)

    return Transformed(transformed, vmap, f, in_axes, out_axes)


class _Returned:
    """What the calls of single rows returned: what is no array is given out once for all of them, so that it must be the same."""

    def __init__(self, rows: int) -> None:
        self._calls: deque[Tree] = deque(maxlen=rows)

    def seen(self, result: Tree) -> Tree:
        self._calls.append(result)
        return result

    def check(self, cause: Exception | None = None) -> None:
        """`InputError` if one row returned another tree than the last one, an array of another shape, or something else beside arrays."""
        if len(self._calls) < 2:
            return
        *others, last = self._calls
        for other in others:
            if (difference := _difference(other, last)) is not None:
                raise InputError(
                    f"vmap: the function must return the same for all rows but for the values of arrays, got {difference}; return arrays, "
                    "xp.asarray(...), of one shape"
                ) from cause


_SIMPLE = (bool, int, float, complex, str, bytes, type(None))


def _difference(one: Tree, other: Tree) -> str | None:
    """What two trees differ in beside the values of their arrays."""
    structures = tree.structure(one), tree.structure(other)
    if structures[0] != structures[1]:
        return f"the trees {structures[0]} and {structures[1]}"
    for a, b in zip(tree.leaves(one), tree.leaves(other), strict=True):
        arrays = is_array(a), is_array(b)
        if all(arrays):
            if tuple(a.shape) != tuple(b.shape):
                return f"arrays of the shapes {tuple(a.shape)} and {tuple(b.shape)}"
        elif any(arrays) or (isinstance(a, _SIMPLE) and isinstance(b, _SIMPLE) and repr(a) != repr(b)):
            return f"{as_given(a)} and {as_given(b)}"
    return None


def _leaf_axes(axis: Any, argument: Tree) -> list[int | None]:
    """The axis of each leaf of an argument; an integer or None holds for all leaves of the tree that it stands for."""
    if axis is None or (isinstance(axis, int) and not isinstance(axis, bool)):
        return [axis] * len(tree.leaves(argument))
    parts: list[tuple[Any, Tree]] | None = None
    if isinstance(axis, dict) and isinstance(argument, dict) and axis.keys() == argument.keys():
        parts = [(axis[key], argument[key]) for key in argument]
    elif (
        isinstance(axis, (tuple, list)) and isinstance(argument, (tuple, list)) and len(axis) == len(argument)
    ):
        parts = list(zip(axis, argument, strict=True))
    if parts is None:
        raise InputError(
            f"vmap: in_axes: expected an integer, None or a tree of these that fits {tree.structure(argument)}, got {axis!r}"
        )
    return [one for part in parts for one in _leaf_axes(*part)]


def _axis(axis: Any) -> int:
    try:
        return check_whole("vmap: in_axes", axis)
    except InputError:
        raise refuse("vmap: in_axes", "an integer, None or a tree of these", axis) from None


def _placed(result: Array, axis: int) -> Array:
    if not -result.ndim <= axis < result.ndim:
        raise ShapeError(f"vmap: out_axes={axis} does not fit an output of shape {tuple(result.shape)}")
    return array_namespace(result).moveaxis(result, 0, axis)


def _mapped_size(leaves: Sequence[Any], axes: Sequence[int | None], mapped: Sequence[int]) -> int:
    sizes: set[int] = set()
    for i in mapped:
        axis = axes[i]
        if not is_array(leaves[i]):
            raise InputError(
                f"vmap: in_axes={axis!r} maps over {leaves[i]!r} of type {type(leaves[i]).__name__}, which is no array; "
                "give None for it"
            )
        shape = tuple(leaves[i].shape)
        if axis is None or not -len(shape) <= axis < len(shape):
            raise ShapeError(f"vmap: in_axes={axis!r} does not fit an argument of shape {shape}")
        sizes.add(shape[axis])
    if len(sizes) > 1:
        raise ShapeError(f"vmap: the mapped axes have different sizes: {', '.join(map(str, sorted(sizes)))}")
    return sizes.pop()
