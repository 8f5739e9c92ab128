"""The array-API namespace of arbitrary-precision arrays: what portable code and the tape ask for."""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from multimlp.backends.mpmath import linalg, scalars
from multimlp.backends.mpmath.array import (
    STORED,
    Array,
    DType,
    bool_,
    exact,
    float64,
    int32,
    int64,
    stored,
    unwrap,
)
from multimlp.backends.mpmath.scalars import context, mpf

__array_api_version__ = "2023.12"
bool = bool_  # noqa: A001 - the standard's name
pi, e, inf, nan, newaxis = +context.pi, +context.e, scalars.INF, scalars.NAN, None
matmul, matrix_transpose, tensordot, vecdot = (
    linalg.matmul,
    linalg.matrix_transpose,
    linalg.tensordot,
    linalg.vecdot,
)

__all__ = ["bool", "float64", "int32", "int64", "linalg", "matmul", "matrix_transpose", "tensordot", "vecdot"]

Axis = int | tuple[int, ...] | None


def _array(data: Any, dtype: np.dtype = STORED[float64]) -> Array:
    return Array(data if isinstance(data, np.ndarray) else stored(data, dtype))


# ---- element by element ----


_quiet = np.errstate(all="ignore")  # a NaN among objects may have raised the flags that NumPy reads


def _unary(scalar: Callable[[Any], Any]) -> Callable[[Array], Array]:
    function = np.frompyfunc(scalar, 1, 1)

    @_quiet
    def apply(x: Array, /) -> Array:
        return _array(function(x.data))

    return apply


def _binary(scalar: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Array]:
    function = np.frompyfunc(scalar, 2, 1)

    @_quiet
    def apply(x: Any, y: Any, /) -> Array:
        return _array(function(unwrap(x), unwrap(y)))

    return apply


def _by_numpy(function: Callable[..., Any], result: np.dtype | None = None) -> Callable[..., Array]:
    """For what NumPy's own function does to objects as well as to numbers."""

    @_quiet
    def apply(*args: Any) -> Array:
        data = function(*map(unwrap, args))
        if isinstance(data, np.ndarray):
            return Array(data)
        kinds = [a.data.dtype for a in args if isinstance(a, Array)]
        return _array(
            data, result or (STORED[float64] if STORED[float64] in kinds else np.asarray(data).dtype)
        )

    return apply


def _real_or_integer(real: Callable[..., Array], integer: Callable[..., Any]) -> Callable[..., Array]:
    def apply(*args: Any) -> Array:
        if builtins.any(isinstance(a, float) or (isinstance(a, Array) and a.dtype is float64) for a in args):
            return real(*args)
        return _by_numpy(integer)(*args)

    return apply


exp, expm1, log, log1p = map(_unary, (scalars.exp, scalars.expm1, scalars.log, scalars.log1p))
log2, log10, sqrt = map(_unary, (scalars.log2, scalars.log10, scalars.sqrt))
sin, cos, tan, asin, acos, atan = map(
    _unary, (scalars.sin, scalars.cos, scalars.tan, scalars.asin, scalars.acos, scalars.atan)
)
sinh, cosh, tanh = map(_unary, (scalars.sinh, scalars.cosh, scalars.tanh))
asinh, acosh, atanh = map(_unary, (scalars.asinh, scalars.acosh, scalars.atanh))
erf, erfc, square = _unary(scalars.erf), _unary(scalars.erfc), _unary(lambda x: x * x)
reciprocal = _unary(lambda x: scalars.divide(1, x))
floor = _real_or_integer(_unary(scalars.floor), np.positive)
ceil = _real_or_integer(_unary(scalars.ceil), np.positive)
trunc = _real_or_integer(_unary(scalars.trunc), np.positive)
round = _real_or_integer(_unary(scalars.rint), np.positive)  # noqa: A001
sign = _real_or_integer(_unary(scalars.sign), np.sign)
divide, hypot, atan2 = _binary(scalars.divide), _binary(scalars.hypot), _binary(scalars.atan2)
logaddexp, copysign = _binary(scalars.logaddexp), _binary(scalars.copysign)
pow = _real_or_integer(_binary(scalars.power), np.power)  # noqa: A001
floor_divide = _real_or_integer(_binary(scalars.floor_divide), np.floor_divide)
remainder = _real_or_integer(_binary(scalars.remainder), np.remainder)
maximum = _real_or_integer(_binary(scalars.maximum), np.maximum)
minimum = _real_or_integer(_binary(scalars.minimum), np.minimum)
add, subtract, multiply = map(_by_numpy, (np.add, np.subtract, np.multiply))
negative, abs = _by_numpy(np.negative), _by_numpy(np.abs)  # noqa: A001
bitwise_and, bitwise_or, bitwise_xor = map(_by_numpy, (np.bitwise_and, np.bitwise_or, np.bitwise_xor))
bitwise_left_shift, bitwise_right_shift = _by_numpy(np.left_shift), _by_numpy(np.right_shift)
bitwise_invert = _by_numpy(np.invert)

