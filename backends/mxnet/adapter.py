"""The MXNet adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mxnet as mx
import numpy as np

from multimlp.backend import Array, Backend, Capabilities
from multimlp.backends import _host_draws, _host_threefry
from multimlp.backends._operators import give_way
from multimlp.backends.mxnet import namespace as xp
from multimlp.backends.mxnet._dtypes import asarray


class MXNetBackend(Backend):
    """Adapter for `mxnet.np.ndarray`."""

    name = "mxnet"
    xp = xp
    module = "mxnet"
    capabilities = Capabilities(dtypes=("float64", "float32", "float16"))

    def __init__(self) -> None:
        give_way(mx.np.ndarray)
        self.kernels = {"by_elements": _by_elements, "erf": mx.npx.erf, "threefry2x32": _threefry2x32}

    def is_array_type(self, cls: type) -> bool:
        return issubclass(cls, mx.np.ndarray)

    # ---- arrays, dtypes, devices

    def dtype(self, name: str) -> Any:
        return np.dtype(super().dtype(name))

    def dtype_name(self, dtype: Any) -> str:
        return np.dtype(dtype).name

    def asarray(self, x: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        return asarray(x, dtype=None if dtype is None else self.dtype(dtype), device=device)

    def to_numpy(self, x: Array) -> np.ndarray:
        return x.asnumpy()

    def devices(self) -> tuple[str, ...]:
        return ("cpu", *(f"cuda:{i}" for i in range(mx.device.num_gpus())))

    def device_name(self, x: Array) -> str:
        return f"cuda:{x.device.device_id}" if x.device.device_type == "gpu" else "cpu"

    def synchronize(self, *arrays: Array) -> None:
        for array in arrays:
            array.wait_to_read()

    def framework_functions(self) -> dict[str, Callable[[Array], Array]]:
        leaky, activation = mx.npx.leaky_relu, mx.npx.activation
        return {
            "relu": mx.npx.relu,
            "relu by maximum": lambda x: mx.np.maximum(x, 0),
            "abs": mx.np.abs,
            "hard_tanh": lambda x: mx.np.clip(x, -1, 1),
            "leaky_relu": leaky,
            "elu": lambda x: leaky(x, act_type="elu", slope=1.0),
            "selu": lambda x: leaky(x, act_type="selu"),
            "gelu": lambda x: leaky(x, act_type="gelu"),
            "softplus": lambda x: activation(x, act_type="softrelu"),
        }


_on_the_host = _host_draws.on_the_host(lambda x: x.asnumpy(), asarray)


def _by_elements(key: Array, *parameters: Array | None, **options: Any) -> Any:
    return NotImplemented if key.device.device_type == "gpu" else _on_the_host(key, *parameters, **options)


def _threefry2x32(*words: Array) -> tuple[Array, Array] | Any:
    """The same bits on the host: the portable form is 150 calls, of some 30 microseconds each."""
    if words[0].device.device_type == "gpu":
        return NotImplemented
    return tuple(asarray(word) for word in _host_threefry.threefry2x32(*(w.asnumpy() for w in words)))
