"""PyTorch: derivatives and vectorisation by ``torch.func``, compilation by ``torch.compile``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from multimlp import tape
from multimlp.backend import Array, Arrays, Backend, Capabilities, Function, prepare_all
from multimlp.backends import _dlpack, _host_threefry
from multimlp.backends._host_draws import on_the_host
from multimlp.backends._numba import numba_kernels
from multimlp.backends._strides import forward
from multimlp.backends.torch import _control, _custom, _reverse, namespace
from multimlp.backends.torch._activations import kernels as activations
from multimlp.backends.torch._losses import kernels as losses
from multimlp.backends.torch._programs import Programs, has_cxx_compiler
from multimlp.backends.torch._quiet import load_forward_mode
from multimlp.backends.torch._slopes import with_slopes as _with_slopes
from multimlp.backends.torch._threads import torch_threads
from multimlp.backends.torch._tracing import is_tracing, surroundings
from multimlp.distributed import Communicator
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
        compilers=("fx", "inductor", "aot_eager", "eager"),
        epoch="inplace",
        dtypes=("float64", "float32", "bfloat16", "float16"),
        custom_vjp="reverse",
        remat="outermost",
    )

    def __init__(self) -> None:
        self.kernels = {
            "dense": _dense,
            "by_elements": _by_elements,
            "relu": torch.relu,
            "sigmoid": torch.sigmoid,
            "log_sigmoid": torch.nn.functional.logsigmoid,
            "tanh": torch.tanh,
            "erf": namespace.erf,
            "erfc": torch.special.erfc,
            "threefry2x32": _threefry2x32,
            "softmax": lambda x, axis=-1: torch.softmax(x, axis),
            "log_softmax": lambda x, axis=-1: torch.log_softmax(x, axis),
            **activations(),
            **losses(),
        }

    def all_threads(self) -> contextlib.AbstractContextManager[None]:
        return torch_threads(None)

    def one_thread(self) -> contextlib.AbstractContextManager[None]:
        return torch_threads(1)

    def is_array_type(self, cls: type) -> bool:
        return issubclass(cls, torch.Tensor)

    # ---- arrays, dtypes, devices

    def is_floating(self, x: Array) -> bool:
        return x.dtype in _FLOATING  # nothing that dynamo would see change

    def dtype(self, name: str) -> Any:
        return getattr(torch, name) if hasattr(torch, name) else super().dtype(name)

    def communicator(
        self, others: Communicator | None, device: str | None, timeout: float
    ) -> Communicator | None:
        from multimlp.backends.torch._communicator import communicator

        return communicator(others, device, timeout)

    def summed(self, communicator: Communicator, flat: Array) -> Array:
        """By torch's own collective where the communicator is torch's, else in the same memory as NumPy's array on a CPU."""
        own = getattr(communicator, "sum_tensor", None)
        if own is not None:
            own(flat)
            return flat
        if flat.device.type != "cpu":
            return super().summed(communicator, flat)
        host = flat.detach().numpy()
        total = communicator.sum(host)
        return flat if total is host else torch.from_numpy(total)

    def gathered(self, communicator: Communicator, flat: Array) -> Array:
        own = getattr(communicator, "gather_tensor", None)
        return super().gathered(communicator, flat) if own is None else own(flat)

    def inplace_kernels(self, dtype: str, device: str | None) -> Any:
        from multimlp.backends.torch._inplace import TorchKernels

        return TorchKernels(self, dtype, device, torch)

    def compiled_kernels(self, dtype: str, device: str | None) -> Any | str:
        return numba_kernels(dtype, device or torch.get_default_device().type)

    def asarray(self, x: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        wanted = None if dtype is None else self.dtype(dtype)
        place = None if device is None else torch.device(device)
        if isinstance(x, torch.Tensor):
            return x.to(device=place, dtype=wanted)
        host = forward(x, np.float32 if dtype == "bfloat16" else dtype)
        return torch.tensor(host, dtype=wanted, device=place)

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
            missing = re.search(r"Batching rule not implemented for (?:aten::)?(\w+)", text)
            if missing and not re.search("unique|nonzero|mask", missing[1]):
                return CapabilityError(
                    f"{missing[1]}: torch's vmap has no rule for it; write it with other functions, or loop over the rows"
                )
            if missing or "dynamic shape" in text:
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
        def value_and_grad(arrays: Arrays) -> tuple[Array, Arrays, Arrays]:
            if _reverse.is_outermost(arrays):
                return _reverse.value_and_grad(function, arrays)
            gradients, (value, auxiliary) = torch.func.grad_and_value(function, has_aux=True)(arrays)
            return value, auxiliary, gradients

        return value_and_grad

    def final_value_and_grad(
        self, function: Callable[[Arrays], tuple[Array, Arrays]]
    ) -> Callable[[Arrays], tuple[Array, Arrays, Arrays]]:
        by_transform = self.value_and_grad(function)

        def value_and_grad(arrays: Arrays) -> tuple[Array, Arrays, Arrays]:
            if _reverse.records_nothing(arrays):
                return by_transform(arrays)
            return _reverse.value_and_grad(function, arrays, final=True)

        return value_and_grad

    def vjp(self, function: Function, arrays: Arrays) -> tuple[Arrays, Callable[[Arrays], Arrays]]:
        """`torch.func.vjp` takes floating outputs alone: the others come along as auxiliary ones."""
        if _reverse.is_outermost(arrays):
            return _reverse.vjp(function, arrays)
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
        if is_tracing():
            # dynamo's stand-ins for tensors fail where forward derivatives nest
            return super().jvp(function, arrays, tangents)
        load_forward_mode()
        outputs, derivatives = torch.func.jvp(lambda *xs: function(xs), tuple(arrays), tuple(tangents))  # type: ignore[misc]
        return outputs, derivatives

    def vmap(self, function: Function) -> Function:
        if isinstance(function, _reverse.Pullback) and _reverse.is_outermost(()):
            return function.many
        return torch.func.vmap(function)

    def compile(self, function: Function, compiler: str | None = None) -> Function:
        if compiler == "none":
            return function
        super().compile(function, compiler)
        if compiler == "inductor" and not has_cxx_compiler():
            raise CapabilityError(
                "compiler: 'inductor' needs a C++ compiler (g++ or clang++), and none was found on PATH"
            )
        prepare_all(torch.Tensor, [self.dtype(name) for name in self.capabilities.dtypes])
        programs: Function = Programs(function, compiler)
        return programs

    def cond(self, condition: Array, when_true: Function, when_false: Function, arrays: Arrays) -> Arrays:
        return _control.cond(condition, when_true, when_false, arrays)

    def while_loop(
        self, condition: Callable[[Arrays], Array], body: Callable[[Arrays], Arrays], carry: Arrays
    ) -> Arrays:
        return _control.while_loop(condition, body, carry)

    def custom_vjp(
        self,
        function: Function,
        forward: Callable[[Arrays], tuple[Arrays, Arrays]],
        backward: Callable[[Arrays, Arrays], Arrays],
        arrays: Arrays,
    ) -> Arrays:
        return _custom.custom_vjp(function, forward, backward, arrays)

    def custom_jvp(
        self, function: Function, rule: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]], arrays: Arrays
    ) -> Arrays:
        return _custom.custom_jvp(function, rule, arrays)

    def checkpoint(self, function: Function, arrays: Arrays) -> Arrays:
        return _custom.checkpoint(function, arrays)

    def jacobian_products(self, function: Function, arrays: Arrays) -> tuple[Arrays, Function]:
        return (
            self.linearize(function, arrays) if is_tracing() else super().jacobian_products(function, arrays)
        )

    def stop_gradient(self, x: Array) -> Array:
        return tape.stop_gradient(x, _detached)

    def with_slopes(self, value: Array, slopes: Callable[..., Arrays], parameters: Arrays) -> Array:
        return tape.with_slopes(value, slopes, parameters, self, self._with_own_slopes)

    def _with_own_slopes(self, value: Array, slopes: Callable[..., Arrays], parameters: Arrays) -> Array:
        if is_tracing():
            if not any(p.requires_grad for p in parameters):
                return value
        elif not any(map(namespace.may_be_differentiated, parameters)):
            return value
        return _with_slopes(value, slopes, *parameters)


