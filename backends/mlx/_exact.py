"""Functions that MLX computes with too few digits, in value or in derivative.

``exp`` is 15 units off in float32 at 88, and of float64 ``exp``, ``sin`` and ``cos`` are computed in single precision; ``expm1`` and
``tan`` are not, and make them. The derivative of ``expm1`` is taken from its value, of which no digit is left below -17, and the second
one of ``tanh`` is NaN where a square overflows. The derivative of `multimlp.activations.erfc` is its formula, in place of one through the
approximations that it is made of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import mlx.core as mx

from multimlp.backend import Array

__all__ = ["cos", "exp", "expm1", "logaddexp", "sin", "tanh"]


Function: TypeAlias = Callable[[Array], Array]


def _differentiated(value: Function, slope: Function) -> Function:
    """A function with a derivative of our own, in both modes and under ``vmap``; of any order, since the slope is differentiated too."""
    function: Any = mx.custom_function(value)

    @function.vjp
    def pull(primals: Any, cotangents: Any, outputs: Any) -> Any:
        return cotangents * slope(primals)

    @function.jvp
    def push(primals: Any, tangents: Any) -> Any:
        return tangents * slope(primals)

    @function.vmap
    def over(inputs: Any, axes: Any) -> Any:
        return function(inputs), axes

    def apply(x: Array, /) -> Array:
        found: Array = function(x if isinstance(x, mx.array) else mx.array(x))
        return found

    return apply


def _exp(x: Array) -> Array:
    if x.dtype in (mx.complex64, mx.float16, mx.bfloat16):  # of 16 bits MLX computes in single precision
        return mx.exp(x)
    is_direct = x > -1  # farther down 1 would cancel
    grown = mx.expm1(mx.where(is_direct, x, -x)) + 1
    return mx.where(is_direct, grown, 1 / grown)


def _sin(x: Array) -> Array:
    if x.dtype != mx.float64:
        return mx.sin(x)
    t = mx.tan(x / 2)
    return 2 * t / (1 + t * t)


def _cos(x: Array) -> Array:
    if x.dtype != mx.float64:
        return mx.cos(x)
    t = mx.tan(x / 2)
    return (1 - t) * (1 + t) / (1 + t * t)


def _sech_squared(x: Array) -> Array:
    decay = exp(-2 * mx.abs(x))
    return 4 * decay / ((1 + decay) * (1 + decay))


def _erfc(x: Array) -> Array:
    from multimlp.activations import erfc

    found: Array = erfc.portable(x)
    return found


def _erfc_slope(x: Array) -> Array:
    is_far = mx.abs(x) > _FAR
    known = mx.where(is_far, _FAR, x)  # squares of the others may overflow
    return mx.where(is_far, mx.zeros_like(x), -2 / math.pi**0.5 * exp(-known * known))


_FAR = 30.0
"""exp(-30 * 30) is zero in every IEEE format."""

erfc_kernel: Function = _differentiated(_erfc, _erfc_slope)
exp: Function = _differentiated(_exp, lambda x: exp(x))
expm1: Function = _differentiated(mx.expm1, lambda x: exp(x))
tanh: Function = _differentiated(mx.tanh, _sech_squared)
sin: Function = _differentiated(_sin, lambda x: cos(x))
cos: Function = _differentiated(_cos, lambda x: -sin(x))


def logaddexp(x1: Array, x2: Array, /) -> Array:
    x1, x2 = (x if isinstance(x, mx.array) else mx.array(x, dtype=y.dtype) for x, y in ((x1, x2), (x2, x1)))
    gap = mx.where((x1 == x2) & mx.isinf(x1), 0, x1 - x2)
    decayed = exp(mx.where(gap > 0, -gap, gap))  # half of the derivative on either side at a tie
    return mx.where(gap > 0, x1, x2) + mx.log1p(decayed)
