"""Activations of CPU tensors: torch's own where they agree with the portable definitions, else chains of its operations in place.

A chain is ``both(x, y, d, *scratch)``, which writes values into ``y`` and derivatives into ``d``, and a shorter one of the same
bits for values alone. ``y`` is written when ``x`` has been read for the last time, so that training may give one array for both.
Arguments of gates are cut off where the gate is constant: its slope, zero, must not meet an infinity.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from multimlp.backend import OPS
from multimlp.backends.torch._pieces import filled
from multimlp.backends.torch._smooth import (
    Function,
    forward_derivatives_nest,
    is_recorded,
    is_recorded_by_autograd_alone,
    smooth,
)
from multimlp.backends.torch._tracing import is_compiling

_END = 800.0
"""The logistic function is 0 or 1 there in both formats."""
_MISH_END = 40.0
"""tanh(log(1 + exp x)) is 1 there in both formats, and exp(2 x) overflows in neither."""
_GELU_END = 30.0
"""erfc is 0 or 2 there in both formats."""
_GELU_TANH_END = 25.0
_INNER = -math.sqrt(0.5)
_DENSITY = -1 / math.sqrt(math.pi)
_LINEAR = 2 * math.sqrt(2 / math.pi)
_CUBIC = _LINEAR * 0.044715

# Functions under `torch.nn.functional` that are written in Python take twice as long for few numbers.
_elu_of: Any = torch._C._nn.elu
_hard_sigmoid: Any = torch._C._nn.hardsigmoid
_hard_swish_of: Any = torch._C._nn.hardswish
_hard_tanh_of: Any = torch._C._nn.hardtanh
_leaky_relu: Any = torch._C._nn.leaky_relu
_silu: Any = torch._C._nn.silu
_zero_where_not_above = torch.ops.aten.threshold_backward.grad_input


# ---- chains ----------------------------------------------------------------------------------------------------------


def _is_finite(y: Tensor) -> bool:
    """Whether it is known that all numbers are; the sum takes a fraction of the time of a chain."""
    return math.isfinite(y.sum().item())


def _softsign(x: Tensor, y: Tensor) -> None:
    torch.abs(x, out=y)
    y.add_(1)
    torch.div(x, y, out=y)


def _softsign_both(x: Tensor, y: Tensor, d: Tensor) -> None:
    torch.abs(x, out=d)
    d.add_(1)
    torch.div(x, d, out=y)
    d.reciprocal_()
    d.mul_(d)


def _silu_both(x: Tensor, y: Tensor, d: Tensor, t: Tensor) -> None:
    """``s - s silu(-x)``, where silu(-x) is ``-x (1 - s)`` with the digits of 1 - s; torch's own subtracts."""
    torch.neg(x, out=t)
    t.clamp_(-_END, _END)
    _silu(t, out=t)
    torch.sigmoid(x, out=d)
    torch.addcmul(d, d, t, value=-1, out=d)
    _silu(x, out=y)


def _mish_gate(x: Tensor, c: Tensor, u: Tensor, n: Tensor) -> None:
    """c: x within bounds; u: exp c; n: ``u (u + 2)``. The gate is ``n / (n + 2)``."""
    torch.clamp(x, -_END, _MISH_END, out=c)
    torch.exp(c, out=u)
    torch.add(u, 2, out=n)
    n.mul_(u)


def _mish(x: Tensor, y: Tensor, u: Tensor, n: Tensor) -> None:
    _mish_gate(x, y, u, n)
    torch.add(n, 2, out=u)
    torch.div(n, u, out=y)
    y.mul_(x)


def _mish_both(x: Tensor, y: Tensor, d: Tensor, c: Tensor, u: Tensor) -> None:
    """The slope is the gate and ``4 c (n - u) / (n + 2)^2``."""
    _mish_gate(x, c, u, d)
    torch.sub(d, u, out=u)
    c.mul_(u)
    torch.add(d, 2, out=u)
    d.div_(u)
    c.div_(u)
    torch.mul(d, x, out=y)
    torch.addcdiv(d, c, u, value=4, out=d)


def _gelu(x: Tensor, y: Tensor) -> None:
    torch.mul(x, _INNER, out=y)
    torch.special.erfc(y, out=y)
    y.mul_(0.5).mul_(x)