_on_the_host = on_the_host(torch.Tensor.numpy, torch.from_numpy)


def _detached(x: Array) -> Array:
    differentiated = is_tracing() or namespace.may_be_differentiated(x)
    return x.detach() if differentiated else x


def _by_elements(key: Array, first: Array | None = None, second: Array | None = None, **options: Any) -> Any:
    """NumPy's numbers where nothing is compiled or vectorised."""
    if is_tracing() or torch._C._are_functorch_transforms_active():
        return NotImplemented
    if key.device.type != "cpu" or any(x is not None and x.requires_grad for x in (first, second)):
        return NotImplemented
    return _on_the_host(key, first, second, **options)


def _threefry2x32(*words: Array) -> tuple[Array, Array] | Any:
    """With NumPy where the words are on the host and nobody records or transforms what is computed; the same bits, in half the time."""
    transformed = is_tracing() or torch._C._are_functorch_transforms_active() or surroundings(words) is None
    if transformed or any(word.device.type != "cpu" for word in words):
        return NotImplemented
    return tuple(map(torch.from_numpy, _host_threefry.threefry2x32(*(word.numpy() for word in words))))


def _dense(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Any:
    if bias is None or x.ndim != 2 or weight.ndim != 2 or bias.ndim != 1:
        return NotImplemented
    return torch.addmm(bias, x, weight)


def _where(chosen: Sequence[bool], arrays: Arrays) -> Arrays:
    return tuple([a for a, is_chosen in zip(arrays, chosen, strict=True) if is_chosen])


def _was_raised_in_numpy(error: Exception) -> bool:
    """NumPy's reductions call the method of their name, with arguments that a tensor's has not."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and str(frame.tb_frame.f_globals.get("__name__")).startswith("numpy.")
