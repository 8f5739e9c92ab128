"""PyTorch: derivatives and vectorisation by ``torch.func``, compilation by ``torch.compile``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from multimlp.backend import Array, Arrays, Backend, Capabilities, Function, prepare_all
from multimlp.backends import _dlpack
from multimlp.backends._numba import numba_kernels
from multimlp.backends.torch import namespace
from multimlp.backends.torch._programs import Programs, has_cxx_compiler, warn_of_no_cxx_compiler
from multimlp.backends.torch._quiet import load_forward_mode
from multimlp.backends.torch._threads import torch_threads
from multimlp.errors import CapabilityError, MultimlpError, shape_unknown, value_taken

_FLOATING = frozenset((torch.float64, torch.float32, torch.bfloat16, torch.float16))


class TorchBackend(Backend):
    """Adapter for `torch.Tensor`."""

    name = "torch"
    xp = namespace
    module = "torch"
    capabilities = Capabilities(
        autodiff="native",
        forward_mode="native",
        vmap="native",
        compilers=("inductor", "aot_eager", "eager"),
        epoch="inplace",
        dtypes=("float64", "float32", "bfloat16", "float16"),
    )

    def __init__(self) -> None:
        self.kernels = {
            "relu": torch.relu,
            "sigmoid": torch.sigmoid,
            "log_sigmoid": torch.nn.functional.logsigmoid,
            "tanh": torch.tanh,
            "erf": namespace.erf,
            "erfc": torch.special.erfc,
            "softmax": lambda x, axis=-1: torch.softmax(x, axis),
            "log_softmax": lambda x, axis=-1: torch.log_softmax(x, axis),
        }

    def all_threads(self) -> contextlib.AbstractContextManager[None]:
        return torch_threads(None)

    def is_array_type(self, cls: type) -> bool:
        return issubclass(cls, torch.Tensor)

    # ---- arrays, dtypes, devices

    def is_floating(self, x: Array) -> bool:
        return x.dtype in _FLOATING  # nothing that dynamo would see change

    def dtype(self, name: str) -> Any:
        return getattr(torch, name) if hasattr(torch, name) else super().dtype(name)

    def inplace_kernels(self, dtype: str, device: str | None) -> Any:
        from multimlp.backends.torch._inplace import TorchKernels

        return TorchKernels(self, dtype, device, torch)

    def compiled_kernels(self, dtype: str, device: str | None) -> Any | str:
        on_host = device == "cpu" or (device is None and torch.get_default_device().type == "cpu")
        return numba_kernels(dtype) if on_host else f"Numba's kernels work on the host, not on {device}"

    def asarray(self, x: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        wanted = None if dtype is None else self.dtype(dtype)
        place = None if device is None else torch.device(device)
        if isinstance(x, torch.Tensor):
            return x.to(device=place, dtype=wanted)
        if dtype == "bfloat16":
            return torch.tensor(np.asarray(x, dtype=np.float32), dtype=torch.bfloat16, device=place)
        host = np.asarray(x, dtype=dtype, order="C")  # torch knows no negative strides
        return torch.tensor(host, device=place)

    def share(self, x: Array) -> Array | None:
        return _dlpack.share(torch.from_dlpack, x)

    def to_numpy(self, x: Array) -> np.ndarray:
        x = x.detach().resolve_conj().resolve_neg().cpu()
        if x.dtype is torch.bfloat16:
            return x.to(torch.float32).numpy()
        return x.numpy()

    def devices(self) -> tuple[str, ...]:
        cuda = (
            tuple(f"cuda:{i}" for i in range(torch.cuda.device_count())) if torch.cuda.is_available() else ()
        )
        metal = ("mps",) if torch.backends.mps.is_available() else ()
        return ("cpu", *cuda, *metal)

    def device_name(self, x: Array) -> str:
        return str(x.device)

    def synchronize(self, *arrays: Array) -> None:
        if any(a.is_cuda for a in arrays):
            torch.cuda.synchronize()

    def framework_functions(self) -> dict[str, Callable[[Array], Array]]:
        functional = torch.nn.functional
        return {
            "relu": functional.relu,
            "relu by maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
            "abs": torch.abs,
            "hard_tanh": functional.hardtanh,
            "leaky_relu": functional.leaky_relu,
            "elu": functional.elu,
            "selu": functional.selu,
            "gelu": functional.gelu,
            "softplus": functional.softplus,
        }

    # ---- transforms

    def explain(self, error: Exception) -> MultimlpError | None:
        text = str(error)
        if isinstance(error, RuntimeError):
            if "dynamic shape" in text or "Batching rule not implemented" in text:
                return shape_unknown("x[mask], nonzero or unique_*", self.name)
            if ".item()" in text or "data-dependent control flow" in text:
                return value_taken("float(), int(), bool() or if", self.name)
            if "call numpy() on" in text or "doesn't have storage" in text:
                return value_taken("a NumPy function", self.name)
        if isinstance(error, TypeError) and _was_raised_in_numpy(error):
            return value_taken("a NumPy function", self.name)
        return super().explain(error)

    def value_and_grad(
        self, function: Callable[[Arrays], tuple[Array, Arrays]]
    ) -> Callable[[Arrays], tuple[Array, Arrays, Arrays]]:
        transformed = torch.func.grad_and_value(function, has_aux=True)

        def value_and_grad(arrays: Arrays) -> tuple[Array, Arrays, Arrays]:
            gradients, (value, auxiliary) = transformed(arrays)
            return value, auxiliary, gradients

        return value_and_grad

    def final_value_and_grad(
        self, function: Callable[[Arrays], tuple[Array, Arrays]]
    ) -> Callable[[Arrays], tuple[Array, Arrays, Arrays]]:
        def value_and_grad(arrays: Arrays) -> tuple[Array, Arrays, Arrays]:
            leaves = tuple(a.detach().requires_grad_() for a in arrays)
            with torch.enable_grad():
                value, auxiliary = function(leaves)
            if not value.requires_grad:
                return value, auxiliary, tuple(torch.zeros_like(a) for a in arrays)
            gradients = torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True)
            return value.detach(), tuple(a.detach() for a in auxiliary), gradients

        return value_and_grad

    def vjp(self, function: Function, arrays: Arrays) -> tuple[Arrays, Callable[[Arrays], Arrays]]:
        """`torch.func.vjp` takes floating outputs alone: the others come along as auxiliary ones."""
        floating: tuple[bool, ...] = ()

        def parts(*xs: Array) -> tuple[Arrays, Arrays]:
            nonlocal floating
            outputs = function(xs)
            floating = tuple([torch.is_floating_point(o) for o in outputs])
            return _where(floating, outputs), _where([not f for f in floating], outputs)

        smooth, pullback, others = torch.func.vjp(parts, *arrays, has_aux=True)  # type: ignore[misc]
        first, second = iter(smooth), iter(others)
        outputs = tuple([next(first) if f else next(second) for f in floating])
        return outputs, lambda cotangents: pullback(_where(floating, cotangents))

    def jvp(self, function: Function, arrays: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
        if torch.compiler.is_compiling():
            # dynamo's stand-ins for tensors fail where forward derivatives nest
            return super().jvp(function, arrays, tangents)
        load_forward_mode()
        outputs, derivatives = torch.func.jvp(lambda *xs: function(xs), tuple(arrays), tuple(tangents))  # type: ignore[misc]
        return outputs, derivatives

    def vmap(self, function: Function) -> Function:
        return torch.func.vmap(function)

    def compile(self, function: Function, compiler: str | None = None) -> Function:
        if compiler == "none":
            return function
        super().compile(function, compiler)
        chosen = compiler or self.capabilities.compilers[0]
        if chosen == "inductor" and not has_cxx_compiler():
            if compiler is not None:
                raise CapabilityError(
                    "compiler: 'inductor' needs a C++ compiler (g++ or clang++), and none was found on PATH"
                )
            warn_of_no_cxx_compiler()
            return function
        prepare_all(torch.Tensor, [self.dtype(name) for name in self.capabilities.dtypes])
        programs: Function = Programs(function, chosen)
        return programs

    def stop_gradient(self, x: Array) -> Array:
        differentiated = torch.compiler.is_compiling() or namespace.may_be_differentiated(x)
        return x.detach() if differentiated else x


def _where(chosen: Sequence[bool], arrays: Arrays) -> Arrays:
    return tuple([a for a, is_chosen in zip(arrays, chosen, strict=True) if is_chosen])


def _was_raised_in_numpy(error: Exception) -> bool:
    """NumPy's reductions call the method of their name, with arguments that a tensor's has not."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and str(frame.tb_frame.f_globals.get("__name__")).startswith("numpy.")
