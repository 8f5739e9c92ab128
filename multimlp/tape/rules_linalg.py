"""Derivative rules of products, norms, and what is composed of them; the decompositions are in
``rules_decompositions.py``.

``vector_norm`` and the Frobenius norm have derivative 0 where they are 0, like ``abs``. ``det`` needs an
invertible matrix for its derivative; ``pinv`` a constant rank (Golub and Pereyra, 1973).
"""

from __future__ import annotations

import math
import operator
from typing import Any

from multimlp._typing import Array, Namespace
from multimlp.errors import InputError, ShapeError
from multimlp.tape._array import any_wrapped, device_of
from multimlp.tape.core import raw
from multimlp.tape.recording import check_real, composed, parametric, pointwise
from multimlp.tape.rules_reductions import axes_of, restore_axes
from multimlp.tape.source import Maker, Source


def _matmul_left(xp: Namespace, g: Array, _y: Array, a: Array, b: Array) -> Array:
    if len(b.shape) == 1:
        return (g if len(a.shape) == 1 else g[..., None]) * b
    if len(a.shape) == 1:
        return xp.matmul(b, g) if len(b.shape) == 2 else xp.matmul(b, g[..., None])[..., 0]
    return xp.matmul(g, xp.matrix_transpose(b))


def _matmul_right(xp: Namespace, g: Array, _y: Array, a: Array, b: Array) -> Array:
    if len(a.shape) == 1:
        return a * g if len(b.shape) == 1 else a[:, None] * g[..., None, :]
    if len(b.shape) == 1:
        t = xp.matrix_transpose(a)
        return xp.matmul(t, g) if len(a.shape) == 2 else xp.matmul(t, g[..., None])[..., 0]
    if len(b.shape) == 2 and len(a.shape) > 2:  # one product over the whole batch
        rows = math.prod(a.shape[:-1])
        a, g = xp.reshape(a, (rows, a.shape[-1])), xp.reshape(g, (rows, g.shape[-1]))
    return xp.matmul(xp.matrix_transpose(a), g)


def _matrix_transpose(xp: Namespace, g: Array, _y: Array, _x: Array) -> Array:
    return xp.matrix_transpose(g)


def _vecdot(xp: Namespace, a: Array, b: Array, axis: int = -1) -> Array:
    if a.shape[axis] != b.shape[axis]:
        raise ShapeError(
            f"vecdot: axis {axis} of the shapes {a.shape} and {b.shape} must have the same length"
        )
    is_complex = xp.isdtype(a.dtype, "complex floating")
    if not is_complex and type(a) is type(b) is xp.batched and a.level == b.level and a.shape == b.shape:
        return xp.batched(xp.vecdot(a.value, b.value, axis=axis % a.ndim + 1), a.level)
    return xp.sum(xp.multiply(xp.conj(a) if is_complex else a, b), axis=axis)


def _tensordot(xp: Namespace, a: Array, b: Array, axes: Any = 2) -> Array:
    if isinstance(axes, int):
        left, right = tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes))
    else:
        left, right = (axes_of(x, axis) for x, axis in zip((a, b), axes, strict=True))
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ShapeError(f"tensordot: the axes {axes} of the shapes {a.shape} and {b.shape} do not match")
    rows = tuple(i for i in range(a.ndim) if i not in left)
    columns = tuple(i for i in range(b.ndim) if i not in right)
    inner = math.prod(a.shape[i] for i in left)
    row_shape, column_shape = tuple(a.shape[i] for i in rows), tuple(b.shape[i] for i in columns)
    a = xp.reshape(xp.permute_dims(a, rows + left), (math.prod(row_shape), inner))
    b = xp.reshape(xp.permute_dims(b, right + columns), (inner, math.prod(column_shape)))
    return xp.reshape(xp.matmul(a, b), row_shape + column_shape)


def _outer(xp: Namespace, a: Array, b: Array) -> Array:
    if len(a.shape) != 1 or len(b.shape) != 1:
        raise ShapeError(f"outer: expected two vectors, got arrays of shapes {a.shape} and {b.shape}")
    return xp.multiply(xp.reshape(a, (-1, 1)), b)


def _cross(xp: Namespace, a: Array, b: Array, axis: int = -1) -> Array:
    def minor(i: int, j: int) -> Array:
        return xp.subtract(xp.multiply(left[i], right[j]), xp.multiply(left[j], right[i]))

    if a.shape[axis] != 3 or b.shape[axis] != 3:
        raise ShapeError(
            f"cross: axis {axis} must have 3 elements, the arrays have the shapes {a.shape} and {b.shape}"
        )
    left, right = xp.unstack(a, axis=axis), xp.unstack(b, axis=axis)
    return xp.stack([minor(1, 2), minor(2, 0), minor(0, 1)], axis=axis)


def _diagonal(xp: Namespace, x: Array, offset: int = 0) -> Array:
    rows, columns = x.shape[-2:]
    first = offset if offset >= 0 else -offset * columns
    length = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    places = first + (columns + 1) * xp.arange(length, device=device_of(x))
    return xp.take(xp.reshape(x, (*x.shape[:-2], rows * columns)), places, axis=-1)


def _trace(xp: Namespace, x: Array, offset: int = 0, dtype: Any = None) -> Array:
    return xp.sum(xp.linalg.diagonal(x, offset=offset), axis=-1, dtype=dtype)


def _matrix_power(xp: Namespace, x: Array, n: int) -> Array:
    n = operator.index(n)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"matrix_power: expected square matrices, got an array of shape {x.shape}")
    return _power(xp, xp.linalg.inv(x), -n) if n < 0 else _power(xp, x, n)


