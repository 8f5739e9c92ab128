"""What MXNet lacks, or does otherwise than the array API standard says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mxnet as mx
import numpy as np

from multimlp.backends import _host_sets
from multimlp.backends._axes import needed
from multimlp.backends.mxnet._dtypes import (
    DEFAULT_FLOAT,
    DEFAULT_INTEGER,
    Array,
    DType,
    asarray,
    device_of,
    float32,
    int64,
    isdtype,
    uint64,
)

__all__ = [
    "arange", "argsort", "broadcast_arrays", "clip", "concat", "conj", "copysign", "count_nonzero",
    "cumulative_prod", "cumulative_sum", "empty", "empty_like", "erf", "eye", "from_dlpack", "full",
    "full_like", "linspace", "logaddexp", "matmul", "matrix_transpose", "mean", "meshgrid", "nextafter",
    "ones", "ones_like", "positive", "prod", "reshape", "searchsorted", "sign", "signbit", "sort", "stack",
    "std", "sum", "take", "take_along_axis", "tensordot", "unique_all", "unique_counts", "unique_inverse",
    "unique_values", "unstack", "var", "vecdot", "zeros", "zeros_like",
]  # fmt: skip

_np = mx.np

# ---- creation


def full(shape: Any, fill_value: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    kind = asarray(fill_value).dtype if dtype is None else dtype
    return _np.full(_shape(shape), fill_value, dtype=kind, device=device_of(device))


def zeros(shape: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    return _np.zeros(_shape(shape), dtype=dtype or DEFAULT_FLOAT, device=device_of(device))


def ones(shape: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    return _np.ones(_shape(shape), dtype=dtype or DEFAULT_FLOAT, device=device_of(device))


def full_like(x: Array, /, fill_value: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(x.shape, fill_value, dtype=dtype or x.dtype, device=device or x.device)


def zeros_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    return zeros(x.shape, dtype=dtype or x.dtype, device=device or x.device)


empty, empty_like = zeros, zeros_like


def ones_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    return ones(x.shape, dtype=dtype or x.dtype, device=device or x.device)


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DType | None = None,
    device: Any = None,
) -> Array:
    if dtype is None:
        integers = all(isinstance(v, int) for v in (start, stop, step) if v is not None)
        dtype = DEFAULT_INTEGER if integers else DEFAULT_FLOAT
    host = np.arange(0, start, step) if stop is None else np.arange(start, stop, step)
    return asarray(host, dtype=dtype, device=device)


def linspace(
    start: float,
    stop: float,
    /,
    num: int,
    *,
    dtype: DType | None = None,
    device: Any = None,
    endpoint: bool = True,
) -> Array:
    return asarray(
        np.linspace(start, stop, num, endpoint=endpoint), dtype=dtype or DEFAULT_FLOAT, device=device
    )


def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: DType | None = None, device: Any = None
) -> Array:
    return asarray(np.eye(n_rows, n_cols, k=k), dtype=dtype or DEFAULT_FLOAT, device=device)


def meshgrid(*arrays: Array, indexing: str = "xy") -> tuple[Array, ...]:
    return tuple(_np.meshgrid(*arrays, indexing=indexing))


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    return asarray(_np.from_dlpack(x), device=device, copy=copy)


def _shape(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


# ---- element by element


def logaddexp(x1: Array, x2: Array, /) -> Array:
    """MXNet's own overflows: it is infinite at +100 in float32."""
    larger, smaller = _np.where(x1 >= x2, x1, x2), _np.where(x1 >= x2, x2, x1)
    equal = larger == smaller  # infinities: their difference is NaN
    gap = _np.where(equal, zeros_like(larger), smaller - larger)
    return larger + _np.log1p(_np.exp(gap))


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:  # noqa: A002
    if min is not None:
        x = _np.where(x < min, _fill(x, min), x)
    return x if max is None else _np.where(x > max, _fill(x, max), x)


def _fill(x: Array, value: Any) -> Array:
    return value.astype(x.dtype) if isinstance(value, _np.ndarray) else full_like(x, value)


def conj(x: Array, /) -> Array:
    return x


def nextafter(x1: Array, x2: Array, /) -> Array:
    return _on_host(np.nextafter, x1, x2)


def signbit(x: Array, /) -> Array:
    return _on_host(np.signbit, x)


def copysign(x1: Array, x2: Array, /) -> Array:
    """Of -0.0 too, which MXNet's takes for positive."""
    size = _np.abs(x1)
    return _np.where(signbit(x2), -size, size)


def sign(x: Array, /) -> Array:
    """NaN at NaN, where MXNet's gives 0."""
    return _np.where(x != x, x, _np.sign(x)) if isdtype(x.dtype, "real floating") else _np.sign(x)


def positive(x: Array, /) -> Array:
    return x.copy()


def _on_host(function: Any, *arrays: Array) -> Array:
    """Through NumPy: values only, no derivative."""
    return asarray(function(*(a.asnumpy() for a in arrays)), device=arrays[0].device)


# ---- linear algebra


def matmul(x1: Array, x2: Array, /) -> Array:
    """MXNet multiplies float32 and float64 only; float16 is computed in float32, integers on the host."""
    kind = x1.dtype
    if kind.kind != "f":
        return _on_host(np.matmul, x1, x2)
    if kind.itemsize == 2:
        return _np.matmul(x1.astype(float32), x2.astype(float32)).astype(kind)
    return _np.matmul(x1, x2)


def matrix_transpose(x: Array, /) -> Array:
    return _np.swapaxes(x, -1, -2)


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    return sum(x1 * x2, axis=axis)


def tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    if x1.dtype.kind != "f":
        return asarray(np.tensordot(x1.asnumpy(), x2.asnumpy(), axes=axes), device=x1.device)
    return _np.tensordot(x1, x2, axes=axes)


