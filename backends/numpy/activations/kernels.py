"""The kernels of the activations and of their derivatives on whole arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from multimlp.backends.numpy.activations.numbers import NUMBERS, TRAINING
from multimlp.backends.numpy.activations.pieces import piece_bytes, pieces
from multimlp.backends.numpy.activations.table import FORMULAS, PAIRS, Formula

_PLAIN = (float, int, str)


def elementwise(formula: Formula) -> Callable[..., Any]:
    """The kernel of a formula: NotImplemented for half precision, 0-d arrays, subclasses, and options that are arrays."""
    call, count = formula
    small = piece_bytes(count)

    @functools.wraps(call)
    def kernel(x: np.ndarray, *args: Any, **options: Any) -> Any:
        numbers = NUMBERS.get(x.dtype) if type(x) is np.ndarray and x.ndim else None
        if numbers is None:
            return NotImplemented
        if args or options:
            for option in (*args, *options.values()):
                if not isinstance(option, _PLAIN):
                    return NotImplemented
        if not x.flags.c_contiguous:
            if x.flags.f_contiguous:  # the result lies as x does
                result = kernel(x.T, *args, **options)
                return result if result is NotImplemented else result.T
            x = np.ascontiguousarray(x)
        result = np.empty_like(x)
        if x.nbytes <= small:
            work = (np.empty_like(x),) if count == 1 else [np.empty_like(x) for _ in range(count)]
            done = call(numbers, x, result, work, *args, **options)
            return done if done is NotImplemented else result
        for piece, out, *work in pieces(count, x, result):
            if call(numbers, piece, out, work, *args, **options) is NotImplemented:
                return NotImplemented
        return result

    return kernel


def _unless_small(kernel: Callable[..., Any], single: int, double: int) -> Callable[..., Any]:
    """For GELU: with fewer numbers the portable form, whose single call of SciPy's erfc takes less time than thirty short ones."""

    @functools.wraps(kernel)
    def gelu(x: np.ndarray, approximate: str = "none") -> Any:
        is_small = x.size < (single if x.dtype.itemsize == 4 else double)
        return NotImplemented if is_small and approximate == "none" else kernel(x, approximate)

    return gelu


KERNELS = {name: elementwise(formula) for name, formula in FORMULAS.items()}
"""By the names of the operations."""
KERNELS["gelu"] = _unless_small(KERNELS["gelu"], 1500, 2000)
KERNELS["gelu_derivative"] = _unless_small(KERNELS["gelu_derivative"], 500, 1200)


def paired(
    name: str, x: np.ndarray, slope: np.ndarray, options: Mapping[str, Any]
) -> Callable[[], None] | None:
    """The call that puts the derivative at x into ``slope`` and the value into x; None where a formula lacks."""
    pair = PAIRS.get(name) or _one_after_the_other(name)
    if pair is None:
        return None
    numbers, one = TRAINING[x.dtype], np.ones((2 + pair.work, 1), dtype=x.dtype)
    if pair.call(numbers, one[0], one[0], one[1], one[2:], **options) is NotImplemented:
        return None
    parts = [
        functools.partial(pair.call, numbers, piece, piece, out, work, **options)
        for piece, out, *work in pieces(pair.work, x, slope)
    ]
    if len(parts) == 1:
        return parts[0]

    def call() -> None:
        for part in parts:
            part()

    return call


def _one_after_the_other(name: str) -> Formula | None:
    value, derivative = FORMULAS.get(name), FORMULAS.get(f"{name}_derivative")
    if value is None or derivative is None:
        return None
    first, second = derivative.call, value.call

    def both(n: Any, x: np.ndarray, out: np.ndarray, slope: np.ndarray, w: Any, **options: Any) -> Any:
        done = first(n, x, slope, w, **options)
        return done if done is NotImplemented else second(n, x, out, w, **options)

    return Formula(both, max(value.work, derivative.work))
