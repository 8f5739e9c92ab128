"""NumPy: no temporaries, BLAS for whatever can be a product, integer arithmetic for relu's mask.

A small step is bound by the overhead of calls, so each piece binds its ufuncs and arrays as locals and does
as few calls as it can.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, ClassVar

import numpy as np

from multimlp.backend import Backend, Call, FusedUpdate, Kernels, Op, Phase, UpdateRule
from multimlp.backends._team import Team
from multimlp.backends._threads import blas_threads, can_limit_blas, own_threads_wanted, threads_for
from multimlp.backends.numpy import _updates
from multimlp.backends.numpy.activations import paired

_OPENBLAS_ONE_THREAD = 1 << 19
"""Products of fewer floating-point operations run on one thread in OpenBLAS anyway."""
_ALL_THREADS_FROM = 1 << 24
"""Operations of the largest product; see `multimlp.backends._threads`."""


def _overflow_quietly() -> None:
    """As in the adapter's ``scope``, which the thread that leads is in."""
    np.seterr(all="ignore")


_TEAM = Team(_overflow_quietly)


def _relu_backward(kernels: Kernels, y: np.ndarray, d: np.ndarray) -> Call:
    # The bits of a y >= 0, read as an integer, are > 0 where y > 0 (and for NaN); so min(bits, 1) is the
    # derivative, and times the bits of d is d or 0. Both are vectorised, which comparing and converting a
    # boolean, or sign, is not.
    integer = np.int32 if y.dtype.itemsize == 4 else np.int64
    bits, of_d = y.view(integer), d.view(integer)
    ones = np.ones_like(bits)
    minimum, multiply = np.minimum, np.multiply

    def call() -> None:
        minimum(bits, ones, out=bits)
        multiply(of_d, bits, of_d)

    return call


