"""NumPy: no temporaries, BLAS for what is not element-wise, int arithmetic for relu's mask, chunks that fit
the cache for updates.

A small step is bound by the overhead of calls, so each piece binds its ufuncs and arrays as locals and does
as few calls as it can.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from multimlp.backend import Backend
from multimlp.engine.flat_kernels import Call, FusedUpdate, Kernels, Scalars
from multimlp.engine.threads import blas_threads, threads_available, threads_for
from multimlp.optimizers import Optimizer

_CHUNK = 1 << 16
"""Numbers a pass of the update takes at a time: five arrays of it stay in the second-level cache of current
processors, and the calls are long enough for two threads not to wait for the interpreter's lock (with 2^14,
two threads were slower than one)."""
_THREADED_FROM = 4 * _CHUNK
"""Buffers from this size are updated by several threads."""
_OPENBLAS_ONE_THREAD = 1 << 19
"""Products of fewer floating-point operations run on one thread in OpenBLAS anyway."""


def kernels(backend: Backend, dtype: str, device: str | None) -> NumpyKernels:
    return NumpyKernels(backend, dtype, device, np)


class NumpyKernels(Kernels):
    """See the module."""

    chunk = _CHUNK

    def indices(self, rows: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(rows, dtype=np.intp)

    def gather(self, source: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
        if out.flags.c_contiguous:
            np.take(source, rows, axis=0, out=out, mode="clip")
        else:
            out[...] = np.take(source, rows, axis=0)

    def threads(self, operations: int) -> AbstractContextManager[None]:
        # Setting a limit takes as long as several small steps.
        return blas_threads(None if operations < _OPENBLAS_ONE_THREAD else threads_for(operations))

    def product(self, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Call:
        if out.ndim == 2 and out.flags.c_contiguous:
            dot = np.dot  # half the overhead of matmul
            return lambda: dot(a, b, out)
        matmul = np.matmul
        return lambda: matmul(a, b, out)

    def times(self, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Call:
        multiply = np.multiply
        return lambda: multiply(a, b, out)

    def activation(self, name: str, z: np.ndarray, y: np.ndarray) -> Call | None:
        if name == "relu":
            maximum, zeros = np.maximum, np.zeros_like(z)  # three times as fast as with a scalar
            return lambda: maximum(z, zeros, out=y)
        if name == "sigmoid":
            return _sigmoid(z, y)
        return super().activation(name, z, y)

    def activation_backward(self, name: str, y: np.ndarray, d: np.ndarray) -> Call | None:
        if name != "relu":
            return super().activation_backward(name, y, d)
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

    def softmax_cross_entropy(
        self,
        z: np.ndarray,
        d: np.ndarray,
        targets: np.ndarray,
        scale: np.ndarray | float,
        sums: np.ndarray,
        dots: np.ndarray,
    ) -> Call:
        largest, subtract, exp, divide, multiply, add = (
            np.maximum.reduce, np.subtract, np.exp, np.divide, np.multiply, np.add,
        )  # fmt: skip
        top = np.zeros_like(sums)
        top_row = top[..., 0, :]
        inner = _inner(z, targets, dots)
        # The sum over classes is a product with a row; a constant scale goes into that row, which saves a
        # pass.
        constant = not isinstance(scale, np.ndarray)
        row = self.filled((1, z.shape[-2]), 1.0 / scale if constant else 1.0)
        total = self.product(row, d, sums)
        factor = sums if constant else np.zeros_like(sums)

        def call() -> None:
            largest(z, -2, None, top_row)
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

    # ---- updates

    def clip(self, g: np.ndarray, limit: float) -> Call:
        def call() -> None:
            norm = math.sqrt(np.dot(g, g))
            if norm > limit:
                np.multiply(g, limit / norm, out=g)

        return call

    def fused_update(
        self, optimizer: Optimizer, p: np.ndarray, g: np.ndarray, slots: Sequence[np.ndarray]
    ) -> FusedUpdate | None:
        make = {"adam": self._adam, "adamw": self._adam, "sgd": self._sgd}.get(optimizer.name)
        if make is None:
            return None
        buffers = (p, g, *slots)
        pieces = [[b[start : start + self.chunk] for b in buffers] for start in range(0, p.size, self.chunk)]
        threads = min(threads_available(), len(pieces)) if p.size >= _THREADED_FROM else 1
        share = -(-len(pieces) // threads)
        shares = []
        for start in range(0, len(pieces), share):
            work = np.zeros_like(pieces[0][0])  # one a thread: it stays in that thread's cache
            shares.append(
                [
                    _decayed(
                        optimizer,
                        *own[:2],
                        work[: own[0].size],
                        make(optimizer.options, work[: own[0].size], *own),
                    )
                    for own in pieces[start : start + share]
                ]
            )
        return shares[0][0] if len(pieces) == 1 else _Shares(shares)

    def _adam(
        self,
        options: Mapping[str, Any],
        work: np.ndarray,
        p: np.ndarray,
        g: np.ndarray,
        m: np.ndarray,
        v: np.ndarray,
    ) -> FusedUpdate:
        multiply, add, sqrt, divide, subtract = np.multiply, np.add, np.sqrt, np.divide, np.subtract
        beta1, beta2 = self._cell(options["beta1"]), self._cell(options["beta2"])
        rest1, rest2 = self._cell(1 - options["beta1"]), self._cell(1 - options["beta2"])
        eps, rate, shift = options["eps"], self._cell(0), self._cell(0)

        def update(scalars: Scalars, number: int) -> None:
            # lr (m / c1) / (sqrt(v / c2) + eps) with the corrections taken out of the arrays
            root = math.sqrt(scalars["correction2"])
            rate[()] = scalars["learning_rate"] * root / scalars["correction1"]
            shift[()] = eps * root
            multiply(m, beta1, m)
            multiply(g, rest1, work)
            add(m, work, m)
            multiply(g, g, g)
            multiply(g, rest2, g)
            multiply(v, beta2, v)
            add(v, g, v)
            sqrt(v, work)
            add(work, shift, work)
            divide(m, work, work)
            multiply(work, rate, work)
            subtract(p, work, p)

        return update

    def _sgd(
        self,
        options: Mapping[str, Any],
        work: np.ndarray,
        p: np.ndarray,
        g: np.ndarray,
        *velocity: np.ndarray,
    ) -> FusedUpdate:
        multiply, add, subtract = np.multiply, np.add, np.subtract
        rate, momentum, nesterov = self._cell(0), self._cell(options["momentum"]), options["nesterov"]

        def update(scalars: Scalars, number: int) -> None:
            rate[()] = scalars["learning_rate"]
            direction = g
            for u in velocity:
                multiply(u, momentum, u)
                add(u, g, u)
                if nesterov:
                    multiply(u, momentum, work)
                    add(g, work, g)
                else:
                    direction = u
            multiply(direction, rate, work)
            subtract(p, work, p)

        return update


def _decayed(
    optimizer: Optimizer, p: np.ndarray, g: np.ndarray, work: np.ndarray, update: FusedUpdate
) -> FusedUpdate:
    """The update with weight decay before it, of the piece while it is in the cache."""
    decay = optimizer.options["weight_decay"]
    if not decay:
        return update

    def shrink(scalars: Scalars, number: int) -> None:
        np.multiply(p, 1 - scalars["learning_rate"] * decay, out=p)
        update(scalars, number)

    def add_to_gradient(scalars: Scalars, number: int) -> None:
        np.multiply(p, decay, out=work)
        np.add(g, work, out=g)
        update(scalars, number)

    return shrink if optimizer.rule.decoupled else add_to_gradient


class _Shares:
    """An update in pieces that fit the cache, dealt out to threads; ufuncs release the interpreter's lock."""

    def __init__(self, shares: list[list[FusedUpdate]]) -> None:
        self._mine, *self._others = shares
        self._pool = ThreadPoolExecutor(len(self._others), "multimlp-update") if self._others else None

    def __call__(self, scalars: Scalars, number: int) -> None:
        if self._pool is None:
            _run(self._mine, scalars, number)
            return
        waiting = [self._pool.submit(_run, share, scalars, number) for share in self._others]
        _run(self._mine, scalars, number)
        for future in waiting:
            future.result()


def _run(pieces: list[FusedUpdate], scalars: Scalars, number: int) -> None:
    for piece in pieces:
        piece(scalars, number)


def _inner(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Call:
    """``out = sum(a * b)`` over the last two axes; ``a`` is spent."""
    if a.ndim == 2 and b.flags.c_contiguous:
        dot, first, second = np.dot, a.reshape(-1), b.reshape(-1)

        def flat() -> None:
            out[()] = dot(first, second)

        return flat
    multiply, total = np.multiply, np.add.reduce

    def stacked() -> None:
        multiply(a, b, a)
        total(a, (-2, -1), None, out)

    return stacked


def _sigmoid(z: np.ndarray, y: np.ndarray) -> Call:
    """``(1 + tanh(z / 2)) / 2``: stable for every z, without a mask."""
    half = np.asarray(0.5, dtype=z.dtype)
    multiply, tanh, add = np.multiply, np.tanh, np.add

    def call() -> None:
        multiply(z, half, y)
        tanh(y, y)
        multiply(y, half, y)
        add(y, half, y)

    return call
