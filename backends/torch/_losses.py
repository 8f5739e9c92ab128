"""Losses of CPU tensors whose gradient autograd takes in closed form: torch's own, or chains of its operations in place.

A chain writes the loss of each output, or its derivative, into an array of the outputs' shape, in pieces that stay in the cache; the
means over the outputs, and the product with the cotangent, follow while a piece is there. What is not usual, and what `torch.func`, forward
derivatives and recorders see, is the portable body's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from multimlp.backend import OPS
from multimlp.backends.torch._activations import where_made_for
from multimlp.backends.torch._pieces import piece_size
from multimlp.backends.torch._smooth import is_recorded_by_autograd_alone, is_watched

_zero_where_not_above = torch.ops.aten.threshold_backward.grad_input
# What stands in `torch._C._nn` is called in half the time of the same under `torch.ops.aten`.
_squared_into: Any = torch._C._nn.mse_loss
_huber_into: Any = torch._C._nn.huber_loss
_log_sigmoid_into: Any = torch._C._nn.log_sigmoid
_huber_back_into = torch.ops.aten.huber_loss_backward.out
_squared_back_into = torch.ops.aten.mse_loss_backward.grad_input


class Chain(NamedTuple):
    """``value(o, t, w, *scratch, **options)`` writes the losses of the outputs into w, ``slope`` their derivatives, divided by `factor`."""

    name: str
    value: Callable[..., Any]
    scratch: int
    slope: Callable[..., Any]
    scratch_of_slope: int
    factor: float = 1.0
    has_limits: bool = False
    """Whether infinite outputs make a product of infinity and zero, whose limit the portable body knows."""
    back: Callable[..., Any] | None = None
    """``back(g, o, t, d, **options)`` writes the derivatives times one number, which is `factor` times smaller than they are."""
    native: Callable[..., Tensor] | None = None
    """torch's own, ``native(o, t, 0)``, where its derivatives of all orders are right: of few numbers it is recorded in half the time."""


# ---- chains ----------------------------------------------------------------------------------------------------------


def _squared(o: Tensor, t: Tensor, w: Tensor) -> None:
    _squared_into(o, t, 0, out=w)


def _difference(o: Tensor, t: Tensor, d: Tensor) -> None:
    torch.sub(o, t, out=d)


def _absolute(o: Tensor, t: Tensor, w: Tensor) -> None:
    torch.sub(o, t, out=w)
    w.abs_()


def _sign(o: Tensor, t: Tensor, d: Tensor) -> None:
    """NaN at NaN, where torch's own sign is 0: so large a multiple of the difference that anything but 0 is beyond 1, even a subnormal."""
    torch.sub(o, t, out=d)
    large = 1 / torch.finfo(d.dtype).tiny
    d.mul_(large).mul_(large).clamp_(-1, 1)


def _huber(o: Tensor, t: Tensor, w: Tensor, delta: float = 1.0) -> None:
    _huber_into(o, t, 0, delta, out=w)


def _huber_slope(o: Tensor, t: Tensor, d: Tensor, delta: float = 1.0) -> None:
    torch.sub(o, t, out=d)
    d.clamp_(-delta, delta)


def _poisson(o: Tensor, t: Tensor, w: Tensor) -> None:
    torch.exp(o, out=w)
    w.addcmul_(o, t, value=-1)


def _poisson_slope(o: Tensor, t: Tensor, d: Tensor) -> None:
    torch.exp(o, out=d)
    d.sub_(t)


def _binary(o: Tensor, t: Tensor, w: Tensor, linear: Tensor) -> None:
    """o (h - t) - log(sigmoid(|o|)) with h = 1 where o > 0, else 0"""
    _above(o, linear)
    linear.sub_(t).mul_(o)
    torch.abs(o, out=w)
    _log_sigmoid_into(w, out=w)
    torch.sub(linear, w, out=w)


def _binary_slope(o: Tensor, t: Tensor, d: Tensor) -> None:
    torch.sigmoid(o, out=d)
    d.sub_(t)


def _above(x: Tensor, out: Tensor) -> None:
    """1 where x > 0 and at NaN, else 0. (A comparison of random signs takes ten times as long.)"""
    out.fill_(1)
    _zero_where_not_above(out, x, 0, grad_input=out)