_BOOL: np.dtype = np.dtype(builtins.bool)
equal, not_equal, less, less_equal, greater, greater_equal = (
    _by_numpy(f, _BOOL)
    for f in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
)
logical_and, logical_or, logical_xor, logical_not = (
    _by_numpy(f, _BOOL) for f in (np.logical_and, np.logical_or, np.logical_xor, np.logical_not)
)


def positive(x: Array, /) -> Array:
    return x


conj = real = positive


def isnan(x: Array, /) -> Array:
    return not_equal(x, x)


def isinf(x: Array, /) -> Array:
    return equal(abs(x), inf) if x.dtype is float64 else zeros_like(x, dtype=bool)


def isfinite(x: Array, /) -> Array:
    return logical_not(logical_or(isnan(x), isinf(x)))


def signbit(x: Array, /) -> Array:
    return less(x, 0)


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:  # noqa: A002
    if min is not None:
        x = maximum(x, min)
    return x if max is None else minimum(x, max)


def where(condition: Array, x: Any, y: Any, /) -> Array:
    return _array(np.where(condition.data, unwrap(x), unwrap(y)))


# ---- reductions ----


def _reduction(real_ufunc: Any, integer: Callable[..., Any], initial: Any = None) -> Callable[..., Array]:
    def reduce(
        x: Array, /, *, axis: Axis = None, keepdims: builtins.bool = False, dtype: DType | None = None
    ) -> Array:
        if dtype is not None:
            x = astype(x, dtype)
        if x.dtype is not float64:
            data = integer(x.data, axis=axis, keepdims=keepdims)
            return Array(data) if isinstance(data, np.ndarray) else _array(data, np.asarray(data).dtype)
        start = {} if initial is None else {"initial": initial}
        return _array(real_ufunc.reduce(x.data, axis=axis, keepdims=keepdims, **start))

    return reduce


sum = _reduction(np.add, np.sum, mpf(0))  # noqa: A001
prod = _reduction(np.multiply, np.prod, mpf(1))
max = _reduction(np.frompyfunc(scalars.maximum, 2, 1, identity=None), np.max)  # noqa: A001
min = _reduction(np.frompyfunc(scalars.minimum, 2, 1, identity=None), np.min)  # noqa: A001
_all, _any = (_reduction(None, f) for f in (np.all, np.any))


