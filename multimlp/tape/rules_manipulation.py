"""Derivative rules of functions that move, repeat or select by position, and of creation from an array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from multimlp._typing import Array, Namespace
from multimlp.errors import InputError, NotDifferentiableError, ShapeError
from multimlp.tape._array import Wrapped, device_of
from multimlp.tape.batching import Function
from multimlp.tape.core import raw
from multimlp.tape.recording import composed, of_sequence, parametric
from multimlp.tape.source import Maker, Source

Axes = int | tuple[int, ...] | None


def _reshape_back(
    xp: Namespace, g: Array, _y: Array, x_like: Array, shape: Any = None, copy: Any = None, axis: Axes = None
) -> Array:
    return xp.reshape(g, x_like.shape)


def _permute_dims(xp: Namespace, g: Array, _y: Array, _x: Array, axes: tuple[int, ...]) -> Array:
    positive = [a % len(axes) for a in axes]
    return xp.permute_dims(g, tuple(sorted(range(len(axes)), key=positive.__getitem__)))


def _moveaxis(xp: Namespace, g: Array, _y: Array, _x: Array, source: Any, destination: Any) -> Array:
    return xp.moveaxis(g, destination, source)


def _flip(xp: Namespace, g: Array, _y: Array, _x: Array, axis: Axes = None) -> Array:
    return xp.flip(g, axis=axis)


def _roll(xp: Namespace, g: Array, _y: Array, _x: Array, shift: Any, axis: Axes = None) -> Array:
    back = -shift if hasattr(shift, "__index__") else tuple(-s for s in shift)
    return xp.roll(g, back, axis=axis)


def _concat(
    i: int, xp: Namespace, g: Array, y: Array, arrays: tuple[Array, ...], axis: int | None = 0
) -> Array:
    x = arrays[i]
    if axis is None:
        start = sum(a.size for a in arrays[:i])
        return xp.reshape(g[start : start + x.size], x.shape)
    axis %= x.ndim
    start = sum(a.shape[axis] for a in arrays[:i])
    return g[(slice(None),) * axis + (slice(start, start + x.shape[axis]), ...)]


def _stack(i: int, xp: Namespace, g: Array, y: Array, arrays: tuple[Array, ...], axis: int = 0) -> Array:
    return g[(slice(None),) * (axis % y.ndim) + (i, ...)]


def _unstack(xp: Namespace, x: Array, axis: int = 0) -> tuple[Array, ...]:
    before = (slice(None),) * (axis % x.ndim)
    return tuple(x[(*before, i, ...)] for i in range(x.shape[axis]))


def _broadcast_arrays(xp: Namespace, *arrays: Array) -> tuple[Array, ...]:
    shape = _common_shape([a.shape for a in arrays])
    return tuple(xp.broadcast_to(a, shape) for a in arrays)


def _common_shape(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    ndim = max(map(len, shapes))
    padded = [(1,) * (ndim - len(s)) + tuple(s) for s in shapes]
    common = tuple(next((n for n in sizes if n != 1), 1) for sizes in zip(*padded, strict=True))
    if any(n not in (1, m) for s in padded for n, m in zip(s, common, strict=True)):
        raise ShapeError(f"broadcast_arrays: the shapes {', '.join(map(str, shapes))} do not go together")
    return common


def _meshgrid(xp: Namespace, *arrays: Array, indexing: str = "xy") -> tuple[Array, ...]:
    if indexing not in ("xy", "ij"):
        raise InputError(f"meshgrid: indexing: expected 'xy' or 'ij', got {indexing!r}")
    ndim = len(arrays)
    order = list(range(ndim))
    if indexing == "xy" and ndim > 1:
        order[:2] = [1, 0]
    columns = [
        xp.reshape(a, (1,) * place + (-1,) + (1,) * (ndim - place - 1))
        for a, place in zip(arrays, order, strict=True)
    ]
    return _broadcast_arrays(xp, *columns)


def _tile(xp: Namespace, x: Array, repetitions: tuple[int, ...]) -> Array:
    ndim = max(x.ndim, len(repetitions))
    shape = (1,) * (ndim - x.ndim) + tuple(x.shape)
    times = (1,) * (ndim - len(repetitions)) + tuple(repetitions)
    apart = tuple(k for n in shape for k in (1, n))
    repeated = tuple(k for pair in zip(times, shape, strict=True) for k in pair)
    together = tuple(r * n for r, n in zip(times, shape, strict=True))
    return xp.reshape(xp.broadcast_to(xp.reshape(x, apart), repeated), together)


def _repeat(xp: Namespace, x: Array, repeats: Any, axis: int | None = None) -> Array:
    if axis is None:
        x, axis = xp.reshape(x, (-1,)), 0
    return xp.take(x, xp.repeat(xp.arange(x.shape[axis], device=device_of(x)), repeats), axis=axis)


def _diff(
    xp: Namespace, x: Array, axis: int = -1, n: int = 1, prepend: Array = None, append: Array = None
) -> Array:
    check_axis("diff", axis, x)
    if n < 0:
        raise InputError(f"diff: n: expected 0 or more, got {n}")
    parts = [part for part in (prepend, x, append) if part is not None]
    x = xp.concat(parts, axis=axis) if len(parts) > 1 else x
    before = (slice(None),) * (axis % x.ndim)
    if n >= x.shape[axis]:
        return x[(*before, slice(0, 0), ...)]
    for _ in range(n):
        x = x[(*before, slice(1, None), ...)] - x[(*before, slice(None, -1), ...)]
    return x


def check_axis(name: str, axis: int, x: Array) -> None:
    """`ShapeError` for an axis that the array has not: ``axis % x.ndim`` would be another one."""
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"{name}: axis {axis} does not fit an array of shape {x.shape}")


def _full(xp: Namespace, shape: Any, fill_value: Array, dtype: Any = None, device: Any = None) -> Array:
    return xp.broadcast_to(
        _asarray(xp, fill_value, dtype, device), (shape,) if isinstance(shape, int) else shape
    )


def _full_like(xp: Namespace, x: Array, /, fill_value: Any, dtype: Any = None, device: Any = None) -> Array:
    if not isinstance(fill_value, Wrapped):  # the shape of x counts, not its values
        place = device_of(x) if device is None else device
        return xp.full(x.shape, fill_value, dtype=x.dtype if dtype is None else dtype, device=place)
    return _full(xp, x.shape, fill_value, x.dtype if dtype is None else dtype, device)


def _arrays_in(nested: Any) -> Iterator[Array]:
    for part in nested:
        if isinstance(part, (list, tuple)):
            yield from _arrays_in(part)
        elif hasattr(part, "dtype"):
            yield part


def _stacked(xp: Namespace, nested: Any, dtype: Any) -> Array:
    """A nested list of arrays and numbers as one array; of the dtype that the arrays have together."""
    if isinstance(nested, (list, tuple)):
        return xp.stack([_stacked(xp, part, dtype) for part in nested])
    return xp.astype(nested, dtype) if hasattr(nested, "dtype") else xp.asarray(nested, dtype=dtype)


def _asarray(xp: Namespace, obj: Any, dtype: Any = None, device: Any = None, copy: Any = None) -> Array:
    if not isinstance(obj, Wrapped):
        obj = _stacked(xp, obj, xp.result_type(*_arrays_in(obj)))
    return obj if dtype is None else xp.astype(obj, dtype)


def _astype_back(
    xp: Namespace, g: Array, _y: Array, x_like: Array, dtype: Any, copy: bool = True, device: Any = None
) -> Array:
    return xp.astype(g, x_like.dtype)


def _astype(source: Source, xp: Any) -> Function:
    """The maker of astype: integers and booleans are constants, complex numbers are refused."""
    record = parametric(_astype_back)(source, xp)
    differentiated = xp.differentiated

    def astype(x: Any, dtype: Any, /, **params: Any) -> Any:
        if type(x) not in differentiated or xp.is_real_floating(dtype):
            return record(x, dtype, **params)
        if xp.isdtype(dtype, "complex floating"):
            raise NotDifferentiableError(
                f"astype: derivatives are those of real numbers; a traced array cannot become {dtype}"
            )
        return source(raw(x), dtype, **params)

    return astype


RULES: dict[str, Maker] = {
    "reshape": parametric(_reshape_back),
    "squeeze": parametric(_reshape_back),
    "expand_dims": parametric(_reshape_back),
    "broadcast_to": parametric(lambda xp, g, _y, _x, shape: g),
    "permute_dims": parametric(_permute_dims),
    "moveaxis": parametric(_moveaxis),
    "flip": parametric(_flip),
    "roll": parametric(_roll),
    "tril": parametric(lambda xp, g, _y, _x, k=0: xp.tril(g, k=k)),
    "triu": parametric(lambda xp, g, _y, _x, k=0: xp.triu(g, k=k)),
    "concat": of_sequence(_concat),
    "stack": of_sequence(_stack),
    "unstack": composed(_unstack),
    "broadcast_arrays": composed(_broadcast_arrays),
    "meshgrid": composed(_meshgrid),
    "tile": composed(_tile),
    "repeat": composed(_repeat),
    "diff": composed(_diff),
    "full": composed(_full),
    "full_like": composed(_full_like),
    "asarray": composed(_asarray),
    "astype": _astype,
}
