"""PyTorch: the ``out=`` forms of its operations and its fused optimiser kernels, outside autograd.

On a CPU a small step is bound by the overhead of calls (about one micro-second each), so the variants chosen
are those with the cheapest way into the library as well as the fewest passes.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from multimlp.backend import (
    Backend,
    Call,
    FusedUpdate,
    InPlaceActivation,
    Kernels,
    Op,
    Phase,
    Scalars,
    UpdateRule,
    squared,
)
from multimlp.backends._team import Team
from multimlp.backends._threads import own_threads_wanted, threads_for
from multimlp.backends.torch._activations import CHAINS, LINEAR_FROM
from multimlp.backends.torch._graphs import CudaGraphs
from multimlp.backends.torch._pieces import in_pieces
from multimlp.backends.torch._threads import torch_threads

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
_ALL_THREADS_FROM = 1 << 22
"""Operations of the largest product; see `multimlp.backends._threads`."""


def _settle() -> None:
    """What the thread that leads has set for itself; see `TorchKernels.running` and `TorchKernels.threads`."""
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)


_TEAM = Team(_settle)


def _in_place(
    forward: Callable[[torch.Tensor], Any], backward: Callable[[torch.Tensor, torch.Tensor], Any]
) -> InPlaceActivation:
    """From ``forward(y)`` and ``backward(y, d)``."""
    return InPlaceActivation(
        lambda kernels, y: lambda: forward(y), lambda kernels, y, d: lambda: backward(y, d)
    )


def _by_autograd(step: Callable[..., Any]) -> Callable[[torch.Tensor, torch.Tensor], Any]:
    """autograd's own step back from a gradient and the outputs, into the gradient."""
    return lambda y, d: step(d, y, grad_input=d)


def _elu_like(forward: Callable[[torch.Tensor], Any], alpha: float, scale: float) -> InPlaceActivation:
    step = torch.ops.aten.elu_backward.grad_input
    return _in_place(forward, lambda y, d: step(d, alpha, scale, 1.0, True, y, grad_input=d))


def _softplus(y: torch.Tensor) -> None:
    into: Any = torch._C._nn.softplus
    into(y, 1.0, LINEAR_FROM[y.dtype], out=y)


