"""The Paddle adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import paddle
from paddle.nn import functional

from multimlp.backend import Array, Backend, Capabilities
from multimlp.backends import _host_draws, _host_threefry
from multimlp.backends._dtype_names import leave_names_to_answer
from multimlp.backends._operators import give_way
from multimlp.backends.paddle import namespace as xp
from multimlp.backends.paddle._creation import asarray
from multimlp.backends.paddle._dtypes import name_of
from multimlp.backends.paddle._indexing import select_safely
from multimlp.backends.paddle._operators import compare_exactly

leave_names_to_answer(paddle.dtype)


class PaddleBackend(Backend):
    """Adapter for `paddle.Tensor`. The tape differentiates: Paddle's own derivatives have gaps from the second order on."""

    name = "paddle"
    xp = xp
    module = "paddle"
    capabilities = Capabilities(dtypes=("float64", "float32"))

    def __init__(self) -> None:
        compare_exactly()
        select_safely()
        give_way(paddle.Tensor)
        self.kernels = {"by_elements": _by_elements, "erf": xp.erf, "threefry2x32": _threefry2x32}

    def is_array_type(self, cls: type) -> bool:
        return issubclass(cls, paddle.Tensor)

    # ---- arrays, dtypes, devices

    def dtype_name(self, dtype: Any) -> str:
        return name_of(dtype)

    def asarray(self, x: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        return asarray(
            x if isinstance(x, paddle.Tensor) else np.asarray(x),
            dtype=None if dtype is None else self.dtype(dtype),
            device=device,
        )

    def to_numpy(self, x: Array) -> np.ndarray:
        return np.asarray(x.detach().numpy())

    def devices(self) -> tuple[str, ...]:
        return tuple(xp.__array_namespace_info__().devices())

    def device_name(self, x: Array) -> str:
        return f"cuda:{x.place.gpu_device_id()}" if x.place.is_gpu_place() else "cpu"

    def synchronize(self, *arrays: Array) -> None:
        for array in arrays:
            if array.place.is_gpu_place():
                paddle.device.synchronize()
                return

    def framework_functions(self) -> dict[str, Callable[[Array], Array]]:
        return {
            "relu": functional.relu,
            "relu by maximum": lambda x: xp.maximum(x, 0.0),
            "abs": paddle.abs,
            "hard_tanh": functional.hardtanh,
            "leaky_relu": functional.leaky_relu,
            "elu": functional.elu,
            "selu": functional.selu,
            "gelu": functional.gelu,
            "softplus": functional.softplus,
        }


_on_the_host = _host_draws.on_the_host(lambda x: x.numpy(), asarray)


def _by_elements(key: Array, *parameters: Array | None, **options: Any) -> Any:
    return NotImplemented if key.place.is_gpu_place() else _on_the_host(key, *parameters, **options)


def _threefry2x32(*words: Array) -> tuple[Array, Array] | Any:
    """The same bits on the host: the portable form is 150 calls, of some microseconds each."""
    if words[0].place.is_gpu_place():
        return NotImplemented
    return tuple(asarray(word) for word in _host_threefry.threefry2x32(*(w.numpy() for w in words)))
