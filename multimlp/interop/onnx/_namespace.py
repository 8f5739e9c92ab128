"""The functions of the array API standard on values of an ONNX graph, as far as ONNX has them or they can be made of what it has."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from multimlp.backend import Array, Backend
from multimlp.errors import CapabilityError
from multimlp.interop.onnx._values import (
    KINDS,
    Shape,
    Value,
    broadcast,
    constant,
    elementwise,
    made,
    together,
)

# ---- each number by itself -------------------------------------------------------------------------------------------


def _of_one(operator: str) -> Callable[[Array], Array]:
    return lambda x: elementwise(operator, [x])


def _of_two(operator: str, dtype: Any = None) -> Callable[[Any, Any], Array]:
    return lambda a, b: elementwise(operator, together(a, b), dtype)


def _scaling(operator: str) -> Callable[[Any, Any], Array]:
    """A product or a quotient. onnxruntime makes one operator of a product of matrices and a number before or behind it, and keeps the
    number in 32 bits; in float64 two changes of sign, which are exact, stand between them."""

    def scale(a: Any, b: Any) -> Array:
        a, b = together(a, b)
        numbers = [x.fill is not None or math.prod(n or 2 for n in x.shape) == 1 for x in (a, b)]
        if a.dtype != np.float64 or not any(numbers):
            return elementwise(operator, [a, b])
        pair = [elementwise("Neg", [a]), b] if numbers[1] else [a, elementwise("Neg", [b])]
        return elementwise("Neg", [elementwise(operator, pair)])

    return scale


ONE = {
    "abs": "Abs", "acos": "Acos", "asin": "Asin", "atan": "Atan", "ceil": "Ceil", "cos": "Cos", "exp": "Exp", "floor": "Floor",
    "log": "Log", "logical_not": "Not", "negative": "Neg", "round": "Round", "sign": "Sign", "sin": "Sin", "sqrt": "Sqrt", "tan": "Tan",
    "tanh": "Tanh",
}  # fmt: skip
TWO = {
    "add": "Add", "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor", "maximum": "Max", "minimum": "Min",
    "pow": "Pow", "subtract": "Sub",
}  # fmt: skip
SCALING = {"divide": "Div", "multiply": "Mul"}
ORDER = {
    "equal": "Equal",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "less": "Less",
    "less_equal": "LessOrEqual",
}
"""Functions of the standard by ONNX's operators, which agree with them."""

xp: Any = SimpleNamespace(
    **{name: _of_one(own) for name, own in ONE.items()},
    **{name: _of_two(own) for name, own in TWO.items()},
    **{name: _scaling(own) for name, own in SCALING.items()},
    **{name: _of_two(own, np.bool_) for name, own in ORDER.items()},
    **{name: np.dtype(name) for name in KINDS if name not in ("bool", "object")},
    bool=np.dtype(np.bool_),
    pi=math.pi,
    e=math.e,
    inf=math.inf,
    nan=math.nan,
    isdtype=lambda dtype, kind: np.isdtype(dtype, kind),
    finfo=lambda dtype: np.finfo(getattr(dtype, "dtype", dtype)),
)
"""The namespace."""


def _function(function: Any) -> Any:
    setattr(xp, function.__name__.removesuffix("_"), function)
    return function


@_function
def not_equal(a: Any, b: Any) -> Array:
    return xp.logical_not(xp.equal(a, b))


@_function
def where(condition: Array, a: Any, b: Any) -> Array:
    one, other = together(a, b)
    return elementwise("Where", [condition, one, other], one.dtype)


@_function
def isnan(x: Array) -> Array:
    return elementwise("IsNaN", [x], np.bool_)


@_function
def isinf(x: Array) -> Array:
    return xp.equal(xp.abs(x), math.inf)


@_function
def isfinite(x: Array) -> Array:
    return xp.less(xp.abs(x), math.inf)


@_function
def positive(x: Array) -> Array:
    return x


@_function
def square(x: Array) -> Array:
    return xp.multiply(x, x)


@_function
def reciprocal(x: Array) -> Array:
    return xp.divide(1.0, x)


@_function
def expm1(x: Array) -> Array:
    """Near 0 by way of the logarithm, which takes back the rounding of exp (W. Kahan)."""
    power = xp.exp(x)
    small = (power - 1.0) * x / xp.log(where(xp.equal(power, 1.0), 2.0, power))
    near = xp.logical_and(xp.less(xp.abs(x), 1.0), not_equal(power, 1.0))
    return where(near, small, where(xp.equal(power, 1.0), x, power - 1.0))


