"""The kernels as `multimlp.backend.CompiledKernels` wants them: which kernel, with which arguments."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from multimlp.backend import Argument, Late, Record, Table
from multimlp.backends._numba import compiling, formulas, kernels, store
from multimlp.backends._numba.tables import InPhases, InTurn, workers
from multimlp.backends._threads import blas_threads, threads_for

_ALIGNED = 64
_ONE_THREAD = 1 << 19
_ALL_THREADS_FROM = 1 << 24
"""Operations of the largest product, 2 m n k; see `multimlp.backends._threads`."""
_BITS = 32
_ANY = "float64"
"""Of kernels that do without the dtype."""


class NumbaKernels:
    """See `multimlp.backend.CompiledKernels`."""

    name = "numba"

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype

    def zeros(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        kind = np.dtype(self._dtype if dtype is None else dtype)
        count = int(np.prod(shape, dtype=np.int64))
        memory = np.zeros(count + _ALIGNED // kind.itemsize, dtype=kind)
        start = -memory.ctypes.data % _ALIGNED // kind.itemsize
        return memory[start : start + count].reshape(tuple(shape))

    def copied(self, x: np.ndarray) -> np.ndarray:
        return x.copy()

    def threads(self, operations: int, own: bool) -> contextlib.AbstractContextManager[None]:
        if (
            operations < _ONE_THREAD
        ):  # OpenBLAS takes one by itself, and setting a limit takes as long as several small steps
            return contextlib.nullcontext()
        return blas_threads(1 if own else threads_for(operations, _ALL_THREADS_FROM))

    def _record(self, kernel: Callable[..., None], *arguments: Argument, dtype: str | None = None) -> Record:
        kind = self._dtype if dtype is None else dtype
        place = store.address(f"{kernel.__name__} {kind}", lambda: compiling.of_kernel(kernel, kind))
        return Record(place, arguments)

    # ---- data

    def gather(self, source: Argument, rows: Argument, out: np.ndarray) -> Record:
        batch, width = out.shape
        return self._record(kernels.gather, source, rows, out, batch, width, out.strides[0] // out.itemsize)

    def gather_columns(self, source: Argument, rows: Argument, out: np.ndarray) -> Record:
        return self._record(kernels.gather_columns, source, rows, out, *out.shape, _line(out))

    def one_hot(self, labels: Argument, rows: Argument, out: np.ndarray) -> Record:
        return self._record(kernels.one_hot, labels, rows, out, *out.shape, _line(out))

    def shares(
        self, weights: Argument, rows: Argument, out: np.ndarray, first: int, batch: int, scale: float
    ) -> Record:
        return self._record(kernels.shares, weights, rows, out, first, out.size, batch, float(scale))

    def smooth(self, q: np.ndarray, classes: np.ndarray, smoothing: float) -> Record:
        return self._record(kernels.smooth, q, classes, *q.shape, _line(q), float(smoothing))

    # ---- layers

    def product(self, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Record:
        # BLAS knows columns only, so it is told to make out' = b' a'.
        (rows, inner), columns = a.shape, b.shape[1]
        (flag_a, lead_a), (flag_b, lead_b) = _stored(a), _stored(b)
        numbers = np.asarray(
            [columns, rows, inner, lead_b, lead_a, out.strides[0] // out.itemsize], dtype=np.int32
        )
        factors, flags = np.asarray([1, 0], dtype=self._dtype), np.frombuffer(flag_b + flag_a, dtype=np.uint8)
        return self._record(
            kernels.product, flags, flags[1:], numbers, numbers[1:], numbers[2:], factors, b, numbers[3:], a, numbers[4:],
            factors[1:], out, numbers[5:], _blas(self._dtype),
        )  # fmt: skip

    def multiply(self, a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Record:
        if a is out:
            return self._record(kernels.scale, a, b, *_shape(a, b))
        return self._record(kernels.multiply, a, b, out, *_shape(a, b, out))

    def activation(
        self,
        function: Callable[..., Any],
        slope: Callable[..., Any] | None,
        y: np.ndarray,
        slopes: np.ndarray | None,
    ) -> Record:
        arrays = [y] if slopes is None else [y, slopes]
        return self._formula(formulas.activation(self._dtype, function, slope), *arrays, *_shape(*arrays))

    def activation_backward(self, from_output: Callable[..., Any], y: np.ndarray, d: np.ndarray) -> Record:
        return self._formula(formulas.backward(self._dtype, from_output), y, d, *_shape(y, d))

    def dropout(
        self,
        key: np.ndarray,
        layer: int,
        keep: float,
        members: int,
        factors: np.ndarray,
        first: int,
        batch: int,
        own: tuple[Argument, Argument] | None = None,
    ) -> list[Record]:
        width, columns = factors.shape
        words, folded = self.zeros((factors.size,), np.int32), self.zeros((2,), np.int32)
        key0, key1 = (int(number) for number in key)
        size = width * batch
        drawn = 1 if own else members
        half = (drawn * size + 1) // 2
        threshold = round(keep * 2**_BITS) - 2 ** (_BITS - 1)
        kept, factor = own or (np.asarray([threshold - 1]), np.asarray([1.0 / keep]))
        begin, count = width * first, width * columns
        return [
            self._record(kernels.fold, folded, Late("steps", 1), key0, key1, layer, dtype=_ANY),
            self._record(
                kernels.draw,
                words,
                folded,
                Late("members", by_member=0 if own else 1),
                begin,
                count,
                size,
                half,
                dtype=_ANY,
            ),
            self._record(kernels.mask, factors, words, width, columns, _line(factors), kept, factor),
        ]

    # ---- the loss

    def softmax(
        self, z: np.ndarray, d: np.ndarray, q: np.ndarray, share: np.ndarray, total: np.ndarray
    ) -> Record:
        work = self.zeros((4, z.shape[1]))
        return self._record(kernels.softmax, z, d, q, share, work, total, *z.shape, _line(z, d, q))

    def softmax_of_labels(
        self,
        z: np.ndarray,
        d: np.ndarray,
        labels: Argument,
        rows: Argument,
        share: np.ndarray,
        total: np.ndarray,
    ) -> Record:
        work = self.zeros((2, z.shape[1]))
        return self._record(
            kernels.softmax_of_labels, z, d, labels, rows, share, work, total, *z.shape, _line(z, d)
        )

    def loss(
        self,
        function: Callable[..., Any],
        gradient: Callable[..., Any],
        z: np.ndarray,
        d: np.ndarray,
        targets: np.ndarray,
        share: np.ndarray,
        total: np.ndarray,
    ) -> Record:
        loop = formulas.loss(self._dtype, function, gradient, z.shape[0])
        work = self.zeros((z.shape[1],))
        return self._formula(loop, z, d, targets, share, work, total, *z.shape, _line(z, d, targets))

    # ---- between gradient and update

    def penalty(self, p: np.ndarray, g: np.ndarray, total: np.ndarray, strengths: Argument) -> Record:
        return self._record(kernels.penalty, p, g, total, p.size, strengths)

    def clip(self, g: np.ndarray, limit: Argument) -> Record:
        return self._record(kernels.clip, g, g.size, limit)

    def update(
        self, rule: Callable[..., Any], arrays: Sequence[np.ndarray], scalars: Late, names: Sequence[str]
    ) -> Record:
        loop = formulas.update(self._dtype, rule, len(arrays) - 2, names)
        return self._formula(loop, *arrays, scalars, *_shape(*arrays))

    # ---- threads

    def workers(self) -> int:
        return workers()

    def in_turn(
        self, records: Sequence[Sequence[Record]], by_member: Sequence[np.ndarray], members: int
    ) -> Table:
        return InTurn(records, by_member, members)

    def in_phases(self, phases: Sequence[Sequence[Sequence[Record]]]) -> Table:
        return InPhases(phases)

    def _formula(self, loop: formulas.Loop, *arguments: Argument) -> Record:
        key = f"{self._dtype} {loop}"
        return Record(store.address(key, lambda: compiling.of_lines(*loop, self._dtype)), arguments)


def _line(*arrays: np.ndarray) -> int:
    """How long the lines are whose columns arrays are: those of all arrays."""
    (length,) = {array.strides[0] // array.itemsize for array in arrays}
    return length


def _shape(*arrays: np.ndarray) -> tuple[int, int, int]:
    """The lines of arrays, the numbers in each, and its length; one long line where nothing is between."""
    if all(array.flags.c_contiguous for array in arrays):
        return 1, arrays[0].size, arrays[0].size
    return *arrays[0].shape, _line(*arrays)


def _stored(x: np.ndarray) -> tuple[bytes, int]:
    """How BLAS is told of a matrix: as it is or transposed, and the length of a line."""
    down, along = (stride // x.itemsize for stride in x.strides)
    return (b"N", down) if along == 1 and down >= x.shape[1] else (b"T", along)


@cache
def _blas(dtype: str) -> int:
    """The address of SciPy's matrix product."""
    with store.as_a_reason():
        from scipy.linalg import cython_blas

        capsule = cython_blas.__pyx_capi__["sgemm" if dtype == "float32" else "dgemm"]
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, name(capsule)))
