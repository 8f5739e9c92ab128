"""Kernels of activations on torch: what autograd and `torch.func` make of them, against the portable bodies in float64."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from multimlp import activations  # noqa: E402
from multimlp.backend import load_backend  # noqa: E402
from multimlp.backends.torch import _activations, _pieces  # noqa: E402

load_backend("torch")

CASES = [
    *((name, {}) for name in (*_activations.NATIVE, *_activations.CHAINS)),
    ("gelu", {"approximate": "tanh"}),
    ("elu", {"alpha": 0.5}),
    ("celu", {"alpha": 2.0}),
    ("leaky_relu", {"negative_slope": 0.25}),
    ("leaky_relu", {"negative_slope": 2.0}),
]
every_case = pytest.mark.parametrize(
    ("name", "options"), CASES, ids=["-".join([n, *map(str, o.values())]) for n, o in CASES]
)


def both(name, options):
    operation = activations.get(name)
    return (lambda x: operation(x, **options)), (lambda x: operation.portable(x, **options))


def numbers(size=47, dtype=torch.float64):
    return torch.from_numpy(np.random.default_rng(1).normal(0, 3, size)).to(dtype)


def equal(got, wanted):
    torch.testing.assert_close(got, wanted, rtol=2e-14, atol=2e-15, equal_nan=True)


@every_case
def test_derivatives_of_every_kind(name, options):
    ours, portable = both(name, options)
    x, t = numbers(), numbers() / 2
    f = torch.func
    programs = {
        "value": lambda h: h(x),
        "grad": lambda h: f.grad(lambda v: (h(v) * t).sum())(x),
        "vjp of vjp": lambda h: f.grad(lambda v: (f.vjp(h, v)[1](t)[0] ** 2).sum())(x),
        "third": lambda h: f.vmap(f.grad(f.grad(f.grad(h))))(x),
        "jvp": lambda h: f.jvp(h, (x,), (t,))[1],
        "jvp of jvp": lambda h: f.jvp(lambda v: f.jvp(h, (v,), (t,))[1], (x,), (t,))[1],
        "hessian": lambda h: f.hessian(lambda v: (h(v) * t[:5]).sum())(x[:5]),
        "reverse of forward": lambda h: f.jacrev(f.jacfwd(h))(x[:4]),
        "per example": lambda h: f.vmap(f.grad(lambda v: h(v).sum()), in_dims=1)(x[:46].reshape(2, 23)),
        "jacobian": lambda h: torch.autograd.functional.jacobian(h, x[:5], vectorize=True),
    }
    for what, program in programs.items():
        try:
            equal(program(ours), program(portable))
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from None


@every_case
def test_autograd_and_its_switches(name, options, monkeypatch):
    monkeypatch.setattr(_pieces, "_BYTES", 128)  # pieces of sixteen numbers a thread: one of torch's loops
    ours, portable = both(name, options)
    x = numbers().requires_grad_()
    value = ours(x)
    (wanted,) = torch.autograd.grad(portable(x).sum(), x)
    for _ in range(2):
        equal(torch.autograd.grad(value.sum(), x, retain_graph=True)[0], wanted)
    (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    (curvature,) = torch.autograd.grad(portable(x).sum(), x, create_graph=True)
    if curvature.requires_grad and torch.autograd.grad(curvature.sum(), x, allow_unused=True)[0] is not None:
        (curvature,) = torch.autograd.grad(
            torch.autograd.grad(portable(x).sum(), x, create_graph=True)[0].square().sum(), x
        )
        equal(torch.autograd.grad(slope.square().sum(), x)[0], curvature)
    value = ours(x)
    equal(torch.autograd.grad(value.sum(), x)[0], wanted)  # the last one may take the memory of the slopes
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(value.sum(), x)

    plain = x.detach()
    with torch.no_grad():
        assert torch.equal(ours(x), value)
        assert not ours(x).requires_grad
    with torch.inference_mode():
        assert torch.equal(ours(plain.clone()), value)
    assert torch.equal(ours(plain), value)
    parameter = torch.nn.Parameter(plain.clone())
    ours(parameter).sum().backward()
    equal(parameter.grad, wanted)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(plain, torch.ones_like(plain))
        equal(torch.autograd.forward_ad.unpack_dual(ours(dual)).tangent, wanted)


@every_case
def test_shapes_strides_and_dtypes(name, options, monkeypatch):
    monkeypatch.setattr(_pieces, "_BYTES", 64)
    ours, portable = both(name, options)
    x = numbers(60)
    for given in (
        x.reshape(6, 10).mT,
        x[::3],
        x.reshape(3, 4, 5),
        x[:1].expand(7),
        x[3],
        x[:0],
        x[:0].reshape(0, 3),
    ):
        leaf = given.clone().requires_grad_()
        got = ours(leaf * 1)
        assert got.shape == given.shape
        equal(ours(given), portable(given))
        equal(
            torch.autograd.grad(got.sum(), leaf)[0],
            torch.autograd.grad(portable(leaf).sum(), leaf)[0],
        )
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        half = x.to(dtype)
        wanted = portable(x.to(dtype).to(torch.float64))
        torch.testing.assert_close(
            ours(half).to(torch.float64),
            wanted,
            rtol=4 * torch.finfo(dtype).eps,
            atol=4 * torch.finfo(dtype).eps,
        )
        assert ours(half).dtype is dtype
    before = x.clone()
    ours(x)
    assert torch.equal(x, before)


@every_case
def test_a_trace_holds_for_other_shapes(name, options, monkeypatch):
    monkeypatch.setattr(_pieces, "_BYTES", 64)
    ours, portable = both(name, options)
    with pytest.warns(DeprecationWarning, match="torch.jit.trace"):
        traced = torch.jit.trace(ours, numbers(60))
    equal(traced(numbers(200)), portable(numbers(200)))


@pytest.mark.parametrize(
    ("name", "options"),
    [("leaky_relu", {}), ("leaky_relu", {"negative_slope": 0.0}), ("hard_tanh", {}), ("hard_swish", {})],
    ids=str,
)
@pytest.mark.parametrize(
    "special",
    [(), (np.nan,), (-np.inf,), (np.inf, -np.inf), (0.0, -0.0, 1.0, -1.0), (3.0, -3.0, 3.5, -3.5), (8e307,)],
    ids=str,
)
def test_torchs_own_derivative_serves_where_values_are_finite(name, options, special):
    operation, slopes = activations.get(name), activations.derivative(name)
    x = numbers()
    x[: len(special)] = torch.tensor(special)
    leaf = x.clone().requires_grad_()
    value = operation(leaf, **options)
    custom = "Smooth" in type(value.grad_fn).__name__
    most = 1e307 if name == "hard_swish" else np.inf  # above it torch's own overflows
    assert custom == (not value.isfinite().all() or any(abs(number) > most for number in special))
    (slope,) = torch.autograd.grad(value.sum(), leaf, create_graph=True)
    equal(slope, slopes.portable(x, **options))
    equal(value.detach(), operation.portable(x, **options))