@_function
def log1p(x: Array) -> Array:
    """As `expm1`, the other way round."""
    more = x + 1.0
    below = where(xp.equal(more, 1.0), 1.0, more - 1.0)
    near = xp.logical_and(xp.less(xp.abs(x), 1.0), not_equal(more, 1.0))
    return where(near, xp.log(more) * x / below, where(xp.equal(more, 1.0), x, xp.log(more)))


@_function
def hypot(a: Array, b: Array) -> Array:
    """Without squares of large numbers."""
    a, b = xp.abs(a), xp.abs(b)
    large = xp.maximum(a, b)
    share = xp.minimum(a, b) / where(xp.equal(large, 0.0), 1.0, large)
    return large * xp.sqrt(share * share + 1.0)


@_function
def logaddexp(a: Array, b: Array) -> Array:
    return xp.maximum(a, b) + log1p(xp.exp(-xp.abs(a - b)))


@_function
def clip(x: Array, min: Any = None, max: Any = None) -> Array:  # noqa: A002 - the names of the standard
    x = x if min is None else xp.maximum(x, min)
    return x if max is None else xp.minimum(x, max)


@_function
def astype(x: Array, dtype: Any, *, copy: bool = True, device: Any = None) -> Array:
    dtype = np.dtype(dtype)
    if dtype == x.dtype:
        return x
    return made("Cast", [x.laid_out], dtype, x.shape, to=KINDS[dtype.name])


# ---- making ----------------------------------------------------------------------------------------------------------