def all(x: Array, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Array:  # noqa: A001
    return _all(astype(x, bool), axis=axis, keepdims=keepdims)


def any(x: Array, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Array:  # noqa: A001
    return _any(astype(x, bool), axis=axis, keepdims=keepdims)


def _count(x: Array, axis: Axis) -> int:
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return math.prod(x.shape[a] for a in axes)


def mean(x: Array, /, *, axis: Axis = None, keepdims: builtins.bool = False) -> Array:
    return divide(sum(x, axis=axis, keepdims=keepdims), _count(x, axis))


def var(x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: builtins.bool = False) -> Array:
    centred = subtract(x, mean(x, axis=axis, keepdims=True))
    return divide(sum(square(centred), axis=axis, keepdims=keepdims), _count(x, axis) - correction)


def std(x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: builtins.bool = False) -> Array:
    return sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def argmax(x: Array, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> Array:
    return _array(np.argmax(x.data, axis=axis, keepdims=keepdims), STORED[int64])


def argmin(x: Array, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> Array:
    return _array(np.argmin(x.data, axis=axis, keepdims=keepdims), STORED[int64])


def cumulative_sum(
    x: Array,
    /,
    *,
    axis: int | None = None,
    dtype: DType | None = None,
    include_initial: builtins.bool = False,
) -> Array:
    return _running(np.add, zeros, x if dtype is None else astype(x, dtype), axis or 0, include_initial)


def cumulative_prod(
    x: Array,
    /,
    *,
    axis: int | None = None,
    dtype: DType | None = None,
    include_initial: builtins.bool = False,
) -> Array:
    return _running(np.multiply, ones, x if dtype is None else astype(x, dtype), axis or 0, include_initial)


def _running(
    ufunc: np.ufunc, first: Callable[..., Array], x: Array, axis: int, include_initial: builtins.bool
) -> Array:
    total = Array(ufunc.accumulate(x.data, axis=axis))
    if not include_initial:
        return total
    shape = tuple(1 if i == axis % x.ndim else n for i, n in enumerate(x.shape))
    return concat([first(shape, dtype=total.dtype), total], axis=axis)


# ---- shapes, selection, order ----


def _moved(function: Callable[..., Any]) -> Callable[..., Array]:
    def apply(x: Array, /, *args: Any, **kwargs: Any) -> Array:
        return Array(function(x.data, *args, **kwargs))

    return apply


squeeze, expand_dims, flip, roll, permute_dims, moveaxis, broadcast_to, tile = (
    _moved(getattr(np, name))
    for name in ("squeeze", "expand_dims", "flip", "roll", "transpose", "moveaxis", "broadcast_to", "tile")
)


def tril(x: Array, /, *, k: int = 0) -> Array:
    rows, columns = x.shape[-2:]
    return where(Array(np.tri(rows, columns, k, dtype=builtins.bool)), x, zeros_like(x))


def triu(x: Array, /, *, k: int = 0) -> Array:
    return subtract(x, tril(x, k=k - 1))


def reshape(x: Array, /, shape: tuple[int, ...], *, copy: builtins.bool | None = None) -> Array:
    return Array(np.reshape(x.data, shape))


def repeat(x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    return Array(np.repeat(x.data, unwrap(repeats), axis=axis))


def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
    return Array(np.concatenate([a.data for a in arrays], axis=axis))


def stack(arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
    return Array(np.stack([a.data for a in arrays], axis=axis))


def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    return tuple(_array(part, x.data.dtype) for part in np.moveaxis(x.data, axis, 0))


def broadcast_arrays(*arrays: Array) -> tuple[Array, ...]:
    return tuple(map(Array, np.broadcast_arrays(*(a.data for a in arrays))))


def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    return Array(np.take(x.data, indices.data, axis=axis))


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    return Array(np.take_along_axis(x.data, indices.data, axis=axis))


def argsort(
    x: Array, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True
) -> Array:
    order = np.argsort(-x.data if descending else x.data, axis=axis, kind="stable")
    return Array(order.astype(np.int64))


def sort(
    x: Array, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True
) -> Array:
    return take_along_axis(x, argsort(x, axis=axis, descending=descending), axis=axis)


# ---- creation and dtypes ----


def asarray(
    obj: Any, /, *, dtype: DType | None = None, device: Any = None, copy: builtins.bool | None = None
) -> Array:
    if isinstance(obj, Array):
        return obj if dtype is None else astype(obj, dtype)
    host = np.asarray(obj)
    if dtype is None:
        dtype = {"b": bool, "i": int64, "u": int64}.get(host.dtype.kind, float64)
        dtype = int32 if host.dtype == np.int32 else dtype
    return Array(exact(host) if dtype is float64 else host.astype(STORED[dtype]))


def full(shape: Any, fill_value: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    value = asarray(_item(fill_value), dtype=dtype)
    return Array(np.broadcast_to(value.data, shape).copy())


def _item(x: Any) -> Any:
    return x.data[()] if isinstance(x, Array) else x


def zeros(shape: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(shape, 0, dtype=dtype or float64)


def ones(shape: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(shape, 1, dtype=dtype or float64)


def full_like(x: Array, /, fill_value: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(x.shape, fill_value, dtype=dtype or x.dtype)


def zeros_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(x.shape, 0, dtype=dtype or x.dtype)


def ones_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    return full(x.shape, 1, dtype=dtype or x.dtype)


empty, empty_like = zeros, zeros_like


def arange(
    start: Any, /, stop: Any = None, step: Any = 1, *, dtype: DType | None = None, device: Any = None
) -> Array:
    return asarray(np.arange(*((start,) if stop is None else (start, stop, step))), dtype=dtype)


def eye(
    n: int, m: int | None = None, /, *, k: int = 0, dtype: DType | None = None, device: Any = None
) -> Array:
    return asarray(np.eye(n, m, k=k), dtype=dtype)


def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: DType | None = None,
    device: Any = None,
    endpoint: builtins.bool = True,
) -> Array:
    step = divide(asarray(stop - start), builtins.max(num - endpoint, 1))
    return add(multiply(arange(num, dtype=float64), step), start)


def astype(x: Array, dtype: DType, /, *, copy: builtins.bool = True, device: Any = None) -> Array:
    if x.dtype is dtype:
        return x
    return Array(exact(x.data) if dtype is float64 else x.data.astype(STORED[dtype]))


def isdtype(dtype: DType, kind: Any) -> builtins.bool:
    if isinstance(kind, tuple):
        return builtins.any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, DType):
        return dtype == kind
    members = {"numeric": ("real floating", "signed integer"), "integral": ("signed integer",)}
    return dtype.kind in members.get(kind, (kind,))


class _Limits(NamedTuple):
    bits: int
    eps: Any
    max: Any
    min: Any
    smallest_normal: Any
    dtype: DType


def finfo(type: Any, /) -> _Limits:  # noqa: A002
    """The precision in force; ``bits`` is that of the dtype's name, since code branches on it."""
    return _Limits(64, mpf(2) ** (1 - context.prec), inf, -inf, mpf(10) ** -1000, float64)


_OPERATORS = {
    "add": add, "sub": subtract, "mul": multiply, "truediv": divide, "floordiv": floor_divide,
    "mod": remainder, "pow": pow, "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
    "lshift": bitwise_left_shift, "rshift": bitwise_right_shift, "matmul": matmul,
}  # fmt: skip
_COMPARISONS = {
    "eq": equal, "ne": not_equal, "lt": less, "le": less_equal, "gt": greater, "ge": greater_equal,
}  # fmt: skip


def _method(function: Callable[..., Array], reflected: builtins.bool = False) -> Callable[..., Any]:
    def method(self: Array, other: Any, /) -> Any:
        if not isinstance(other, (Array, int, float, mpf)):
            return NotImplemented
        return function(other, self) if reflected else function(self, other)

    return method


def _of_self(self: Array, function: Callable[[Array], Array]) -> Array:
    return function(self)


for _symbol, _function in {**_OPERATORS, **_COMPARISONS}.items():
    setattr(Array, f"__{_symbol}__", _method(_function))
for _symbol, _function in _OPERATORS.items():
    setattr(Array, f"__r{_symbol}__", _method(_function, reflected=True))
for _symbol, _unary_function in {
    "neg": negative,
    "pos": positive,
    "abs": abs,
    "invert": bitwise_invert,
}.items():
    setattr(Array, f"__{_symbol}__", functools.partialmethod(_of_self, _unary_function))
