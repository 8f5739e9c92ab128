"""NumPy's element-wise functions, by the standard's names or defined by them, and the rest that fits no other table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from multimlp._typing import Array, Namespace
from multimlp.errors import InputError
from multimlp.tape.core import raw
from multimlp.tape.numpy.shapes import Definition, arrays_of
from multimlp.tape.rules_manipulation import check_axis

_SAME = """
    add bitwise_and bitwise_or bitwise_xor ceil copysign cos cosh divide equal exp expm1 floor floor_divide greater
    greater_equal hypot isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp logical_and logical_not logical_or
    logical_xor matmul maximum minimum multiply negative nextafter not_equal positive reciprocal remainder sign signbit sin sinh
    sqrt square subtract tan tanh trunc vecdot
"""
STANDARD = {
    **{name: name for name in _SAME.split()},
    "absolute": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan", "arctan2": "atan2",
    "arctanh": "atanh", "conjugate": "conj", "fabs": "abs", "invert": "bitwise_invert", "left_shift": "bitwise_left_shift",
    "power": "pow", "right_shift": "bitwise_right_shift", "rint": "round",
}  # fmt: skip
"""What a ufunc of NumPy's is called in the standard."""

_LN2 = math.log(2.0)


def beside(xp: Namespace, x1: Any, x2: Any) -> tuple[Array, Array]:
    """Both as arrays; a number is one of the other's dtype, as NumPy's ufuncs take it."""
    if isinstance(x1, (bool, int, float)) and hasattr(x2, "dtype"):
        return xp.full_like(raw(x2), x1), x2
    if isinstance(x2, (bool, int, float)) and hasattr(x1, "dtype"):
        return x1, xp.full_like(raw(x1), x2)
    x1, x2 = arrays_of(xp, (x1, x2))
    return x1, x2


def _heaviside(xp: Namespace, x1: Array, x2: Any) -> Array:
    (x1,) = arrays_of(xp, (x1,))
    step = xp.where(x1 == 0, x2, xp.astype(x1 > 0, x1.dtype))
    return xp.where(xp.isnan(x1), raw(x1), step)


def _cbrt(xp: Namespace, x: Array) -> Array:
    """Either side by itself, so that the slope at 0 is infinite, not 0 times infinity."""
    below, zero = xp.signbit(x), xp.zeros_like(x)
    right = xp.pow(xp.where(below, zero + 1.0, x), 1.0 / 3.0)
    return xp.where(below, -xp.pow(xp.where(below, -x, zero + 1.0), 1.0 / 3.0), right)


def _float_power(xp: Namespace, x1: Any, x2: Any) -> Array:
    """In float64 at least, as NumPy has it."""
    wide = (
        xp.astype(x, xp.float64) if hasattr(x, "dtype") and x.dtype in (xp.float32, np.float16) else x
        for x in (x1, x2)
    )
    return xp.pow(*wide)


def _fmod(xp: Namespace, x1: Any, x2: Any) -> Array:
    """By the remainder of sizes, which is exact, where a quotient that is rounded to a whole number is one too many."""
    (x1, _), size = beside(xp, x1, x2), abs(x2)
    return xp.where(x1 < 0, -xp.remainder(-x1, size), xp.remainder(x1, size))


def _modf(xp: Namespace, x: Array) -> tuple[Array, Array]:
    """Of infinities nothing is left."""
    whole, infinite, zero = xp.trunc(x), xp.isinf(x), xp.zeros_like(x)
    rest = x - xp.where(infinite, zero, whole)
    return xp.where(infinite, xp.copysign(zero, raw(x)), rest), whole


def _either(name: str) -> Definition:
    """The other one where one is NaN."""

    def choose(xp: Namespace, x1: Any, x2: Any) -> Array:
        x1, x2 = xp.broadcast_arrays(*beside(xp, x1, x2))
        return xp.where(xp.isnan(x1), x2, xp.where(xp.isnan(x2), x1, getattr(xp, name)(x1, x2)))

    return choose


