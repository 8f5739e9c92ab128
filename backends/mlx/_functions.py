"""Functions of the standard that MLX has with other arguments, with other dtypes of results, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np

from multimlp.backend import Array
from multimlp.backends._axes import needed
from multimlp.errors import CapabilityError

__all__ = [
    "arange",
    "argmax",
    "argmin",
    "argsort",
    "asarray",
    "astype",
    "clip",
    "concat",
    "copysign",
    "count_nonzero",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "empty",
    "empty_like",
    "expand_dims",
    "eye",
    "flip",
    "from_dlpack",
    "full",
    "full_like",
    "hypot",
    "isin",
    "linspace",
    "logical_xor",
    "mean",
    "meshgrid",
    "moveaxis",
    "nextafter",
    "nonzero",
    "ones",
    "ones_like",
    "permute_dims",
    "positive",
    "prod",
    "repeat",
    "reshape",
    "roll",
    "searchsorted",
    "sign",
    "signbit",
    "sort",
    "stack",
    "std",
    "sum",
    "take",
    "take_along_axis",
    "tensordot",
    "tile",
    "tril",
    "triu",
    "unstack",
    "var",
    "vecdot",
    "zeros",
    "zeros_like",
]

INDEX = mx.int64
HALF = (mx.float16, mx.bfloat16)


def _made(function: Callable[..., Array]) -> Callable[..., Array]:
    """One memory serves all devices of MLX, so that arrays are made on none; None is the default dtype."""

    def made(*args: Any, dtype: Any = None, device: Any = None, **more: Any) -> Array:
        return function(*args, **({} if dtype is None else {"dtype": dtype}), **more)

    return made


zeros, ones, eye = _made(mx.zeros), _made(mx.ones), _made(mx.eye)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    return mx.full(shape, fill_value) if dtype is None else mx.full(shape, fill_value, dtype=dtype)


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    return zeros(shape, dtype=dtype)


def _like(function: Callable[..., Array]) -> Callable[..., Array]:
    def like(x: Array, /, *args: Any, dtype: Any = None, device: Any = None) -> Array:
        return function(x.shape, *args, dtype=x.dtype if dtype is None else dtype)

    return like


zeros_like, ones_like, full_like, empty_like = _like(zeros), _like(ones), _like(full), _like(empty)


def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Array:
    first, last = (0, start) if stop is None else (start, stop)
    values = np.arange(first, last, step)  # an empty range too
    return asarray(
        values, dtype=(mx.float32 if values.dtype.kind == "f" else mx.int32) if dtype is None else dtype
    )


def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True
) -> Array:
    values = np.linspace(start, stop, num, endpoint=endpoint)
    return asarray(values, dtype=mx.float32 if dtype is None else dtype)


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Array:
    """Floating-point numbers become float32 unless a dtype is given or an array brings one."""
    if isinstance(obj, mx.array):
        return obj if dtype is None else obj.astype(dtype)
    return mx.array(obj) if dtype is None else mx.array(obj, dtype=dtype)


def astype(x: Array, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    return x.astype(dtype)


def _indices(function: Callable[..., Array]) -> Callable[..., Array]:
    """Indices are signed, so that differences of them are right."""

    def found(*args: Any, **options: Any) -> Array:
        return function(*args, **options).astype(INDEX)

    return found


argmax, argmin = _indices(mx.argmax), _indices(mx.argmin)


def argsort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """Descending and stable: the last of the equal ones of the mirror image come first."""
    if not descending:
        return mx.argsort(x, axis=axis).astype(INDEX)
    mirrored = flip(mx.argsort(flip(x, axis=axis), axis=axis), axis=axis).astype(INDEX)
    return x.shape[axis] - 1 - mirrored


def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    return flip(mx.sort(x, axis=axis), axis=axis) if descending else mx.sort(x, axis=axis)


def flip(x: Array, /, *, axis: Any = None) -> Array:
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    chosen = {a % x.ndim for a in axes}
    return (
        x[tuple(slice(None, None, -1) if a in chosen else slice(None) for a in range(x.ndim))]
        if x.ndim
        else x
    )


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    return x if min is None and max is None else mx.clip(x, min, max)


def count_nonzero(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    return mx.sum(x != 0, axis=axis, keepdims=keepdims).astype(INDEX)


def mean(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """NaN of no elements, for which MLX waits for ever; of 16 bits in single precision, since the sum may be infinite."""
    if x.size and x.dtype in HALF:
        return mx.mean(x.astype(mx.float32), axis=axis, keepdims=keepdims).astype(x.dtype)
    if x.size:
        return mx.mean(x, axis=axis, keepdims=keepdims)
    return mx.sum(x, axis=axis, keepdims=keepdims) / mx.array(0.0, dtype=x.dtype)


def sign(x: Array, /) -> Array:
    """NaN at NaN, where MLX's is 0."""
    return (
        mx.where(x != x, mx.stop_gradient(x), mx.sign(x))
        if mx.issubdtype(x.dtype, mx.floating)
        else mx.sign(x)
    )