# ---- shapes


def reshape(x: Array, /, shape: Any, *, copy: bool | None = None) -> Array:
    result = _np.reshape(x, _shape(shape))
    return result.copy() if copy else result


def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    fronted = _np.moveaxis(x, axis, 0) if axis else x
    return tuple(fronted[i] for i in range(fronted.shape[0]))


def broadcast_arrays(*arrays: Array) -> tuple[Array, ...]:
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    return tuple(_np.broadcast_to(a, shape) for a in arrays)


def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
    arrays = _promoted(arrays)
    if axis is None:
        return _np.concatenate([_np.reshape(a, (-1,)) for a in arrays], axis=0)
    return _np.concatenate(arrays, axis=axis)


def stack(arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
    return _np.stack(_promoted(arrays), axis=axis)


def _promoted(arrays: Sequence[Array]) -> list[Array]:
    arrays = list(arrays)
    if all(a.dtype == arrays[0].dtype for a in arrays):
        return arrays
    kind = np.result_type(*(a.dtype for a in arrays))
    return [a.astype(kind) for a in arrays]


# ---- reductions


def sum(x: Array, /, *, axis: Any = None, dtype: DType | None = None, keepdims: bool = False) -> Array:  # noqa: A001
    return _infinite_too("sum", _accumulator(x, dtype), axis=axis, keepdims=keepdims)


def _infinite_too(name: str, x: Array, **options: Any) -> Array:
    """MXNet's sum compensates its rounding errors, and so makes NaN of infinities: the host adds those up."""
    total = getattr(_np, name)(x, **options)
    if x.dtype.kind != "f" or not np.isnan(total.asnumpy()).any():
        return total
    with np.errstate(invalid="ignore", over="ignore"):
        return asarray(np.asarray(getattr(np, name)(x.asnumpy(), **options), dtype=x.dtype), device=x.device)


def prod(x: Array, /, *, axis: Any = None, dtype: DType | None = None, keepdims: bool = False) -> Array:
    return _np.prod(_accumulator(x, dtype), axis=axis, keepdims=keepdims)


def _accumulator(x: Array, dtype: DType | None) -> Array:
    """Integers add up in 64 bits; MXNet would stay in 32."""
    if dtype is None:
        dtype = {"b": int64, "i": int64, "u": uint64}.get(x.dtype.kind, x.dtype)
    return x if x.dtype == dtype else x.astype(dtype)


def mean(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """In the array's own dtype; MXNet's gives float32 for float64."""
    return _infinite_too("mean", x, axis=axis, keepdims=keepdims, dtype=x.dtype)


def var(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    centred = x - mean(x, axis=axis, keepdims=True)
    total = sum(centred * centred, axis=axis, keepdims=keepdims)
    count = x.size // (total.size or 1) - correction
    return total / (count if count > 0 else 0)


def std(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    return _np.sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def count_nonzero(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    return sum(x != 0, axis=axis, keepdims=keepdims)


def cumulative_sum(
    x: Array, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Array:
    return _cumulative(_np.cumsum, zeros, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Array, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Array:
    return _cumulative(_host_cumprod, ones, x, axis, dtype, include_initial)


def _host_cumprod(x: Array, axis: int) -> Array:
    return asarray(np.cumprod(x.asnumpy(), axis=axis), device=x.device)


def _cumulative(
    function: Any, initial: Any, x: Array, axis: int | None, dtype: DType | None, include_initial: bool
) -> Array:
    axis = needed("cumulative_sum, cumulative_prod", x, axis)
    result = function(_accumulator(x, dtype), axis=axis)
    if not include_initial:
        return result
    shape = tuple(1 if i == axis else n for i, n in enumerate(x.shape))
    return concat([initial(shape, dtype=result.dtype, device=x.device), result], axis=axis)


# ---- indexing, sorting, sets


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """By indexing, which MXNet can differentiate; its own function of that name goes through NumPy."""
    axis %= x.ndim
    grid = []
    for i, size in enumerate(indices.shape):
        if i == axis:
            grid.append(_np.where(indices < 0, indices + x.shape[axis], indices).astype(int64))
        else:
            around = [1] * indices.ndim
            around[i] = size
            grid.append(_np.reshape(arange(size, device=x.device), tuple(around)))
    return x[broadcast_arrays(*grid)]


def argsort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """On the host: MXNet's sort is not stable."""
    host = x.asnumpy()
    if not descending:
        order = np.argsort(host, axis=axis, kind="stable")
    else:  # equal elements keep their order
        flipped = np.argsort(np.flip(host, axis), axis=axis, kind="stable")
        order = host.shape[axis] - 1 - np.flip(flipped, axis)
    return asarray(order, dtype=int64, device=x.device)


def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    return take_along_axis(x, argsort(x, axis=axis, descending=descending), axis=axis)


def searchsorted(x1: Array, x2: Array, /, *, side: str = "left", sorter: Array | None = None) -> Array:
    order = None if sorter is None else sorter.asnumpy()
    found = np.searchsorted(x1.asnumpy(), x2.asnumpy(), side=side, sorter=order)  # type: ignore[call-overload]
    return asarray(found, dtype=int64, device=x1.device)


def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    return _np.take(x, indices, axis=needed("take", x, axis), mode="wrap")


unique_all, unique_counts, unique_inverse, unique_values = _host_sets.on_the_host(
    lambda x: x.asnumpy(),
    lambda host, x: asarray(host, device=x.device),
    lambda x, indices: _np.take(_np.reshape(x, (-1,)), indices),
)


def erf(x: Array, /) -> Array:
    return mx.npx.erf(x)