@_function
def asarray(values: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Array:
    if isinstance(values, Value):
        return values if dtype is None else astype(values, dtype)
    return constant(values, dtype)


@_function
def full_like(x: Array, value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    return Value(x.name, x.dtype if dtype is None else dtype, x.shape, value)


@_function
def zeros_like(x: Array, *, dtype: Any = None, device: Any = None) -> Array:
    return full_like(x, 0, dtype=dtype)


@_function
def ones_like(x: Array, *, dtype: Any = None, device: Any = None) -> Array:
    return full_like(x, 1, dtype=dtype)


@_function
def arange(*ends: Any, dtype: Any = None, device: Any = None) -> Array:
    return constant(np.arange(*ends, dtype=dtype))


# ---- shapes ----------------------------------------------------------------------------------------------------------


def _numbers(values: Sequence[int]) -> str:
    return constant(list(values), "int64").name


def _axes(axis: Any, ndim: int) -> list[int]:
    given = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return sorted(a % ndim for a in given)


@_function
def reshape(x: Array, shape: Sequence[int | None], *, copy: bool | None = None) -> Array:
    wanted = [-1 if n is None else n for n in shape]
    if wanted.count(-1) > 1:
        raise CapabilityError(f"ONNX: a shape with two unknown lengths, {tuple(shape)}, cannot be recorded")
    known = math.prod(n for n in wanted if n != -1)
    lengths = None if None in x.shape else math.prod(n for n in x.shape if n is not None)
    found = tuple((lengths // known if lengths is not None else None) if n == -1 else n for n in wanted)
    return made("Reshape", [x.laid_out, _numbers(wanted)], x.dtype, found)


@_function
def expand_dims(x: Array, *, axis: int = 0) -> Array:
    place = axis % (x.ndim + 1)
    shape = (*x.shape[:place], 1, *x.shape[place:])
    return made("Unsqueeze", [x.laid_out, _numbers([place])], x.dtype, shape)


@_function
def squeeze(x: Array, axis: Any) -> Array:
    gone = _axes(axis, x.ndim)
    shape = tuple(n for i, n in enumerate(x.shape) if i not in gone)
    return made("Squeeze", [x.laid_out, _numbers(gone)], x.dtype, shape)


@_function
def permute_dims(x: Array, axes: Sequence[int]) -> Array:
    return made("Transpose", [x.laid_out], x.dtype, tuple(x.shape[a] for a in axes), perm=list(axes))


@_function
def moveaxis(x: Array, source: int, destination: int) -> Array:
    axes = [a for a in range(x.ndim) if a != source % x.ndim]
    axes.insert(destination % x.ndim, source % x.ndim)
    return permute_dims(x, axes)


@_function
def broadcast_to(x: Array, shape: Sequence[int | None]) -> Array:
    found = broadcast(x.shape, tuple(shape))
    return made("Expand", [x.laid_out, _numbers([1 if n is None else n for n in shape])], x.dtype, found)


@_function
def concat(arrays: Sequence[Array], *, axis: int = 0) -> Array:
    if len(arrays) == 1:
        return arrays[0]
    place = axis % arrays[0].ndim
    lengths = [x.shape[place] for x in arrays]
    total = None if None in lengths else sum(n for n in lengths if n is not None)
    rest = broadcast(*((*x.shape[:place], 1, *x.shape[place + 1 :]) for x in arrays))
    names = [x.laid_out for x in together(*arrays)]
    return made("Concat", names, arrays[0].dtype, (*rest[:place], total, *rest[place + 1 :]), axis=place)


@_function
def stack(arrays: Sequence[Array], *, axis: int = 0) -> Array:
    return concat([expand_dims(x, axis=axis) for x in arrays], axis=axis)


@_function
def take(x: Array, indices: Array, *, axis: int | None = None) -> Array:
    place = (0 if axis is None else axis) % x.ndim
    shape = (*x.shape[:place], *indices.shape, *x.shape[place + 1 :])
    return made("Gather", [x.laid_out, indices.laid_out], x.dtype, shape, axis=place)


# ---- many numbers to one ---------------------------------------------------------------------------------------------


def _reduced(operator: str) -> Callable[..., Array]:
    def reduce(x: Array, *, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Array:
        x = x if dtype is None else astype(x, dtype)
        gone = _axes(axis, x.ndim)
        shape: Shape = tuple(
            1 if i in gone else n for i, n in enumerate(x.shape) if keepdims or i not in gone
        )
        return made(operator, [x.laid_out, _numbers(gone)], x.dtype, shape, keepdims=int(keepdims))

    return reduce


xp.sum, xp.mean, xp.prod = _reduced("ReduceSum"), _reduced("ReduceMean"), _reduced("ReduceProd")
xp.max, xp.min = _reduced("ReduceMax"), _reduced("ReduceMin")


@_function
def argmax(x: Array, *, axis: int, keepdims: bool = False) -> Array:
    (place,) = _axes(axis, x.ndim)
    shape: Shape = tuple(1 if i == place else n for i, n in enumerate(x.shape) if keepdims or i != place)
    return made("ArgMax", [x.laid_out], np.int64, shape, axis=place, keepdims=int(keepdims))


@_function
def sort(x: Array, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    (place,) = _axes(axis, x.ndim)
    length = x.shape[place]
    if length is None:
        raise CapabilityError("ONNX: the order of the rows cannot be recorded")
    return made(
        "TopK",
        [x.laid_out, _numbers([length])],
        x.dtype,
        x.shape,
        outputs=2,
        axis=place,
        largest=int(descending),
    )


@_function
def matmul(a: Array, b: Array) -> Array:
    a, b = together(a, b)
    if a.ndim < 2 or b.ndim < 2:
        raise CapabilityError("ONNX: products of vectors cannot be recorded; give them a second axis")
    lead = broadcast(a.shape[:-2], b.shape[:-2])
    broadcast((a.shape[-1],), (b.shape[-2],))
    return made("MatMul", [a.laid_out, b.laid_out], a.dtype, (*lead, a.shape[-2], b.shape[-1]))


# ---- whose arrays they are -------------------------------------------------------------------------------------------


class _Recorder(Backend):
    """The owner of values, for code that asks whose an array is. No one can select it."""

    name = "onnx graph"
    xp = xp
    module = "multimlp"

    def is_array_type(self, cls: type) -> bool:
        return issubclass(cls, Value)

    def dtype(self, name: str) -> Any:
        return np.dtype(name)

    def asarray(self, x: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        return asarray(x, dtype=dtype)


Value.__multimlp_backend__, Value.functions = _Recorder(), xp

_OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "pow", "matmul": "matmul", "and": "logical_and",
    "or": "logical_or", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
}  # fmt: skip
for _name, _own in _OPERATORS.items():
    _call = getattr(xp, _own)
    setattr(Value, f"__{_name}__", lambda a, b, _call=_call: _call(a, b))
    if hasattr(operator, f"__i{_name}__"):
        setattr(Value, f"__r{_name}__", lambda a, b, _call=_call: _call(b, a))
for _name, _own in {"neg": "negative", "abs": "abs", "invert": "logical_not"}.items():
    setattr(Value, f"__{_name}__", lambda a, _own=_own: getattr(xp, _own)(a))