def _gelu_both(x: Tensor, y: Tensor, d: Tensor, c: Tensor, t: Tensor) -> None:
    """With ``c = -x / sqrt 2`` the slope is ``erfc(c) / 2 - c exp(-c^2) / sqrt pi``."""
    torch.mul(x, _INNER, out=c)
    c.clamp_(-_GELU_END, _GELU_END)
    torch.mul(c, c, out=d)
    d.neg_().exp_()
    torch.special.erfc(c, out=t)
    t.mul_(0.5)
    torch.addcmul(t, c, d, value=_DENSITY, out=d)
    torch.mul(t, x, out=y)


def _gelu_tanh(x: Tensor, y: Tensor) -> None:
    torch.mul(x, x, out=y)
    y.mul_(_CUBIC).add_(_LINEAR).mul_(x).sigmoid_().mul_(x)


def _gelu_tanh_both(x: Tensor, y: Tensor, d: Tensor, c: Tensor, t: Tensor) -> None:
    """With z the argument of the logistic function s, the slope is ``s (1 + x z' (1 - s))``."""
    torch.clamp(x, -_GELU_TANH_END, _GELU_TANH_END, out=c)
    torch.mul(c, c, out=t)
    torch.mul(t, _CUBIC, out=d)
    d.add_(_LINEAR).mul_(c)
    t.mul_(3 * _CUBIC).add_(_LINEAR)
    c.mul_(t)
    torch.neg(d, out=t)
    t.sigmoid_().mul_(c).add_(1)
    d.sigmoid_()
    torch.mul(d, x, out=y)
    d.mul_(t)


def _leaky_both(slope: float, x: Tensor, y: Tensor, d: Tensor) -> None:
    """torch's own derivative at NaN is the slope."""
    d.fill_(1)
    _zero_where_not_above(d, x, 0, grad_input=d)
    d.clamp_(min=slope)
    _leaky_relu(x, slope, out=y)


def _inside(x: Tensor, d: Tensor, t: Tensor, end: float, slope: float) -> None:
    """d: the slope where -end < x < end and at NaN, else 0. (A comparison of random signs takes ten times as long.)"""
    d.fill_(slope)
    _zero_where_not_above(d, x, -end, grad_input=d)
    torch.neg(x, out=t)
    _zero_where_not_above(d, t, -end, grad_input=d)


def _hard_tanh(x: Tensor) -> Tensor:
    y: Tensor = _hard_tanh_of(x, -1.0, 1.0)
    return y


def _hard_tanh_both(x: Tensor, y: Tensor, d: Tensor, t: Tensor) -> None:
    _inside(x, d, t, 1.0, 1.0)
    torch.clamp(x, -1, 1, out=y)


def _hard_sigmoid_both(x: Tensor, y: Tensor, d: Tensor, t: Tensor) -> None:
    _inside(x, d, t, 3.0, 1 / 6)
    _hard_sigmoid(x, out=y)


def _single_hard_sigmoid(x: Tensor) -> Tensor:
    """In float64 the slope of torch's own is that of float32."""
    return _hard_sigmoid(x) if x.dtype is torch.float32 else NotImplemented


def _hard_swish(x: Tensor, y: Tensor, t: Tensor) -> None:
    """x times the hard sigmoid of x, which is cut off so that no infinity meets zero."""
    _hard_sigmoid(x, out=t)
    torch.clamp(x, min=-3, out=y)
    y.mul_(t)


def _hard_swish_alone(x: Tensor) -> Tensor:
    """torch's own multiplies by 6 first."""
    if is_recorded_by_autograd_alone():
        y = _hard_swish_of(x)
        if _is_finite(y):
            return y
    return filled(_hard_swish, x, 1, 1)[0]


def _hard_swish_both(x: Tensor, y: Tensor, d: Tensor, t: Tensor) -> None:
    """The slope is the hard sigmoid, and ``x / 6`` inside."""
    _inside(x, d, t, 3.0, 1 / 6)
    torch.clamp(x, -3, 3, out=t)
    d.mul_(t)
    _hard_swish(x, y, t)
    d.add_(t)


# ---- the table -------------------------------------------------------------------------------------------------------


class Chain(NamedTuple):
    """How values, and values with slopes, are computed, and how many arrays each needs besides."""

    value: Callable[..., Any]
    scratch: int | None
    """None: ``value(x)`` is torch's own and returns an array."""
    both: Callable[..., Any]
    scratch_of_both: int
    native: Function | None = None
    """torch's own with its derivative, which is right where all values are finite; NotImplemented for dtypes of which it is not."""