def _adam(
    rule: UpdateRule, p: torch.Tensor, g: torch.Tensor, m: torch.Tensor, v: torch.Tensor
) -> FusedUpdate:
    fused = torch._fused_adamw_ if rule.decoupled else torch._fused_adam_
    options = rule.options
    beta1, beta2, eps, decay = (options[name] for name in ("beta1", "beta2", "eps", "weight_decay"))
    own = torch.zeros((), dtype=torch.float32, device=p.device)
    no_largest: list[torch.Tensor] = []
    lists = ([p], [g], [m], [v], no_largest)

    def update(scalars: Scalars, number: Any) -> None:
        fused(
            *lists,
            [
                own.fill_(number) if type(number) is int else number
            ],  # isinstance of a tensor takes a micro-second
            lr=scalars["learning_rate"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=decay,
            eps=eps,
            amsgrad=False,
            maximize=False,
        )

    return update


def _sgd(rule: UpdateRule, p: torch.Tensor, g: torch.Tensor, *velocity: torch.Tensor) -> FusedUpdate:
    options = rule.options
    momentum, nesterov, decay = options["momentum"], options["nesterov"], options["weight_decay"]

    def update(scalars: Scalars, number: Any) -> None:
        torch._fused_sgd_(
            [p],
            [g],
            list(velocity),
            weight_decay=decay,
            momentum=momentum,
            lr=scalars["learning_rate"],
            dampening=0.0,
            nesterov=nesterov,
            maximize=False,
            is_first_step=False,
        )

    return update


class TorchKernels(Kernels):
    """See the module."""

    activations: ClassVar = {
        "relu": _in_place(torch.relu_, lambda y, d: d.mul_(torch.sign(y, out=y))),
        "tanh": _in_place(torch.tanh_, _by_autograd(torch.ops.aten.tanh_backward.grad_input)),
        "sigmoid": _in_place(torch.sigmoid_, _by_autograd(torch.ops.aten.sigmoid_backward.grad_input)),
        "elu": _elu_like(torch.nn.functional.elu_, 1.0, 1.0),
        "celu": _elu_like(torch.nn.functional.elu_, 1.0, 1.0),
        "selu": _elu_like(torch.selu_, _SELU_ALPHA, _SELU_SCALE),
        "softplus": _in_place(_softplus, lambda y, d: d.mul_(y.neg_().expm1_().neg_())),
    }
    updates: ClassVar = {"adam": _adam, "adamw": _adam, "sgd": _sgd}

    own_threads = True

    def __init__(self, backend: Backend, dtype: str, device: str | None, module: Any) -> None:
        super().__init__(backend, dtype, device, module)
        self._own_threads = own_threads_wanted()
        if device is not None and device.startswith("cuda"):
            self.recorder = CudaGraphs(device)
            self.block_bytes = 1 << 24  # no cache to stay in, but launches to save

    def zeros(self, shape: Sequence[int]) -> torch.Tensor:
        return torch.zeros(tuple(shape), dtype=getattr(torch, self.dtype), device=self.device)

    def transposed(self, x: torch.Tensor) -> torch.Tensor:
        return x.mT

    def copied(self, x: torch.Tensor) -> torch.Tensor:
        return x.clone(memory_format=torch.contiguous_format)

    def host_view(self, x: torch.Tensor) -> np.ndarray | None:
        return x.numpy() if x.device.type == "cpu" else None

    def gather(self, source: torch.Tensor, rows: torch.Tensor, out: torch.Tensor) -> None:
        torch.index_select(source, 0, rows, out=out)

    def running(self) -> contextlib.AbstractContextManager[None]:
        return torch.no_grad()

    @property
    def cuts(self) -> bool:  # type: ignore[override]
        return self.is_cpu and self._own_threads

    @property
    def is_cpu(self) -> bool:
        """Whether the arrays are the host's."""
        return self.device in (None, "cpu")

    def run(self, phases: Sequence[Phase]) -> None:
        _TEAM.run(phases)

    def threads(self, operations: int, own: bool = False) -> contextlib.AbstractContextManager[None]:
        if not self.is_cpu:
            return contextlib.nullcontext()
        return torch_threads(1 if own else threads_for(operations, _ALL_THREADS_FROM))

    # ---- pieces of a step

    def activation(
        self, function: Callable[..., Any], y: torch.Tensor, d: torch.Tensor, **options: Any
    ) -> tuple[Call, Call] | None:
        """Of a chain, values and slopes together, so that the way back is one product."""
        make = CHAINS.get(function.name) if isinstance(function, Op) and y.is_cpu else None
        chain = None if make is None else make(**options)
        if chain is None:
            return None if options else super().activation(function, y, d)
        slopes = torch.empty_like(y)
        return in_pieces(chain.both, (y, y, slopes), chain.scratch_of_both), lambda: d.mul_(slopes)

    def product(self, a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> Call:
        product = torch.mm if out.ndim == 2 else torch.matmul
        return lambda: product(a, b, out=out)

    def copying(self, a: torch.Tensor, out: torch.Tensor) -> Call:
        return lambda: out.copy_(a)

    def softmax_cross_entropy(
        self,
        z: torch.Tensor,
        d: torch.Tensor,
        targets: torch.Tensor,
        scale: torch.Tensor | float,
        sums: torch.Tensor,
        dots: torch.Tensor,
    ) -> Call:
        # With log p at hand the whole loss is one inner product, and nothing is left in ``sums``.
        log_softmax, exp, addcmul = torch.log_softmax, torch.exp, torch.addcmul
        logs, inner = torch.empty_like(z), _inner(targets, z, dots)
        weights = scale if isinstance(scale, torch.Tensor) else torch.full_like(sums, scale)

        def call() -> None:
            log_softmax(z, -2, out=logs)
            exp(logs, out=d)
            addcmul(targets, d, weights, out=d)
            inner(logs)

        return call

    def softmax_cross_entropy_loss(
        self, scale: torch.Tensor | float, sums: torch.Tensor, dots: torch.Tensor
    ) -> torch.Tensor:
        return dots.to(torch.float64)

    def dot(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.dot(a, b)

    def add_scaled(self, a: torch.Tensor, factor: float, b: torch.Tensor) -> torch.Tensor:
        return a.add_(b, alpha=factor)

    # ---- updates

    def fused_update(
        self, rule: UpdateRule, p: torch.Tensor, g: torch.Tensor, slots: Sequence[torch.Tensor]
    ) -> FusedUpdate | None:
        constant = isinstance(rule.options["learning_rate"], (int, float))
        if self.recorder is not None and not constant and self.dtype == "float64":
            return None  # a rate in an array must be float32 for the fused kernels
        return super().fused_update(rule, p, g, slots)

    def clip(self, g: torch.Tensor, limit: float) -> Call:
        most = squared(self.dtype)

        def plain() -> None:
            norm = torch.linalg.vector_norm(g)
            if norm < most:
                g.mul_(limit / norm.clamp_min(limit))
            else:
                in_units()

        def in_units() -> None:
            largest = torch.linalg.vector_norm(g, math.inf)
            unit = torch.where((largest > most) & largest.isfinite(), largest, 1.0)
            norm = torch.linalg.vector_norm(g.div_(unit))
            g.mul_(torch.where(norm > limit / unit, limit / norm, unit))

        # On a GPU nobody waits for the norm, and what is recorded cannot.
        return plain if self.is_cpu and self.recorder is None else in_units


def _inner(targets: torch.Tensor, like: torch.Tensor, out: torch.Tensor) -> Callable[[torch.Tensor], None]:
    """``out = sum(targets * x)`` over the last two axes, for contiguous ``x`` shaped as ``like``."""
    if like.ndim == 2:
        dot, flat = torch.dot, targets.reshape(-1)

        def vector(x: torch.Tensor) -> None:
            dot(flat, x.view(-1), out=out)

        return vector
    work = torch.empty_like(like)

    def stacked(x: torch.Tensor) -> None:
        torch.sum(torch.mul(x, targets, out=work), dim=(-2, -1), out=out)

    return stacked
