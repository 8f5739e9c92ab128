"""CuPy: NumPy's interface on CUDA. The tape differentiates; several launches are fused into one kernel."""

from __future__ import annotations

import contextlib
from typing import Any

import cupy
import numpy as np

from multimlp.backend import Array, Backend, Call, Capabilities, Kernels, Recorder
from multimlp.backends import _dlpack
from multimlp.errors import DeviceError


def _count_devices() -> int:
    """How many CUDA devices there are; a clear error if none, before anything of CuPy's is used."""
    try:
        count = int(cupy.cuda.runtime.getDeviceCount())
    except Exception as error:  # without a driver the exception's type depends on CuPy's version
        reason = str(error)
    else:
        reason = "the driver lists no device"
        if count:
            return count
    raise DeviceError(
        f"backend: 'cupy' needs a CUDA GPU and finds none here ({reason}). "
        "Use backend='numpy', which computes the same on the CPU"
    )


_COUNT = _count_devices()

import array_api_compat.cupy as xp  # noqa: E402 - it uses the device
from cupyx.scipy import special  # noqa: E402

_relu = cupy.ElementwiseKernel("T x", "T y", "y = x <= T(0) ? T(0) : x", "multimlp_relu")

_adam = cupy.ElementwiseKernel(
    "T p, T g, T m, T v, T rate, T beta1, T beta2, T eps, T correction1, T correction2",
    "T new_p, T new_m, T new_v",
    """
    new_m = beta1 * m + (T(1) - beta1) * g;
    new_v = beta2 * v + (T(1) - beta2) * (g * g);
    new_p = p - (rate / correction1) * new_m / (sqrt(new_v / correction2) + eps);
    """,
    "multimlp_adam",
)


def _adam_update(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    *,
    learning_rate: Any,
    beta1: Any,
    beta2: Any,
    eps: Any,
    correction1: Any,
    correction2: Any,
) -> tuple[Array, Array, Array]:
    return _adam(p, g, m, v, learning_rate, beta1, beta2, eps, correction1, correction2)


class _Graphs(Recorder):
    """Records on a stream of its own, with memory that nothing else is given."""

    name = "CuPy's CUDA graphs"

    def __init__(self, device: str | None) -> None:
        self._device, self._pool = device, cupy.cuda.MemoryPool()
        with _on(device):
            self._stream = cupy.cuda.Stream(non_blocking=True)

    def warm_up(self, run: Call) -> None:
        with _on(self._device), cupy.cuda.using_allocator(self._pool.malloc):
            current = cupy.cuda.get_current_stream()
            self._stream.wait_event(current.record())
            with self._stream:
                run()
            current.wait_event(self._stream.record())

    def record(self, run: Call) -> Call:
        with _on(self._device), cupy.cuda.using_allocator(self._pool.malloc), self._stream as stream:
            stream.begin_capture()
            try:
                run()
            finally:
                graph = stream.end_capture()
        return lambda: graph.launch(cupy.cuda.get_current_stream())


class CuPyBackend(Backend):
    """Adapter for `cupy.ndarray`."""

    name = "cupy"
    xp = xp
    module = "cupy"
    follows_numpy = True
    capabilities = Capabilities(epoch="inplace", dtypes=("float64", "float32", "float16"))

    def __init__(self) -> None:
        self.kernels = {
            "relu": _relu,
            "tanh": cupy.tanh,
            "erf": special.erf,
            "erfc": special.erfc,
            "adam_update": _adam_update,
        }

    def is_array_type(self, cls: type) -> bool:
        return issubclass(cls, cupy.ndarray)

    # ---- arrays, dtypes, devices

    def dtype(self, name: str) -> Any:
        return np.dtype(super().dtype(name))

    def dtype_name(self, dtype: Any) -> str:
        return np.dtype(dtype).name

    def inplace_kernels(self, dtype: str, device: str | None) -> Any:
        kernels = Kernels(self, dtype, device, cupy)
        kernels.recorder = _Graphs(device)
        kernels.block_bytes = 1 << 24  # no cache to stay in, but launches to save
        return kernels

    def asarray(self, x: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        with _on(device):
            if isinstance(x, cupy.ndarray):
                return cupy.asarray(x, dtype=dtype)
            return cupy.asarray(np.asarray(x, dtype=dtype))

    def share(self, x: Array) -> Array | None:
        return _dlpack.share(cupy.from_dlpack, x)

    def to_numpy(self, x: Array) -> np.ndarray:
        return cupy.asnumpy(x)

    def devices(self) -> tuple[str, ...]:
        return tuple(f"cuda:{i}" for i in range(_COUNT))

    def device_name(self, x: Array) -> str:
        return f"cuda:{x.device.id}"

    def synchronize(self, *arrays: Array) -> None:
        for array in arrays:
            with array.device:
                cupy.cuda.get_current_stream().synchronize()


def _on(device: str | None) -> contextlib.AbstractContextManager[Any]:
    return contextlib.nullcontext() if device is None else cupy.cuda.Device(int(device.partition(":")[2]))