def var(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    if not x.size:
        return mean(x, axis=axis, keepdims=keepdims)
    if x.dtype in HALF:
        wide = x.astype(mx.float32)
        return var(wide, axis=axis, correction=correction, keepdims=keepdims).astype(x.dtype)
    found = mx.var(x, axis=axis, keepdims=keepdims)
    return found * _corrected(x, found, correction) if correction else found


def std(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    if not x.size:
        return mean(x, axis=axis, keepdims=keepdims)
    if x.dtype in HALF:
        wide = x.astype(mx.float32)
        return std(wide, axis=axis, correction=correction, keepdims=keepdims).astype(x.dtype)
    found = mx.std(x, axis=axis, keepdims=keepdims)
    return found * _corrected(x, found, correction) ** 0.5 if correction else found


def _corrected(x: Array, found: Array, correction: float) -> float:
    """MLX takes integers alone."""
    n = x.size / max(found.size, 1)
    return n / (n - correction) if n > correction else float("nan")


def _summed(function: Callable[..., Array]) -> Callable[..., Array]:
    def total(x: Array, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
        return function(_widened(x, dtype), axis=axis, keepdims=keepdims)

    return total


def _running(name: str, function: Callable[..., Array], first: Callable[..., Array]) -> Callable[..., Array]:
    def running(
        x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
    ) -> Array:
        axis = needed(name, x, axis)
        x = _widened(x, dtype)
        found = (
            function(x.astype(mx.float32), axis=axis).astype(x.dtype)
            if x.dtype in HALF
            else function(x, axis=axis)
        )
        if not include_initial:
            return found
        shape = [1 if i == axis else n for i, n in enumerate(x.shape)]
        return mx.concatenate([first(shape, dtype=found.dtype), found], axis=axis)

    return running


def _widened(x: Array, dtype: Any) -> Array:
    if dtype is not None:
        return x.astype(dtype)
    if x.dtype in (mx.bool_, mx.int8, mx.int16):
        return x.astype(mx.int32)
    return x.astype(mx.uint32) if x.dtype in (mx.uint8, mx.uint16) else x


sum, prod = _summed(mx.sum), _summed(mx.prod)
cumulative_sum = _running("cumulative_sum", mx.cumsum, zeros)
cumulative_prod = _running("cumulative_prod", mx.cumprod, ones)


def signbit(x: Array, /) -> Array:
    """-0 counts too: the reciprocal of its sign is -inf."""
    return (x < 0) | ((x == 0) & (1 / x < 0))


def copysign(x1: Array, x2: Array, /) -> Array:
    x1, x2 = mx.broadcast_arrays(*map(asarray, (x1, x2)))
    magnitude = mx.abs(x1)
    return mx.where(signbit(x2), -magnitude, magnitude)


def hypot(x1: Array, x2: Array, /) -> Array:
    """Of the larger one times a root, so that no square overflows."""
    a, b = mx.abs(x1), mx.abs(x2)
    large, small = mx.maximum(a, b), mx.minimum(a, b)
    ratio = mx.where(
        (large == 0) | mx.isinf(large), 0, small / mx.where((large == 0) | mx.isinf(large), 1, large)
    )
    return mx.where(
        mx.isinf(a) | mx.isinf(b),
        float("inf"),
        large * mx.sqrt(1 + ratio * ratio) + 0 * mx.where(mx.isnan(small), small, 0),
    )


def isin(x1: Array, x2: Array, /, *, invert: bool = False) -> Array:
    found = mx.any(mx.expand_dims(x1, -1) == mx.reshape(x2, (-1,)), axis=-1)
    return ~found if invert else found


def searchsorted(x1: Array, x2: Array, /, *, side: str = "left", sorter: Array | None = None) -> Array:
    """By halving: a comparison of all with all would need memory for each pair."""
    ordered = x1 if sorter is None else mx.take(x1, sorter)
    size = ordered.shape[0]
    low, high = mx.zeros(x2.shape, dtype=INDEX), mx.full(x2.shape, size, dtype=INDEX)
    for _ in range(size.bit_length()):
        middle = (low + high) // 2
        there = mx.take(ordered, mx.minimum(middle, size - 1))
        is_before = (there < x2) if side == "left" else (there <= x2)
        is_beyond = (low < high) & (is_before | (x2 != x2))  # NaN comes last
        low, high = mx.where(is_beyond, middle + 1, low), mx.where(is_beyond, high, middle)
    return low


def reshape(x: Array, /, shape: Any, *, copy: bool | None = None) -> Array:
    return mx.reshape(x, (shape,) if isinstance(shape, int) else shape)


def permute_dims(x: Array, /, axes: tuple[int, ...]) -> Array:
    return mx.transpose(x, axes)


def tile(x: Array, repetitions: tuple[int, ...], /) -> Array:
    return mx.tile(x, repetitions)


def concat(arrays: Any, /, *, axis: int | None = 0) -> Array:
    arrays = list(arrays)
    return (
        mx.concatenate([mx.reshape(a, (-1,)) for a in arrays])
        if axis is None
        else mx.concatenate(arrays, axis=axis)
    )


def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    moved = mx.moveaxis(x, axis, 0)
    return tuple(moved[i] for i in range(moved.shape[0]))


def nonzero(x: Array, /) -> tuple[Array, ...]:
    """On the host: the sizes of the results depend on the values, which MLX computes late."""
    return tuple(mx.array(i, dtype=INDEX) for i in np.nonzero(np.array(x)))


def nextafter(x1: Array, x2: Array, /) -> Array:
    """By the host, since MLX has none; it has no derivative."""
    if any(isinstance(x, mx.array) and x.dtype == mx.bfloat16 for x in (x1, x2)):
        raise CapabilityError("nextafter: not of bfloat16 on the mlx backend; cast to float32 first")
    first, second = (np.array(x) if isinstance(x, mx.array) else np.float32(x) for x in (x1, x2))
    found = np.nextafter(first, second)
    return mx.array(found, dtype=mx.float64) if found.dtype == np.float64 else mx.array(found)


def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    """MLX does not differentiate where the indices are made of what is differentiated."""
    return mx.take(x, mx.stop_gradient(indices), needed("take", x, axis))


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """As `take`."""
    return mx.take_along_axis(x, mx.stop_gradient(indices), axis)


def repeat(x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    if isinstance(repeats, mx.array) and repeats.ndim:
        return mx.take(x, mx.array(np.repeat(np.arange(repeats.size), np.array(repeats))), axis)
    return mx.repeat(x, int(repeats), axis=axis)


def roll(x: Array, /, shift: Any, *, axis: Any = None) -> Array:
    return mx.roll(x, shift, axis)


def expand_dims(x: Array, /, *, axis: int = 0) -> Array:
    return mx.expand_dims(x, axis)


def moveaxis(x: Array, source: Any, destination: Any, /) -> Array:
    if isinstance(source, int):
        return mx.moveaxis(x, source, destination)
    order = [i for i in range(x.ndim) if i not in {s % x.ndim for s in source}]
    for place, axis in sorted((d % x.ndim, s % x.ndim) for s, d in zip(source, destination, strict=True)):
        order.insert(place, axis)
    return mx.transpose(x, order)


def diff(x: Array, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Array:
    parts = [part for part in (prepend, x, append) if part is not None]
    return mx.diff(mx.concatenate(parts, axis=axis) if len(parts) > 1 else x, n=n, axis=axis)


def tril(x: Array, /, *, k: int = 0) -> Array:
    return mx.tril(x, k)


def triu(x: Array, /, *, k: int = 0) -> Array:
    return mx.triu(x, k)


def meshgrid(*arrays: Array, indexing: str = "xy") -> tuple[Array, ...]:
    return tuple(mx.meshgrid(*arrays, indexing=indexing))


def stack(arrays: Any, /, *, axis: int = 0) -> Array:
    return mx.stack(list(arrays), axis=axis)


def logical_xor(x1: Array, x2: Array, /) -> Array:
    return x1 ^ x2


def positive(x: Array, /) -> Array:
    return x


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """By a sum of products: MLX's takes its axis for another one under ``vmap``."""
    first = mx.conjugate(x1) if x1.dtype == mx.complex64 else x1
    return mx.sum(first * x2, axis=axis)


def tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    return mx.tensordot(x1, x2, axes if isinstance(axes, int) else [list(a) for a in axes])


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    return mx.from_dlpack(x, copy=copy)
