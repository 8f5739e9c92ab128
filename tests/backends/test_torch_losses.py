"""Losses of torch's CPU tensors: chains in pieces agree with the portable bodies, and autograd differentiates them as often as it likes."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from multimlp import losses, transforms  # noqa: E402
from multimlp.backend import OPS  # noqa: E402
from multimlp.backends.torch._losses import CHAINS  # noqa: E402

BY_CHAIN = {
    "mean_squared_error": losses.mse,
    "mean_absolute_error": losses.mae,
    "huber_loss": losses.huber,
    "poisson_loss": losses.poisson,
    "sigmoid_cross_entropy": losses.binary_cross_entropy,
    "hinge_loss": losses.hinge,
}
NAMES = [chain.name for chain in CHAINS]
DTYPES = [torch.float32, torch.float64]


def data(shape, dtype):
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(shape, dtype=dtype, generator=generator) * 3
    return outputs, (torch.rand(shape, dtype=dtype, generator=generator) > 0.5).to(dtype)


def close(found, expected):
    bound = 20 * torch.finfo(expected.dtype).eps
    torch.testing.assert_close(found, expected, rtol=bound, atol=bound, equal_nan=True)


def _steps(node):
    """What autograd has recorded."""
    return {type(node).__name__}.union(*[_steps(n) for n, _ in node.next_functions if n is not None])


def test_every_chain_has_its_loss():
    assert sorted(BY_CHAIN) == sorted(NAMES)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(5, 3), (120_000, 10), (3, 200_000), (7, 1), (2, 4, 3), (0, 3)], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients_are_those_of_the_portable_body(name, shape, dtype):
    outputs, targets = data(shape, dtype)
    ours, theirs = outputs.clone().requires_grad_(), outputs.clone().requires_grad_()
    value, expected = BY_CHAIN[name](ours, targets), OPS[name].portable(theirs, targets)
    close(value, expected)
    close(BY_CHAIN[name](outputs, targets), expected.detach())
    assert _steps(value.grad_fn) & {"_LossBackward", "MseLossBackward0"}  # not the portable body
    cotangent = torch.randn(value.shape, dtype=dtype)
    pairs = [torch.autograd.grad(v, x, cotangent)[0] for v, x in ((value, ours), (expected, theirs))]
    close(*pairs)


@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("output", [math.inf, -math.inf, math.nan, 0.0, -0.0, 1.0, -1.0])
@pytest.mark.parametrize("name", NAMES)
def test_limits(name, output, target):
    outputs, targets = torch.tensor([[output]]), torch.tensor([[target]])
    close(BY_CHAIN[name](outputs, targets), OPS[name].portable(outputs, targets))
    leaf = outputs.clone().requires_grad_()
    (slope,) = torch.autograd.grad(BY_CHAIN[name](leaf, targets).sum(), leaf)
    expected = OPS[f"{name}_gradient"].portable(outputs, targets)
    if math.isfinite(output):
        close(slope, expected)


@pytest.mark.parametrize("name", NAMES)
def test_higher_derivatives_and_batches_of_cotangents(name):
    outputs, targets = data((4, 3), torch.float64)
    outputs.requires_grad_()

    def function(o):
        return BY_CHAIN[name](o, targets)

    assert torch.autograd.gradcheck(function, (outputs,), check_batched_grad=True, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, (outputs,))
    x = outputs.detach()
    ours, theirs = (
        transforms.hessian(lambda o, f=f: f(o, targets).sum())(x)
        for f in (BY_CHAIN[name], OPS[name].portable)
    )
    close(ours, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_targets_as_they_come(name):
    outputs, _ = data((3, 1), torch.float32)
    expected = OPS[name].portable(outputs, torch.tensor([[0.0], [1.0], [1.0]]))
    for targets in (
        torch.tensor([0, 1, 1]),
        torch.tensor([False, True, True]),
        torch.tensor([[0.0], [1], [1]]).double(),
    ):
        close(BY_CHAIN[name](outputs, targets), expected)
    transposed = data((3, 4), torch.float32)[0].T
    close(BY_CHAIN[name](transposed, torch.ones(4, 3)), OPS[name].portable(transposed, torch.ones(4, 3)))


def test_targets_that_are_differentiated_keep_their_gradient():
    outputs, targets = (torch.ones(2, 2, requires_grad=True) * c for c in (2.0, 1.0))
    slopes = torch.autograd.grad(losses.mse(outputs, targets).sum(), (outputs, targets))
    close(slopes[0], torch.ones(2, 2))
    close(slopes[1], -torch.ones(2, 2))


def test_options_by_place_and_by_name():
    outputs, targets = data((3, 2), torch.float64)
    given = OPS["huber_loss"](outputs, targets, 0.5)
    close(given, OPS["huber_loss"](outputs, targets, delta=0.5))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(5, 3), (7, 1), (2, 4, 3), (120_000, 10)], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_one_cotangent_for_all_examples(name, shape, dtype):
    outputs, targets = data(shape, dtype)
    leaf = outputs.clone().requires_grad_()
    expected = OPS[f"{name}_gradient"].portable(outputs, targets)
    for number in (0.25, 0.0, math.inf, math.nan):
        cotangent = torch.full(shape[:-1], number, dtype=dtype)
        (slope,) = torch.autograd.grad(BY_CHAIN[name](leaf, targets), leaf, cotangent)
        close(slope, number * expected)