UFUNCS: dict[str, Definition] = {
    **{name: _either(of) for name, of in (("fmax", "maximum"), ("fmin", "minimum"))},
    "exp2": lambda xp, x: xp.pow(xp.full_like(raw(x), 2.0), x),
    "cbrt": _cbrt,
    "deg2rad": lambda xp, x: x * (math.pi / 180.0),
    "radians": lambda xp, x: x * (math.pi / 180.0),
    "rad2deg": lambda xp, x: x * (180.0 / math.pi),
    "degrees": lambda xp, x: x * (180.0 / math.pi),
    "float_power": _float_power,
    "fmod": _fmod,
    "divmod": lambda xp, x1, x2: (xp.floor_divide(x1, x2), xp.remainder(x1, x2)),
    "modf": _modf,
    "logaddexp2": lambda xp, x1, x2: xp.logaddexp(x1 * _LN2, x2 * _LN2) / _LN2,
    "heaviside": _heaviside,
    "matvec": lambda xp, x1, x2: xp.matmul(x1, x2[..., None])[..., 0],
    "vecmat": lambda xp, x1, x2: xp.matmul(x1[..., None, :], x2)[..., 0, :],
}
"""Ufuncs of NumPy's that the standard has not."""

REDUCTIONS: dict[tuple[str, str], str] = {
    ("add", "reduce"): "sum",
    ("multiply", "reduce"): "prod",
    ("maximum", "reduce"): "max",
    ("minimum", "reduce"): "min",
    ("logical_and", "reduce"): "all",
    ("logical_or", "reduce"): "any",
    ("add", "accumulate"): "cumsum",
    ("multiply", "accumulate"): "cumprod",
}
"""Methods of ufuncs, along axis 0 unless another is given, as functions of NumPy's."""


def _clip(xp: Namespace, a: Array, a_min: Any = None, a_max: Any = None, **bounds: Any) -> Array:
    """NumPy's newer names for the bounds are ``min`` and ``max``."""
    low, high = bounds.pop("min", a_min), bounds.pop("max", a_max)
    if bounds:
        raise InputError(f"clip: there is no argument {next(iter(bounds))!r} for a traced array")
    return xp.clip(a, low, high)


