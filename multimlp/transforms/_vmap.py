"""Vectorisation over an axis of the arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from multimlp import tree
from multimlp.backend import Array, array_namespace, is_array, owner
from multimlp.errors import InputError, ShapeError
from multimlp.transforms._call import Outputs


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: int = 0) -> Callable[..., Any]:
    """Vectorise a function over an axis of its arguments.

    Parameters
    ----------
    f : callable
        Of arrays without the mapped axis.
    in_axes : int, None, or a sequence of these per positional argument
        Which axis of each array of the argument is mapped; None: not mapped, given whole to each call.
    out_axes : int
        Where the mapped axis stands in the outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import multimlp as mm
    >>> mm.vmap(lambda row, w: mm.array_namespace(row).sum(row * w), in_axes=(0, None))(np.ones((2, 3)), np.arange(3.0))
    array([3., 3.])
    """

    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        axes = tuple(in_axes) if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise InputError(f"vmap: in_axes has {len(axes)} entries for {len(args)} positional arguments")
        leaves, rebuild = tree.flatten(args)
        leaf_axes = [axis for argument, axis in zip(args, axes, strict=True) for _ in tree.leaves(argument)]
        mapped = [i for i, axis in enumerate(leaf_axes) if axis is not None]
        if not mapped:
            raise InputError(
                "vmap: every in_axes is None (or no argument holds an array); there is nothing to map over"
            )
        backend = owner(*leaves, *tree.leaves(kwargs))
        size = _mapped_size(leaves, leaf_axes, mapped)
        xp = array_namespace(*(leaves[i] for i in mapped))
        fronted = tuple(
            xp.moveaxis(leaves[i], leaf_axes[i], 0) if leaf_axes[i] else leaves[i] for i in mapped
        )
        outputs = Outputs()

        def one(arrays: Sequence[Array]) -> tuple[Array, ...]:
            filled = list(leaves)
            for i, array in zip(mapped, arrays, strict=True):
                filled[i] = array
            return outputs.split(f(*rebuild(filled), **kwargs))

        if size == 0:
            raise ShapeError("vmap: the mapped axis has size 0")
        with backend.scope_of(*fronted):
            results = backend.vmap(one)(fronted)
            if out_axes:
                results = tuple(array_namespace(r).moveaxis(r, 0, out_axes) for r in results)
        return outputs.join(results)

    return transformed


def _mapped_size(leaves: Sequence[Any], axes: Sequence[int | None], mapped: Sequence[int]) -> int:
    sizes: set[int] = set()
    for i in mapped:
        shape = tuple(leaves[i].shape) if is_array(leaves[i]) else ()
        axis = axes[i]
        if not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
            raise ShapeError(f"vmap: in_axes={axis!r} does not fit an argument of shape {shape}")
        sizes.add(shape[axis])
    if len(sizes) > 1:
        raise ShapeError(f"vmap: the mapped axes have different sizes: {', '.join(map(str, sorted(sizes)))}")
    return sizes.pop()