def _power(xp: Namespace, x: Array, n: int) -> Array:
    if n == 0:
        return xp.broadcast_to(xp.eye(x.shape[-1], dtype=x.dtype, device=device_of(x)), x.shape)
    if n == 1:
        return x
    half = _power(xp, x, n // 2)
    square = xp.matmul(half, half)
    return xp.matmul(square, x) if n % 2 else square


def _inv(xp: Namespace, g: Array, y: Array, _x: Array) -> Array:
    t = xp.matrix_transpose(y)
    return -xp.matmul(t, xp.matmul(g, t))


def _det(xp: Namespace, g: Array, y: Array, x: Array) -> Array:
    return (g * y)[..., None, None] * xp.matrix_transpose(xp.linalg.inv(x))


def _solve_right(xp: Namespace, g: Array, y: Array, a: Array, b: Array) -> Array:
    return xp.linalg.solve(xp.matrix_transpose(a), g)


def _solve_left(xp: Namespace, g: Array, y: Array, a: Array, b: Array) -> Array:
    g = _solve_right(xp, g, y, a, b)
    if len(b.shape) == 1:
        return -g[..., :, None] * y[..., None, :]
    return -xp.matmul(g, xp.matrix_transpose(y))


def _solve_maker(source: Source, xp: Any) -> Any:
    """The maker of solve: a vector on the right of a stack of matrices is a matrix of one column, since solutions, cotangents and
    tangents are a stack of vectors, which would be taken for one matrix."""
    record = pointwise(_solve_left, _solve_right)(source, xp)

    def solve(a: Any, b: Any, /) -> Any:
        if len(b.shape) == 1 and len(a.shape) > 2 and any_wrapped((a, b)):
            return record(a, xp.expand_dims(b, axis=1))[..., 0]
        return record(a, b)

    return solve


def _pinv(xp: Namespace, g: Array, y: Array, x: Array, rtol: Any = None) -> Array:
    check_real(xp, "linalg.pinv", x)
    t, h = xp.matrix_transpose(y), xp.matrix_transpose(g)
    outer = -xp.matmul(t, xp.matmul(g, t))
    left = xp.matmul(xp.matmul(h, y), t)
    right = xp.matmul(t, xp.matmul(y, h))
    return outer + (left - xp.matmul(x, xp.matmul(y, left))) + (right - xp.matmul(right, xp.matmul(y, x)))


def _pinv_maker(source: Source, xp: Any) -> Any:
    """The maker of pinv: the tolerance decides the rank, no number of the result."""
    record = parametric(_pinv)(source, xp)

    def pinv(x: Any, /, *, rtol: Any = None) -> Any:
        return record(x) if rtol is None else record(x, rtol=raw(rtol))

    return pinv


def _power_norm(
    xp: Namespace,
    g: Array,
    y: Array,
    x: Array,
    axis: Any = None,
    keepdims: bool = False,
    ord: Any = 2,  # noqa: A002
) -> Array:
    check_real(xp, "linalg.vector_norm", x)
    g, y = restore_axes(xp, g, x, axis), restore_axes(xp, y, x, axis)
    origin = y == 0
    unit = x / xp.where(origin, xp.ones_like(y), y)
    slope = unit if ord == 2 else xp.abs(unit) ** float(ord - 1) * xp.sign(x)
    return xp.where(origin, xp.zeros_like(x), g * slope)


def _vector_norm(source: Source, xp: Any) -> Any:
    """The maker of vector_norm: the orders 0 and ±inf are other functions in disguise."""
    record = parametric(_power_norm)(source, xp)
    differentiated = xp.differentiated

    def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:  # noqa: A002
        if type(x) in differentiated:
            if ord == math.inf:
                return xp.max(xp.abs(x), axis=axis, keepdims=keepdims)
            if ord == -math.inf:
                return xp.min(xp.abs(x), axis=axis, keepdims=keepdims)
            if ord == 0:
                return xp.sum(xp.astype(x != 0, x.dtype), axis=axis, keepdims=keepdims)
        return record(x, axis=axis, keepdims=keepdims, ord=ord)

    return vector_norm


def _matrix_norm(xp: Namespace, x: Array, keepdims: bool = False, ord: Any = "fro") -> Array:  # noqa: A002
    if ord == "fro":
        return xp.linalg.vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord in ("nuc", 2, -2):
        s = xp.linalg.svdvals(x)
        norm = xp.sum(s, axis=-1) if ord == "nuc" else s[..., 0] if ord == 2 else s[..., -1]
    elif ord in (1, -1, math.inf, -math.inf):
        sums = xp.sum(xp.abs(x), axis=-2 if abs(ord) == 1 else -1)
        norm = (xp.max if ord > 0 else xp.min)(sums, axis=-1)
    else:
        raise InputError(f"matrix_norm: ord is {ord!r}; expected 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    return norm[..., None, None] if keepdims else norm


_matmul = pointwise(_matmul_left, _matmul_right)
_transpose = pointwise(_matrix_transpose)

RULES: dict[str, Maker] = {
    "matmul": _matmul,
    "linalg.matmul": _matmul,
    "matrix_transpose": _transpose,
    "linalg.matrix_transpose": _transpose,
    "vecdot": composed(_vecdot),
    "linalg.vecdot": composed(_vecdot),
    "tensordot": composed(_tensordot),
    "linalg.tensordot": composed(_tensordot),
    "linalg.outer": composed(_outer),
    "linalg.cross": composed(_cross),
    "linalg.diagonal": composed(_diagonal),
    "linalg.trace": composed(_trace),
    "linalg.matrix_power": composed(_matrix_power),
    "linalg.inv": pointwise(_inv),
    "linalg.det": pointwise(_det),
    "linalg.solve": _solve_maker,
    "linalg.pinv": _pinv_maker,
    "linalg.vector_norm": _vector_norm,
    "linalg.matrix_norm": composed(_matrix_norm),
}