def _nan_to_num(
    xp: Namespace, x: Array, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Array:
    largest = xp.finfo(x.dtype).max
    fillings = (
        (xp.isnan(x), nan),
        (x == math.inf, largest if posinf is None else posinf),
        (x == -math.inf, -largest if neginf is None else neginf),
    )
    for where, filling in fillings:
        x = xp.where(where, xp.full_like(raw(x), filling), x)
    return x


def _sinc(xp: Namespace, x: Array) -> Array:
    """By its series where the quotient has no digits left, so that derivatives are right at 0 up to the fourteenth."""
    y, zero = math.pi * x, xp.zeros_like(x)
    near = xp.abs(y) < 0.5
    square, series = xp.where(near, y * y, zero), zero
    for k in range(10, -1, -1):
        series = (-1.0) ** k / math.factorial(2 * k + 1) + series * square
    away = xp.where(near, xp.ones_like(x), y)
    return xp.where(near, series, xp.sin(away) / away)


def _is_complex(xp: Namespace, x: Array) -> bool:
    return bool(xp.isdtype(x.dtype, "complex floating"))


def _real(xp: Namespace, val: Array) -> Array:
    return xp.real(val) if _is_complex(xp, val) else val


def _imag(xp: Namespace, val: Array) -> Array:
    return xp.imag(val) if _is_complex(xp, val) else xp.zeros_like(val)


def _real_if_close(xp: Namespace, a: Array, tol: float = 100) -> Array:
    if _is_complex(xp, a):
        raise TypeError("whether complex numbers are real depends on their values")
    return a


def _angle(xp: Namespace, z: Array, deg: bool = False) -> Array:
    found = xp.atan2(_imag(xp, z), _real(xp, z))
    return found * (180.0 / math.pi) if deg else found


def _gradient(xp: Namespace, f: Array, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    axes = tuple(range(f.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    steps = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    if edge_order != 1 or len(steps) != len(axes) or any(getattr(step, "shape", ()) for step in steps):
        raise InputError("gradient: of a traced array with one step, or one for each axis, and edge_order=1")
    found = []
    for one, step in zip(axes, steps, strict=True):
        check_axis("gradient", one, f)
        if f.shape[one] < 2:
            raise InputError(f"gradient: axis {one} of an array of shape {f.shape} has no two elements")
        inner = 0.5 * (_cut(f, one, 2, None) - _cut(f, one, None, -2))
        parts = [
            _cut(f, one, 1, 2) - _cut(f, one, 0, 1),
            inner,
            _cut(f, one, -1, None) - _cut(f, one, -2, -1),
        ]
        found.append(xp.concat(parts, axis=one) / step)
    return found[0] if len(found) == 1 else found


def _cut(f: Array, axis: int, start: int | None, stop: int | None) -> Array:
    return f[(*(slice(None),) * (axis % f.ndim), slice(start, stop), ...)]


def _diff(
    xp: Namespace, a: Array, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None
) -> Array:
    check_axis("diff", axis, a)
    shape = tuple(1 if i == axis % a.ndim else size for i, size in enumerate(a.shape))

    def whole(x: Any) -> Any:
        if x is None:
            return None
        (x,) = arrays_of(xp, (x,))
        return x if x.ndim else xp.broadcast_to(x, shape)

    return xp.diff(a, n=n, axis=axis, prepend=whole(prepend), append=whole(append))


def _trapezoid(xp: Namespace, y: Array, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    y = xp.moveaxis(y, axis, -1)
    steps = dx
    if x is not None:
        (x,) = arrays_of(xp, (x,))
        steps = xp.diff(xp.moveaxis(x, axis, -1) if x.ndim > 1 else x, axis=-1)
    return xp.sum(0.5 * (y[..., 1:] + y[..., :-1]) * steps, axis=-1)


def _polyval(xp: Namespace, p: Any, x: Any) -> Array:
    p, x = arrays_of(xp, (p, x))
    found: Any = xp.zeros_like(x)
    for i in range(len(p)):
        found = found * x + p[i]
    return found


def _round(xp: Namespace, a: Array, decimals: int = 0) -> Array:
    if decimals < 0:  # 0.01 is no number of the machine's, 100 is one
        return xp.round(a / 10.0**-decimals) * 10.0**-decimals
    return xp.round(a * 10.0**decimals) / 10.0**decimals if decimals else xp.round(a)


def _isclose(
    xp: Namespace, a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Array:
    a, b = (raw(x) for x in arrays_of(xp, (a, b)))
    close = (xp.abs(a - b) <= atol + rtol * xp.abs(b)) & xp.isfinite(b) | (a == b)
    return close | (xp.isnan(a) & xp.isnan(b)) if equal_nan else close


DEFINITIONS: dict[str, Definition] = {
    "clip": _clip,
    "nan_to_num": _nan_to_num,
    "sinc": _sinc,
    "real": _real,
    "imag": _imag,
    "angle": _angle,
    "real_if_close": _real_if_close,
    "iscomplexobj": _is_complex,
    "isrealobj": lambda xp, x: not _is_complex(xp, x),
    "isneginf": lambda xp, x: x == -math.inf,
    "isposinf": lambda xp, x: x == math.inf,
    "gradient": _gradient,
    "diff": _diff,
    "trapezoid": _trapezoid,
    "trapz": _trapezoid,
    "polyval": _polyval,
    "round": _round,
    "around": _round,
    "fix": lambda xp, x: xp.trunc(x),
    "isclose": _isclose,
    "allclose": lambda xp, *args, **kwargs: bool(xp.all(_isclose(xp, *args, **kwargs))),
    "array_equal": lambda xp, a1, a2: tuple(a1.shape) == tuple(a2.shape) and bool(xp.all(a1 == a2)),
    "result_type": lambda xp, *given: xp.result_type(*given),
    "can_cast": lambda xp, from_, to: xp.can_cast(from_, to),
}
"""By NumPy's name: ``definition(xp, *args, **kwargs)`` with NumPy's parameters, less those that are refused."""
