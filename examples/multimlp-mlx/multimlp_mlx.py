"""Apple's MLX as a backend of multimlp; derivatives, vectorisation and compilation are MLX's own."""

import types

import mlx.core as mx
import numpy as np

from multimlp.backend import Backend, Capabilities


def without(keyword, function):
    return lambda *args, **others: function(*args, **{k: v for k, v in others.items() if k != keyword})


xp = types.SimpleNamespace(**vars(mx), bool=mx.bool_)  # the standard's names, but for these arguments:
for name in ("arange", "asarray", "eye", "full", "linspace", "ones", "ones_like", "zeros", "zeros_like"):
    setattr(xp, name, without("device", getattr(mx, name)))  # one memory serves all devices
xp.argsort = without("stable", mx.argsort)  # it always is


class MLXBackend(Backend):
    name = "mlx"
    xp = xp
    kernels = types.MappingProxyType({"erf": mx.erf})
    capabilities = Capabilities("native", True, "native", "native", ("mlx",), dtypes=("float32", "bfloat16"))

    def is_array_type(self, cls):
        return issubclass(cls, mx.array)

    def asarray(self, x, *, dtype=None, device=None):
        return mx.array(x, dtype=self.dtype(dtype or self.dtype_name(np.asarray(x).dtype)))

    def to_numpy(self, x):
        return np.array(x.astype(mx.float32) if x.dtype == mx.bfloat16 else x)

    def synchronize(self, *arrays):
        mx.eval(*arrays)

    def value_and_grad(self, function):
        run = mx.value_and_grad(function)
        return lambda arrays: (lambda found: (*found[0], found[1]))(run(arrays))

    def vjp(self, function, arrays):
        return function(arrays), lambda cotangents: tuple(
            mx.vjp(lambda *xs: function(xs), arrays, cotangents)[1]
        )

    def jvp(self, function, arrays, tangents):
        return tuple(tuple(part) for part in mx.jvp(lambda *xs: function(xs), arrays, tangents))

    def vmap(self, function):
        return lambda arrays: tuple(mx.vmap(lambda *xs: function(xs))(*arrays))

    def compile(self, function, compiler=None):
        super().compile(function, compiler)  # refuses an unknown compiler
        return function if compiler == "none" else mx.compile(function)

    def stop_gradient(self, x):
        return mx.stop_gradient(x)
