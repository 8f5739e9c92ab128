"""NumPy's functions that move, join, cut, repeat and select, defined by the standard's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from multimlp._typing import Array, Namespace
from multimlp.errors import InputError
from multimlp.tape.rules_manipulation import check_axis

Definition = Callable[..., Any]


def _shape(shape: Any) -> tuple[int, ...]:
    return (int(shape),) if hasattr(shape, "__index__") else tuple(int(n) for n in shape)


def _rows_first(order: str) -> None:
    """Orders "A" and "K" are those of memory, which a traced array does not show."""
    if order != "C":
        raise InputError(f"order={order!r}: a traced array is in rows; order='C' is the only one")


def _reshape(xp: Namespace, a: Array, shape: Any, order: str = "C") -> Array:
    _rows_first(order)
    return xp.reshape(a, _shape(shape))


def _ravel(xp: Namespace, a: Array, order: str = "C") -> Array:
    _rows_first(order)
    return xp.reshape(a, (-1,))


def _transpose(xp: Namespace, a: Array, axes: Any = None) -> Array:
    if a.ndim == 0:
        return a
    return xp.permute_dims(a, tuple(reversed(range(a.ndim))) if axes is None else _shape(axes))


def _swapaxes(xp: Namespace, a: Array, axis1: int, axis2: int) -> Array:
    order = list(range(a.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return xp.permute_dims(a, tuple(order))


def _moveaxis(xp: Namespace, a: Array, source: Any, destination: Any) -> Array:
    return xp.moveaxis(a, source, destination)


def _rollaxis(xp: Namespace, a: Array, axis: int, start: int = 0) -> Array:
    check_axis("rollaxis", axis, a)
    axis, start = axis % a.ndim, start + a.ndim if start < 0 else start
    return xp.moveaxis(a, axis, start - 1 if axis < start else start)


def _squeeze(xp: Namespace, a: Array, axis: Any = None) -> Array:
    ones = tuple(i for i, n in enumerate(a.shape) if n == 1)
    return xp.squeeze(a, axis=ones if axis is None else axis)


def _expand_dims(xp: Namespace, a: Array, axis: Any) -> Array:
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for one in sorted(i % (a.ndim + len(axes)) for i in axes):
        a = xp.expand_dims(a, axis=one)
    return a


def _broadcast_to(xp: Namespace, array: Array, shape: Any) -> Array:
    return xp.broadcast_to(array, _shape(shape))


def arrays_of(xp: Namespace, given: Any) -> list[Array]:
    return [one if hasattr(one, "dtype") else xp.asarray(one) for one in given]


def _concatenate(xp: Namespace, arrays: Any, axis: int | None = 0) -> Array:
    return xp.concat(arrays_of(xp, arrays), axis=axis)


def _stack(xp: Namespace, arrays: Any, axis: int = 0) -> Array:
    return xp.stack(arrays_of(xp, arrays), axis=axis)


def _at_least(ndim: int) -> Definition:
    def one(xp: Namespace, x: Any) -> Array:
        x = arrays_of(xp, (x,))[0]
        if x.ndim >= ndim:
            return x
        if ndim == 3:
            return xp.reshape(x, {0: (1, 1, 1), 1: (1, -1, 1)}.get(x.ndim, (*x.shape, 1)))
        return xp.reshape(x, (1,) * (ndim - x.ndim) + tuple(x.shape))

    def grow(xp: Namespace, *arys: Any) -> Any:
        found = tuple(one(xp, x) for x in arys)
        return found[0] if len(found) == 1 else found

    return grow


def _vstack(xp: Namespace, tup: Any) -> Array:
    return xp.concat([_at_least(2)(xp, x) for x in tup], axis=0)


def _hstack(xp: Namespace, tup: Any) -> Array:
    arrays = [_at_least(1)(xp, x) for x in tup]
    return xp.concat(arrays, axis=0 if arrays[0].ndim == 1 else 1)


def _dstack(xp: Namespace, tup: Any) -> Array:
    return xp.concat([_at_least(3)(xp, x) for x in tup], axis=2)


def _column_stack(xp: Namespace, tup: Any) -> Array:
    arrays = arrays_of(xp, tup)
    return xp.concat([xp.reshape(x, (-1, 1)) if x.ndim < 2 else x for x in arrays], axis=1)


def _array_split(xp: Namespace, ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    size = ary.shape[axis]
    if isinstance(indices_or_sections, int):
        each, more = divmod(size, indices_or_sections)
        lengths = [each + 1] * more + [each] * (indices_or_sections - more)
        places = [sum(lengths[: i + 1]) for i in range(len(lengths) - 1)]
    else:
        places = [int(i) for i in indices_or_sections]
    before = (slice(None),) * (axis % ary.ndim)
    return [ary[(*before, slice(a, b), ...)] for a, b in zip([0, *places], [*places, size], strict=True)]


def _split(xp: Namespace, ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    if isinstance(indices_or_sections, int) and ary.shape[axis] % indices_or_sections:
        raise InputError(
            f"split: axis {axis} of length {ary.shape[axis]} is not divided by {indices_or_sections}"
        )
    return _array_split(xp, ary, indices_or_sections, axis)


def _split_at(axis: int) -> Definition:
    return lambda xp, ary, indices_or_sections: _split(
        xp, ary, indices_or_sections, axis if ary.ndim > 1 else 0
    )


def _tile(xp: Namespace, A: Array, reps: Any) -> Array:
    return xp.tile(A, _shape(reps))


def _repeat(xp: Namespace, a: Array, repeats: Any, axis: int | None = None) -> Array:
    return xp.repeat(a, xp.asarray(repeats) if isinstance(repeats, (list, tuple)) else repeats, axis=axis)


def _flip(xp: Namespace, m: Array, axis: Any = None) -> Array:
    return xp.flip(m, axis=axis)


def _rot90(xp: Namespace, m: Array, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    for _ in range(k % 4):
        m = xp.flip(_swapaxes(xp, m, *axes), axis=axes[0])
    return m


def _roll(xp: Namespace, a: Array, shift: Any, axis: Any = None) -> Array:
    return xp.roll(a, shift, axis=axis)


def _pad(
    xp: Namespace, array: Array, pad_width: Any, mode: str = "constant", constant_values: Any = 0
) -> Array:
    if mode != "constant" or isinstance(constant_values, (list, tuple)):
        raise InputError(
            f"pad: mode={mode!r}: mode='constant' with one number is the only one on a traced array"
        )
    for axis, (before, after) in enumerate(_widths(pad_width, array.ndim)):
        parts = [array]
        for width, at in ((before, 0), (after, 1)):
            if width:
                shape = tuple(width if i == axis else n for i, n in enumerate(array.shape))
                parts.insert(at * len(parts), xp.full(shape, constant_values, dtype=array.dtype))
        array = xp.concat(parts, axis=axis) if len(parts) > 1 else array
    return array


def _widths(given: Any, ndim: int) -> list[tuple[int, int]]:
    if isinstance(given, int):
        return [(given, given)] * ndim
    given = [tuple(one) if isinstance(one, (list, tuple)) else one for one in given]
    if all(isinstance(one, int) for one in given):
        return [(given[0], given[-1])] * ndim
    pairs = [one if len(one) == 2 else one * 2 for one in given]
    return pairs * ndim if len(pairs) == 1 else pairs


def diagonal(xp: Namespace, a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    return xp.linalg.diagonal(xp.moveaxis(a, (axis1, axis2), (-2, -1)), offset=offset)


def _trace(xp: Namespace, a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    return xp.sum(diagonal(xp, a, offset, axis1, axis2), axis=-1)


def _diag(xp: Namespace, v: Array, k: int = 0) -> Array:
    if v.ndim != 1:
        return diagonal(xp, v, k)
    size = v.shape[0] + abs(k)
    square = xp.zeros((size * size,), dtype=v.dtype)
    first = k if k >= 0 else -k * size
    places = first + (size + 1) * xp.arange(v.shape[0])
    return xp.reshape(square + xp._add_at(v, places, size * size), (size, size))


def _diagflat(xp: Namespace, v: Array, k: int = 0) -> Array:
    return _diag(xp, xp.reshape(v, (-1,)), k)


def _triangle(name: str) -> Definition:
    return lambda xp, m, k=0: getattr(xp, name)(m, k=k)


def _append(xp: Namespace, arr: Array, values: Any, axis: int | None = None) -> Array:
    return xp.concat(arrays_of(xp, (arr, values)), axis=axis)


def _meshgrid(
    xp: Namespace, *xi: Array, indexing: str = "xy", sparse: bool = False, copy: bool = True
) -> Any:
    if sparse:
        raise InputError("meshgrid: sparse=True is not there for a traced array")
    return xp.meshgrid(*xi, indexing=indexing)


def _take(xp: Namespace, a: Array, indices: Any, axis: int | None = None) -> Array:
    indices = xp.asarray(indices) if isinstance(indices, (list, tuple, int)) else indices
    if axis is None:
        a, axis = xp.reshape(a, (-1,)), 0
    found = xp.take(a, xp.reshape(indices, (-1,)), axis=axis)
    axis %= a.ndim
    return xp.reshape(found, (*a.shape[:axis], *indices.shape, *a.shape[axis + 1 :]))


def _take_along_axis(xp: Namespace, arr: Array, indices: Array, axis: int | None = -1) -> Array:
    if axis is None:
        arr, axis = xp.reshape(arr, (-1,)), 0
    return xp.take_along_axis(arr, indices, axis=axis)


def _where(xp: Namespace, condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None and y is None:
        return xp.nonzero(condition)
    return xp.where(
        *(xp.asarray(one) if isinstance(one, (list, tuple)) else one for one in (condition, x, y))
    )


def _select(xp: Namespace, condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Array:
    found = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        found = xp.where(condition, choice, found)
    return found


def _like(name: str) -> Definition:
    def make(xp: Namespace, a: Array, dtype: Any = None, *, shape: Any = None) -> Array:
        return getattr(xp, name)(a.shape if shape is None else _shape(shape), dtype=dtype or a.dtype)

    return make


def _full_like(xp: Namespace, a: Array, fill_value: Any, dtype: Any = None, *, shape: Any = None) -> Array:
    made = _like("zeros")(xp, a, dtype, shape=shape)
    if isinstance(fill_value, (list, tuple)):
        fill_value = xp.asarray(fill_value)
    if not hasattr(fill_value, "shape"):
        return xp.full_like(made, fill_value)
    return xp.astype(xp.broadcast_to(fill_value, made.shape), made.dtype)


def _copy(xp: Namespace, a: Array, order: str = "K", subok: bool = False) -> Array:
    """The order is that of memory alone, not of the elements."""
    return xp.positive(a)


def _size(xp: Namespace, a: Array, axis: int | None = None) -> int:
    return math.prod(a.shape) if axis is None else a.shape[axis]


DEFINITIONS: dict[str, Definition] = {
    "reshape": _reshape,
    "ravel": _ravel,
    "transpose": _transpose,
    "matrix_transpose": lambda xp, x: xp.matrix_transpose(x),
    "swapaxes": _swapaxes,
    "moveaxis": _moveaxis,
    "rollaxis": _rollaxis,
    "squeeze": _squeeze,
    "expand_dims": _expand_dims,
    "broadcast_to": _broadcast_to,
    "broadcast_arrays": lambda xp, *args: xp.broadcast_arrays(*arrays_of(xp, args)),
    "concatenate": _concatenate,
    "concat": _concatenate,
    "stack": _stack,
    "unstack": lambda xp, x, /, *, axis=0: xp.unstack(x, axis=axis),
    "vstack": _vstack,
    "hstack": _hstack,
    "dstack": _dstack,
    "column_stack": _column_stack,
    "array_split": _array_split,
    "split": _split,
    "vsplit": _split_at(0),
    "hsplit": _split_at(1),
    "dsplit": _split_at(2),
    **{f"atleast_{n}d": _at_least(n) for n in (1, 2, 3)},
    "tile": _tile,
    "repeat": _repeat,
    "flip": _flip,
    "fliplr": lambda xp, m: xp.flip(m, axis=1),
    "flipud": lambda xp, m: xp.flip(m, axis=0),
    "rot90": _rot90,
    "roll": _roll,
    "pad": _pad,
    "diag": _diag,
    "diagflat": _diagflat,
    "diagonal": diagonal,
    "trace": _trace,
    "tril": _triangle("tril"),
    "triu": _triangle("triu"),
    "append": _append,
    "meshgrid": _meshgrid,
    "take": _take,
    "take_along_axis": _take_along_axis,
    "where": _where,
    "select": _select,
    **{f"{name}_like": _like(name) for name in ("zeros", "ones", "empty")},
    "full_like": _full_like,
    "copy": _copy,
    "shape": lambda xp, a: a.shape,
    "ndim": lambda xp, a: a.ndim,
    "size": _size,
}
"""By NumPy's name: ``definition(xp, *args, **kwargs)`` with NumPy's parameters, less those that are refused."""