def _hinge(o: Tensor, t: Tensor, w: Tensor) -> None:
    """1 - s o with s = 1 where t > 0, else -1, and no less than 0"""
    _above(t, w)
    w.mul_(-2).add_(1).mul_(o).add_(1).clamp_(min=0)


def _hinge_slope(o: Tensor, t: Tensor, d: Tensor, slack: Tensor) -> None:
    _above(t, d)
    d.mul_(-2).add_(1)
    torch.mul(d, o, out=slack)
    slack.add_(1)
    _zero_where_not_above(d, slack, 0, grad_input=d)


def _squared_back(g: Tensor, o: Tensor, t: Tensor, d: Tensor) -> None:
    _squared_back_into(g, o, t, 0, grad_input=d)


def _huber_back(g: Tensor, o: Tensor, t: Tensor, d: Tensor, delta: float = 1.0) -> None:
    _huber_back_into(g, o, t, 0, delta, grad_input=d)


CHAINS = (
    Chain("mean_squared_error", _squared, 0, _difference, 0, 2.0, back=_squared_back, native=_squared_into),
    Chain("mean_absolute_error", _absolute, 0, _sign, 0),
    Chain("huber_loss", _huber, 0, _huber_slope, 0, back=_huber_back),
    Chain("poisson_loss", _poisson, 0, _poisson_slope, 0, has_limits=True),
    Chain("sigmoid_cross_entropy", _binary, 1, _binary_slope, 0, has_limits=True),
    Chain("hinge_loss", _hinge, 0, _hinge_slope, 1),
)


# ---- how they run ----------------------------------------------------------------------------------------------------

_FEW = 4
"""Columns that torch adds one after the other."""