def _leaky(negative_slope: Any = 0.01) -> Chain | None:
    if not isinstance(negative_slope, (int, float)) or not 0 <= negative_slope <= 1:
        return None
    slope = float(negative_slope)
    native: Function = lambda x: _leaky_relu(x, slope)  # noqa: E731
    return Chain(native, None, functools.partial(_leaky_both, slope), 0, native)


def _either_gelu(approximate: str = "none") -> Chain:
    if approximate == "tanh":
        return Chain(_gelu_tanh, 0, _gelu_tanh_both, 2)
    return Chain(_gelu, 0, _gelu_both, 2)


CHAINS: dict[str, Callable[..., Chain | None]] = {
    "softsign": lambda: Chain(_softsign, 0, _softsign_both, 0),
    "silu": lambda: Chain(_silu, None, _silu_both, 1),
    "mish": lambda: Chain(_mish, 2, _mish_both, 2),
    "gelu": _either_gelu,
    "leaky_relu": _leaky,
    "hard_tanh": lambda: Chain(_hard_tanh, None, _hard_tanh_both, 1, _hard_tanh),
    "hard_sigmoid": lambda: Chain(_hard_sigmoid, None, _hard_sigmoid_both, 1, _single_hard_sigmoid),
    "hard_swish": lambda: Chain(_hard_swish_alone, None, _hard_swish_both, 1, _hard_swish_of),
}
"""By operation; called with its options. None: these options are not covered."""

LINEAR_FROM = {torch.float32: 88.0, torch.float64: 709.0}
"""log(1 + exp x) is x there. torch's default, 20, is 2e-9 off, and has no slope of its own below it."""


def _softplus(x: Tensor) -> Tensor:
    return functional.softplus(x, 1.0, LINEAR_FROM[x.dtype])


def _elu(x: Tensor, alpha: Any = 1.0) -> Tensor:
    return _elu_of(x, alpha) if isinstance(alpha, (int, float)) else NotImplemented


def _celu(x: Tensor, alpha: Any = 1.0) -> Tensor:
    return torch.celu(x, alpha) if isinstance(alpha, (int, float)) else NotImplemented


NATIVE: dict[str, Callable[..., Tensor]] = {
    "softplus": _softplus,
    "elu": _elu,
    "selu": torch.selu,
    "celu": _celu,
}


def kernels() -> dict[str, Callable[..., Tensor]]:
    """All of them, by operation, for whatever tensor: what they are not made for is left to the portable body."""
    found = {name: where_made_for(function) for name, function in NATIVE.items()}
    return found | {name: where_made_for(_chained(name, chain)) for name, chain in CHAINS.items()}


def where_made_for(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A kernel that leaves to the portable body what is compiled or traced, of half precision, or on another device."""

    @functools.wraps(function)
    def kernel(x: Tensor, *args: Any, **options: Any) -> Tensor:
        if (
            is_compiling()  # the compiler makes one loop of the portable body
            or (x.dtype is not torch.float32 and x.dtype is not torch.float64)
            or not x.is_cpu
            or x.layout is not torch.strided
            or torch._C._is_tracing()
        ):
            return NotImplemented
        return function(x, *args, **options)

    return kernel


def _chained(name: str, chain: Callable[..., Chain | None]) -> Callable[..., Tensor]:
    plain = functools.cache(lambda: _function(name, chain, (), ()))

    def kernel(x: Tensor, *args: Any, **options: Any) -> Tensor:
        if not args and not options:
            return plain()(x)  # type: ignore[misc]
        if any(isinstance(option, Tensor) for option in (*args, *options.values())):
            return NotImplemented
        function = _function(name, chain, args, tuple(options.items()))
        return NotImplemented if function is None else function(x)

    return kernel


@functools.lru_cache(maxsize=64)
def _function(name: str, chain: Callable[..., Chain | None], args: Any, named: Any) -> Function | None:
    options = dict(named)
    found = chain(*args, **options)
    if found is None:
        return None
    portable = OPS[f"{name}_derivative"].portable
    differentiable = smooth(found.both, found.scratch_of_both, lambda x: portable(x, *args, **options))
    value, scratch, native = found.value, found.scratch, found.native

    def function(x: Tensor) -> Tensor:
        if is_recorded(x):
            if native is not None and is_recorded_by_autograd_alone():
                y = native(x)
                if y is not NotImplemented and _is_finite(y.detach()):
                    return y
            return NotImplemented if forward_derivatives_nest() else differentiable(x)
        return value(x) if scratch is None else filled(value, x, 1, scratch)[0]

    return function
