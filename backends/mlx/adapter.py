"""Adapter for `mlx.core.array`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np

from multimlp import tape
from multimlp.backend import Array, Arrays, Backend, Capabilities, Function
from multimlp.backends._dtype_names import leave_names_to_answer
from multimlp.backends._operators import give_way
from multimlp.backends._strides import forward
from multimlp.backends.mlx import namespace as xp
from multimlp.backends.mlx._assignment import assign_rightly, mapping
from multimlp.backends.mlx._bits import vectorise_rightly
from multimlp.backends.mlx._exact import erfc_kernel
from multimlp.backends.mlx._slopes import with_slopes
from multimlp.errors import CapabilityError, DTypeError, MultimlpError, value_taken

leave_names_to_answer(mx.Dtype)

_ON_CPU = mx.default_device().type == mx.cpu


class MLXBackend(Backend):
    """Derivatives, vectorisation and compilation are MLX's own; arrays are computed late, when their values are asked for."""

    name = "mlx"
    xp = xp
    module = "mlx"
    capabilities = Capabilities(
        autodiff="native",
        forward_mode="native",
        vmap="native",
        compilers=("mlx",),
        custom_vjp="none",
        dtypes=("float64", "float32", "bfloat16", "float16")
        if _ON_CPU
        else ("float32", "bfloat16", "float16"),
    )

    @property
    def version(self) -> str:
        return str(getattr(mx, "__version__", "unknown"))

    def __init__(self) -> None:
        self.kernels = {"erfc": erfc_kernel}
        vectorise_rightly()
        assign_rightly()
        give_way(mx.array)

    def is_array_type(self, cls: type) -> bool:
        return issubclass(cls, mx.array)

    def dtype(self, name: str) -> Any:
        if name == "float64" and not _ON_CPU:
            raise DTypeError(
                "dtype: MLX has 'float64' on the CPU alone; give dtype='float32', or mx.set_default_device(mx.cpu) first"
            )
        return super().dtype(name)

    def asarray(self, x: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        if isinstance(x, mx.array):
            return x if dtype is None else x.astype(self.dtype(dtype))
        host = np.asarray(x)
        name = host.dtype.name if dtype is None else dtype
        wanted = self.dtype(name)
        if name != "bfloat16":
            host = np.asarray(host, dtype=name)  # by NumPy, so that every backend gets the same bits
        elif host.dtype.name == "bfloat16":
            host = host.astype(np.float32)
        return mx.array(forward(host), dtype=wanted)

    def to_numpy(self, x: Array) -> np.ndarray:
        return np.array(x.astype(mx.float32) if x.dtype == mx.bfloat16 else x)

    def devices(self) -> tuple[str, ...]:
        """The one that MLX computes on by default: memory is the same for all of them."""
        return ("cpu",) if _ON_CPU else ("gpu",)

    def device_name(self, x: Array) -> str:
        return self.devices()[0]

    def synchronize(self, *arrays: Array) -> None:
        mx.eval(*arrays)

    # ---- transforms

    def value_and_grad(
        self, function: Callable[[Arrays], tuple[Array, Arrays]]
    ) -> Callable[[Arrays], tuple[Array, Arrays, Arrays]]:
        differentiate = mx.value_and_grad(function)

        def run(arrays: Arrays) -> tuple[Array, Arrays, Arrays]:
            (value, aux), gradients = differentiate(tuple(arrays))
            return value, tuple(aux), tuple(gradients)

        return run

    def vjp(self, function: Function, arrays: Arrays) -> tuple[Arrays, Callable[[Arrays], Arrays]]:
        def pullback(cotangents: Arrays) -> Arrays:
            return tuple(mx.vjp(lambda *xs: list(function(xs)), list(arrays), list(cotangents))[1])

        return tuple(function(arrays)), pullback

    def jvp(self, function: Function, arrays: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
        outputs, slopes = mx.jvp(lambda *xs: list(function(xs)), list(arrays), list(tangents))
        return tuple(outputs), tuple(slopes)

    def stop_gradient(self, x: Array) -> Array:
        return tape.stop_gradient(x, mx.stop_gradient)

    def with_slopes(self, value: Array, slopes: Callable[..., Arrays], parameters: Arrays) -> Array:
        return tape.with_slopes(value, slopes, parameters, self, with_slopes)

    def vmap(self, function: Function) -> Function:
        """MLX's, and the tape's where a row's numbers are asked for, or something has no rule in MLX's."""

        def mapped(arrays: Arrays) -> Arrays:
            try:
                with mapping():
                    return tuple(mx.vmap(lambda *xs: tuple(function(xs)))(*arrays))
            except Exception as error:
                if not _is_beyond_vmap(error):
                    raise
            return super(MLXBackend, self).vmap(function)(arrays)

        return mapped

    def explain(self, error: Exception) -> MultimlpError | None:
        if _ASKED_FOR in str(error) or "eval an array during" in str(error):
            return value_taken("float, bool, int or a NumPy function", self.name)
        if isinstance(error, IndexError) and "_Map_base" in str(error):
            return CapabilityError(
                f"compiler: MLX's own fails on this function ({error}); leave out compiler='mlx', or write the function in parts"
            )
        missing = re.search(r"\[Primitive::(\w+)\] Not implemented for (\w+)", str(error)) or re.search(
            r"^(JVP|VJP) is not implemented for ([^.]+)", str(error)
        )
        if missing:
            return CapabilityError(
                f"{missing[2]}: MLX has no rule for it in {missing[1].lower()}; write it with other functions, or convert the arrays "
                "to another backend: multimlp.convert(x, backend=...)"
            )
        return super().explain(error)

    # ---- programs

    def compile(self, function: Function, compiler: str | None = None) -> Function:
        """On the CPU only when asked for by name: MLX writes C++ there and calls ``g++`` for each kernel, a second or more."""
        self.check_compiler(compiler)
        if compiler == "none" or (compiler is None and _ON_CPU):
            return function
        if _ON_CPU and shutil.which("g++") is None:
            raise CapabilityError(
                "compiler: MLX compiles on the CPU by g++, which is not here; leave the argument out, or install it"
            )
        compiled = mx.compile(lambda *xs: list(function(xs)))
        return lambda arrays: tuple(compiled(*arrays))


_ASKED_FOR = "during function transformations"
"""What MLX says where numbers are asked for that it has not computed."""


def _is_beyond_vmap(error: BaseException | None) -> bool:
    """Whether MLX gave up, and nobody else; a transform inside may have put it in other words."""
    while error is not None:
        if _ASKED_FOR in str(error) or "[Primitive::vmap]" in str(error):
            return True
        error = error.__cause__
    return False