def _pieces(scratch: int, *arrays: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The rows of the arrays, as many as stay in the cache, and scratch like the first of them."""
    first = arrays[0]
    size = max(1, piece_size(first) // first.shape[1])
    work = [first.new_empty((min(size, first.shape[0]), first.shape[1])) for _ in range(scratch)]
    for parts in zip(*[a.split(size) for a in arrays], strict=True):
        yield (*parts, *[w[: parts[0].shape[0]] for w in work])


def _made(outputs: Tensor, count: int) -> list[Tensor] | None:
    """So many arrays like the outputs, where those are a single piece; None where they are more."""
    if outputs.numel() > piece_size(outputs):
        return None
    return [torch.empty_like(outputs) for _ in range(count)]


def _row_means(terms: Tensor, out: Tensor) -> None:
    """torch takes 3 ns to begin a row of few numbers, in float64 15; column by column they have the same bits."""
    k = terms.shape[1]
    if k > _FEW:
        torch.mean(terms, -1, keepdim=True, out=out)
        return
    first, second, *others = terms.split(1, dim=1)
    torch.add(first, second, out=out)
    for column in others:
        out.add_(column)
    out.div_(k)


def _values(chain: Chain, outputs: Tensor, targets: Tensor, options: dict[str, Any]) -> Tensor:
    k = outputs.shape[-1]
    whole = _made(outputs, 1 + chain.scratch)
    if whole is not None:
        chain.value(outputs, targets, *whole, **options)
        return whole[0].squeeze(-1) if k == 1 else whole[0].mean(-1)
    o, t = outputs.reshape(-1, k), targets.reshape(-1, k)
    means = o.new_empty(o.shape[0])
    for a, b, mean, *work in _pieces(chain.scratch + (k > 1), o, t, means.unsqueeze(-1)):
        if k == 1:
            chain.value(a, b, mean, *work, **options)
        else:
            chain.value(a, b, *work, **options)
            _row_means(work[0], mean)
    return means.reshape(outputs.shape[:-1])


def _gradient(
    chain: Chain, cotangent: Tensor, outputs: Tensor, targets: Tensor, options: dict[str, Any]
) -> Tensor:
    k = outputs.shape[-1]
    whole = _made(outputs, 1 + chain.scratch_of_slope)
    if whole is not None:
        chain.slope(outputs, targets, *whole, **options)
        return whole[0].mul_((cotangent * (chain.factor / k)).unsqueeze(-1))
    o, t = outputs.reshape(-1, k), targets.reshape(-1, k)
    found = torch.empty_like(o, memory_format=torch.contiguous_format)
    one = _one_number(cotangent)
    if one is not None and chain.back is not None:
        chain.back(one / k, o, t, found, **options)
        return found.reshape(outputs.shape)
    shares = (cotangent * (chain.factor / k)).reshape(-1, 1)
    for a, b, share, d, *work in _pieces(chain.scratch_of_slope, o, t, shares, found):
        chain.slope(a, b, d, *work, **options)
        d.mul_(share if one is None else share[0, 0])
    return found.reshape(outputs.shape)


def _one_number(cotangent: Tensor) -> Tensor | None:
    """The number that all examples share, as in a mean over them: a product with it is six times as fast as with one a row."""
    low, high = cotangent.aminmax()
    return low if bool(low == high) else None


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, outputs: Tensor, targets: Tensor, chain: Chain, options: dict[str, Any]) -> Tensor:
        ctx.chain, ctx.options = chain, options
        ctx.save_for_backward(outputs, targets)
        return _values(chain, outputs, targets, options)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> Any:
        outputs, targets = ctx.saved_tensors
        if is_watched(cotangent):
            slope = OPS[f"{ctx.chain.name}_gradient"].portable(outputs, targets, **ctx.options)
            return cotangent.unsqueeze(-1) * slope, None, None, None
        return _gradient(ctx.chain, cotangent, outputs, targets, ctx.options), None, None, None


def _fitting(outputs: Tensor, targets: Tensor) -> Tensor | None:
    """The targets in the outputs' shape and dtype; None if they do not fit as they usually do."""
    if targets.ndim == 1 and outputs.ndim == 2 and outputs.shape[1] == 1:
        targets = targets.unsqueeze(-1)
    if targets.shape != outputs.shape or not targets.is_cpu or targets.layout is not torch.strided:
        return None
    if targets.dtype is outputs.dtype:
        return targets
    return None if targets.is_complex() else targets.to(outputs.dtype)


def _chained(chain: Chain) -> Callable[..., Tensor]:
    def kernel(outputs: Tensor, targets: Tensor, *args: Any, **options: Any) -> Tensor:
        if args or outputs.ndim < 2 or not is_recorded_by_autograd_alone() or not _are_numbers(options):
            return NotImplemented
        fitting = _fitting(outputs, targets)
        if fitting is None or (fitting.requires_grad and torch.is_grad_enabled()):
            return NotImplemented
        if outputs.requires_grad and torch.is_grad_enabled():
            if chain.native is not None and outputs.numel() <= piece_size(outputs):
                return chain.native(outputs, fitting, 0).mean(-1)
            values: Tensor = _Loss.apply(outputs, fitting, chain, options)  # type: ignore[no-untyped-call]
        else:
            values = _values(chain, outputs, fitting, options)
        if chain.has_limits and math.isnan(values.detach().sum().item()):
            return NotImplemented
        return values

    return kernel


def _are_numbers(options: dict[str, Any]) -> bool:
    return all(isinstance(option, (int, float)) for option in options.values())


# ---- torch's own -----------------------------------------------------------------------------------------------------


def _cross_entropy(
    outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0, class_weights: Any = None
) -> Tensor:
    usual = outputs.ndim == 2 and targets.ndim == 1 and targets.shape[0] == outputs.shape[0]
    if not usual or label_smoothing or class_weights is not None or targets.dtype not in _LABELS:
        return NotImplemented
    return functional.cross_entropy(
        outputs, targets.to(torch.int64), reduction="none", ignore_index=_NO_LABEL
    )


_NO_LABEL = -(2**63)
"""torch's default, -100, would be a label without a loss."""
_LABELS = frozenset((torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8))


def kernels() -> dict[str, Callable[..., Tensor]]:
    """By operation."""
    found: dict[str, Callable[..., Tensor]] = {chain.name: _chained(chain) for chain in CHAINS}
    found["softmax_cross_entropy"] = _cross_entropy
    return {name: where_made_for(function) for name, function in found.items()}
