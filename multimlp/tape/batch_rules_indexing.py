"""Batching of selection, and of its transposes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from multimlp._typing import Array
from multimlp.tape._array import Wrapped
from multimlp.tape.batched import Batched, need_loop
from multimlp.tape.batching import BatchRule, Function, forward, is_at, level_of, rows_of, stretched


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _is_basic(part: Any) -> bool:
    return part is None or part is Ellipsis or isinstance(part, slice) or _is_integer(part)


def _is_integer(part: Any) -> bool:
    return hasattr(part, "__index__") and not isinstance(part, bool) and not getattr(part, "shape", ())


def _behind_rows(x: Batched, key: Any) -> tuple[Any, ...]:
    """The key for the value of a batched array.

    Arrays among the keys may stand anywhere, but together: else the axes of the result are in another order.
    """
    parts = _parts(key)
    if any(isinstance(part, bool) for part in parts):
        need_loop(x, "a boolean index")
    places = [i for i, part in enumerate(parts) if not _is_basic(part)]
    if places:
        picking = [i for i, part in enumerate(parts) if not _is_basic(part) or _is_integer(part)]
        if picking[-1] - picking[0] + 1 != len(picking):
            need_loop(x, "indices with slices between them")
    return (slice(None), *parts)


def _getitem(record: Function, xp: Any) -> Function:
    def batch(x: Any, key: Any, /) -> Any:
        level = level_of((x, *_parts(key)))
        if level_of(_parts(key)) == level:
            return _picked(xp, x, _parts(key), level)
        return xp.batched(record(x.value, _behind_rows(x, key)), level)

    return batch


def _picked(xp: Any, x: Array, parts: tuple[Any, ...], level: int) -> Array:
    """``x[i, j, ...]`` with batched integers among i, j: the axes that they go along as one, of which `take` takes."""
    count = len(parts)
    while count and (isinstance(parts[count - 1], slice) or parts[count - 1] is Ellipsis):
        count -= 1
    first, rest = parts[:count], parts[count:]
    at = xp.batched(None, level)
    if any(_is_basic(part) and not _is_integer(part) for part in first) or count > len(x.shape):
        need_loop(at, "an index behind a slice")
    if rest:
        x = x[(*(slice(None),) * count, *rest)]
    sizes = tuple(x.shape[:count])
    place: Any = 0
    for part, size in zip(first, sizes, strict=True):
        place = place * size + _counted(xp, part, size, at)
    flat = xp.reshape(x, (math.prod(sizes), *x.shape[count:]))
    taken = xp.take(flat, xp.reshape(place, (-1,)), axis=0)
    return xp.reshape(taken, (*place.shape, *x.shape[count:]))


def _counted(xp: Any, part: Any, size: int, at: Batched) -> Any:
    """Integers from 0 to size - 1 for an index."""
    if not hasattr(part, "dtype"):
        part = xp.asarray(part)
    if not xp.isdtype(part.dtype, "integral"):
        need_loop(at, "an index that is no integer")
    part = xp.as_places(part)
    plain = part
    while isinstance(plain, Wrapped):
        plain = plain.value
    if bool(xp.any(plain >= size)) or bool(xp.any(plain < -size)):
        need_loop(at, "an index out of range")
    return xp.where(part < 0, part + size, part)


def _take(record: Function, xp: Any) -> Function:
    def batch(x: Any, indices: Any, /, *, axis: int | None = None) -> Any:
        level = level_of((x, indices))
        at = xp.batched(None, level)
        if axis is None and len(x.shape) != 1:
            x = xp.reshape(x, (-1,))
        ndim = len(x.shape)
        axis = forward(0 if axis is None else axis, ndim) - 1
        if not is_at(indices, level):
            return xp.batched(record(x.value, indices, axis=axis + 1), level)
        rows, shape = rows_of((indices,), level), indices.shape
        if not is_at(x, level):
            found = record(x, xp.reshape(indices.value, (-1,)), axis=axis)
            found = xp.reshape(found, (*x.shape[:axis], rows, *shape, *x.shape[axis + 1 :]))
            return xp.batched(xp.moveaxis(found, axis, 0), level)
        value, size = xp.moveaxis(x.value, axis + 1, 1), x.shape[axis]
        places = _among_rows(xp, _counted(xp, indices, size, at).value, size)
        flat = xp.reshape(value, (rows * size, *value.shape[2:]))
        found = record(flat, xp.reshape(places, (-1,)), axis=0)
        found = xp.reshape(found, (rows, math.prod(shape), *value.shape[2:]))
        found = xp.moveaxis(found, 1, axis + 1)
        return xp.batched(xp.reshape(found, (rows, *x.shape[:axis], *shape, *x.shape[axis + 1 :])), level)

    return batch


def _among_rows(xp: Any, places: Array, size: int) -> Array:
    """Places in each row as places in all rows one after another."""
    rows = places.shape[0]
    starts = size * xp.arange(rows, dtype=places.dtype, device=getattr(places, "device", None))
    return places + xp.reshape(starts, (rows, *(1,) * (len(places.shape) - 1)))


def _take_along_axis(record: Function, xp: Any) -> Function:
    def batch(x: Any, indices: Any, /, *, axis: int = -1) -> Any:
        level = level_of((x, indices))
        rows = rows_of((x, indices), level)
        values = [stretched(xp, one, level, rows) for one in (x, indices)]
        return xp.batched(record(*values, axis=forward(axis, len(x.shape))), level)

    return batch


def _searchsorted(record: Function, xp: Any) -> Function:
    def batch(sorted_: Any, x: Any, /, **params: Any) -> Any:
        level = level_of((sorted_, x))
        if is_at(sorted_, level):
            need_loop(sorted_, "searchsorted")
        return xp.batched(record(sorted_, x.value, **params), level)

    return batch


def _put(record: Function, xp: Any) -> Function:
    def batch(g: Batched, key: Any, shape: Sequence[int], /) -> Any:
        if level_of(_parts(key)):
            need_loop(xp.batched(None, level_of(_parts(key))), "assignment at a batched index")
        value = g.value
        return xp.batched(record(value, _behind_rows(g, key), (value.shape[0], *shape)), g.level)

    return batch


def _add_at(record: Function, xp: Any) -> Function:
    def batch(g: Any, indices: Any, size: int, /) -> Any:
        level = level_of((g, indices))
        rows = rows_of((g, indices), level)
        if not is_at(indices, level):
            found = record(xp.moveaxis(g.value, 0, 1), indices, size)
            return xp.batched(xp.moveaxis(found, 1, 0), level)
        value, shape = stretched(xp, g, level, rows), tuple(g.shape[1:])
        places = _among_rows(xp, _counted(xp, indices, size, xp.batched(None, level)).value, size)
        flat = xp.reshape(value, (rows * g.shape[0], *shape))
        found = record(flat, xp.reshape(places, (-1,)), rows * size)
        return xp.batched(xp.reshape(found, (rows, size, *shape)), level)

    return batch


BATCH_RULES: dict[str, BatchRule] = {
    "searchsorted": _searchsorted,
    "take": _take,
    "take_along_axis": _take_along_axis,
    "_add_at": _add_at,
    "_getitem": _getitem,
    "_put": _put,
}