class NumpyKernels(Kernels):
    """See the module."""

    activations: ClassVar = {
        **Kernels.activations,
        "relu": Kernels.activations["relu"]._replace(backward=_relu_backward),
    }
    chunk = _updates.CHUNK

    def __init__(self, backend: Backend, dtype: str, device: str | None, module: Any) -> None:
        super().__init__(backend, dtype, device, module)
        self._own_threads = own_threads_wanted()

    def activation(
        self, function: Callable[..., np.ndarray], y: np.ndarray, d: np.ndarray, **options: Any
    ) -> tuple[Call, Call] | None:
        """Where the outputs do not tell the derivative at less cost, the forward call computes it beside them."""
        found = super().activation(function, y, d, **options)
        if found is not None or not isinstance(function, Op) or self.backend.name in function.kernels:
            return found
        slope, multiply = np.empty(y.shape, y.dtype), np.multiply
        forward = paired(function.name, y, slope, options)
        return None if forward is None else (forward, lambda: multiply(d, slope, d))

    def indices(self, rows: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(rows, dtype=np.intp)

    def gather(self, source: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
        if out.flags.c_contiguous:
            np.take(source, rows, axis=0, out=out, mode="clip")
        else:
            out[...] = np.take(source, rows, axis=0)

    @property
    def cuts(self) -> bool:  # type: ignore[override]
        return self._own_threads and can_limit_blas()

    @property
    def limits_threads(self) -> bool:  # type: ignore[override]
        return can_limit_blas()

    def run(self, phases: Sequence[Phase]) -> None:
        _TEAM.run(phases)

    def threads(self, operations: int, own: bool = False) -> AbstractContextManager[None]:
        if own:
            return blas_threads(1)
        if operations < _OPENBLAS_ONE_THREAD:  # setting a limit takes as long as several small steps
            return nullcontext()
        return blas_threads(threads_for(operations, _ALL_THREADS_FROM))

    def product(self, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Call:
        if out.ndim == 2 and out.flags.c_contiguous:
            return partial(np.dot, a, b, out)  # half the overhead of matmul
        return partial(np.matmul, a, b, out)

    def copying(self, a: np.ndarray, out: np.ndarray) -> Call:
        return partial(np.copyto, out, a)

    def times(self, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Call:
        return partial(np.multiply, a, b, out)

    def softmax_cross_entropy(
        self,
        z: np.ndarray,
        d: np.ndarray,
        targets: np.ndarray,
        scale: np.ndarray | float,
        sums: np.ndarray,
        dots: np.ndarray,
    ) -> Call:
        subtract, exp, divide, multiply, add = np.subtract, np.exp, np.divide, np.multiply, np.add
        top = np.zeros_like(sums)
        largest = _largest(z, top[..., 0, :])
        inner = _inner(z, targets, dots)
        # The sum over classes is a product with a row; a constant scale goes into that row and saves a pass.
        constant = not isinstance(scale, np.ndarray)
        row = self.filled((1, z.shape[-2]), 1.0 if isinstance(scale, np.ndarray) else 1.0 / scale)
        total = self.product(row, d, sums)
        factor = sums if constant else np.zeros_like(sums)

        def call() -> None:
            largest()
            subtract(z, top, z)
            exp(z, d)
            total()
            if constant:
                divide(d, sums, d)
            else:
                divide(scale, sums, factor)
                multiply(d, factor, d)
            inner()
            add(d, targets, d)

        return call

    def softmax_cross_entropy_loss(
        self, scale: np.ndarray | float, sums: np.ndarray, dots: np.ndarray
    ) -> np.ndarray:
        logs = np.log(sums if isinstance(scale, np.ndarray) else sums * scale)
        return np.sum(scale * logs, axis=(-1, -2), dtype=np.float64) + dots

    def squared_error(
        self,
        z: np.ndarray,
        d: np.ndarray,
        targets: np.ndarray,
        scale: np.ndarray | float,
        factor: float,
        dots: np.ndarray,
    ) -> Call:
        subtract, multiply = np.subtract, np.multiply
        weights = scale if isinstance(scale, np.ndarray) else self._cell(scale)
        final, inner = self._cell(factor), _inner(z, d, dots)

        def call() -> None:
            subtract(z, targets, z)
            multiply(z, weights, d)
            inner()
            multiply(d, final, d)

        return call

    def _cell(self, value: float) -> np.ndarray:
        """A 0-d array: ufuncs convert Python numbers at every call."""
        return np.asarray(value, dtype=self.dtype)

    # ---- vectors

    def add_scaled(self, a: np.ndarray, factor: float, b: np.ndarray) -> np.ndarray:
        axpy = _axpy(self.dtype)
        if axpy is None:
            a += factor * b
            return a
        return axpy(b, a, a=factor)

    # ---- updates

    def clip(self, g: np.ndarray, limit: float) -> Call:
        def call() -> None:
            norm, unit = math.sqrt(np.dot(g, g)), 1.0
            # Squares may overflow where nothing else does; an infinity itself leaves nothing of all else.
            if norm == math.inf and math.isfinite(largest := float(np.abs(g).max())):
                unit = largest
                np.divide(g, unit, out=g)
                norm = math.sqrt(np.dot(g, g))
            if norm > limit / unit:
                np.multiply(g, limit / norm, out=g)
            elif unit != 1:
                np.multiply(g, unit, out=g)

        return call

    def fused_update(
        self, rule: UpdateRule, p: np.ndarray, g: np.ndarray, slots: Sequence[np.ndarray]
    ) -> FusedUpdate | None:
        return _updates.fused_update(rule, p, g, slots)


def _largest(z: np.ndarray, out: np.ndarray) -> Call:
    """``out = max(z)`` over the last axis but one."""
    if z.shape[-2] == 2:  # a reduction has four times the overhead
        return partial(np.maximum, z[..., 0, :], z[..., 1, :], out=out)
    reduce: Any = np.maximum.reduce
    return partial(reduce, z, -2, None, out)


@functools.cache
def _axpy(dtype: str) -> Any:
    """BLAS's ``a += factor b``, a third of the time of two ufuncs; None without SciPy."""
    try:
        from scipy.linalg import blas
    except ImportError:
        return None
    return blas.saxpy if dtype == "float32" else blas.daxpy


def _inner(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Call:
    """``out = sum(a * b)`` over the last two axes; ``a`` is spent."""
    if a.ndim == 2 and b.flags.c_contiguous:
        dot, first, second = np.dot, a.reshape(-1), b.reshape(-1)

        def flat() -> None:
            out[()] = dot(first, second)

        return flat
    multiply = np.multiply
    total: Any = np.add.reduce

    def stacked() -> None:
        multiply(a, b, a)
        total(a, (-2, -1), None, out)

    return stacked
