"""NumPy: no autodiff of its own, so the tape differentiates; kernels where a ufunc beats the portable form."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from multimlp.backend import Array, Backend, Capabilities
from multimlp.backends import _dlpack
from multimlp.backends._host_draws import by_elements, left_over
from multimlp.backends._host_threefry import threefry2x32
from multimlp.backends._numba import numba_kernels
from multimlp.backends._threads import blas_threads
from multimlp.backends.numpy import activations, losses
from multimlp.backends.numpy._functions import FUNCTIONS
from multimlp.backends.numpy._standard import xp
from multimlp.distributed import Communicator

_MANY = 4096


def _relu(x: np.ndarray) -> np.ndarray:
    """The threshold at 0, which takes longer to begin than one call of NumPy's."""
    numbers = activations.NUMBERS.get(x.dtype) if x.size >= _MANY else None
    if numbers is None:
        return np.maximum(x, 0)
    y: np.ndarray = activations.FORMULAS["threshold"].call(numbers, x, np.empty_like(x), ())
    return y


def _dense(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> Any:
    if x.ndim != 2 or weight.ndim != 2 or x.dtype != weight.dtype:
        return NotImplemented
    outputs = np.dot(x, weight)  # half the overhead of matmul
    return outputs if bias is None else np.add(outputs, bias, out=outputs)


class NumpyBackend(Backend):
    """Adapter for `numpy.ndarray`."""

    name = "numpy"
    xp = xp
    module = "numpy"
    functions = FUNCTIONS
    follows_numpy = True
    capabilities = Capabilities(epoch="inplace", dtypes=("float64", "float32", "float16"))

    @staticmethod
    def scatter_add(target: np.ndarray, index: Any, values: np.ndarray) -> np.ndarray:
        np.add.at(target, index, values)
        return target

    def __init__(self) -> None:
        self.kernels = {
            **activations.KERNELS,
            **losses.KERNELS,
            "by_elements": by_elements,
            "dense": _dense,
            "erf": _of_scipy("erf"),
            "erfc": _of_scipy("erfc"),
            "left_over": left_over,
            "relu": _relu,
            "tanh": np.tanh,
            "threefry2x32": threefry2x32,
        }

    @contextlib.contextmanager
    def scope(self, dtype: str | None = None) -> Iterator[None]:
        """Overflow is no warning, and underflow no error, whatever `numpy.seterr` says: what becomes infinite is reported by whoever
        looks at the results, as on every backend."""
        with np.errstate(all="ignore"):
            yield

    def all_threads(self) -> contextlib.AbstractContextManager[None]:
        return blas_threads(None)

    def one_thread(self) -> contextlib.AbstractContextManager[None]:
        return blas_threads(1)

    def is_array_type(self, cls: type) -> bool:
        return issubclass(cls, (np.ndarray, np.generic))

    def dtype(self, name: str) -> Any:
        return np.dtype(super().dtype(name))

    def dtype_name(self, dtype: Any) -> str:
        return np.dtype(dtype).name

    def summed(self, communicator: Communicator, flat: Array) -> Array:
        return communicator.sum(flat)

    def inplace_kernels(self, dtype: str, device: str | None) -> Any:
        from multimlp.backends.numpy._inplace import NumpyKernels

        return NumpyKernels(self, dtype, device, np)

    def compiled_kernels(self, dtype: str, device: str | None) -> Any | str:
        return numba_kernels(dtype, "cpu")

    def asarray(self, x: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        return np.asarray(x) if dtype is None else np.asarray(x, dtype=dtype)

    def share(self, x: Array) -> Array | None:
        return _dlpack.share(np.from_dlpack, x)

    def to_numpy(self, x: Array) -> np.ndarray:
        return np.asarray(x)


@functools.cache
def _special() -> Any:
    """SciPy's functions, or None; importing them takes as long as importing NumPy."""
    try:
        from scipy import special
    except ImportError:  # the portable bodies serve
        return None
    return special


def _of_scipy(name: str) -> Callable[[np.ndarray], Any]:
    """SciPy computes in single or double precision only and returns what it computed in."""

    def kernel(x: np.ndarray) -> Any:
        special = None if x.dtype.itemsize < 4 else _special()
        return NotImplemented if special is None else getattr(special, name)(x)

    return kernel
