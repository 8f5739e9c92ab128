"""Every optimiser against torch, optax or a reference in float64, on every library, eager and compiled."""

from __future__ import annotations

import json
import math
import pickle
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
from libraries import COMPILED, NAMES, convert, every_library

from multimlp import optimizers, schedules, tree
from multimlp.backend import array_namespace, load_backend
from multimlp.errors import DTypeError, InputError

RNG = np.random.default_rng(1)
STEPS = 12


class Layer(NamedTuple):
    weight: object
    bias: object


PARAMS = (
    Layer(RNG.standard_normal((4, 3)), RNG.standard_normal(3)),
    Layer(RNG.standard_normal((3, 2)), None),
)
LEAVES = tree.leaves(PARAMS)
GRADS = [[RNG.standard_normal(p.shape) for p in LEAVES] for _ in range(STEPS)]
FACTOR = 0.1 + np.arange(STEPS) / 10


def step_of_sgd(lr, h, g, s, t):
    s["u"] = h["momentum"] * s["u"] + g
    return lr * (g + h["momentum"] * s["u"] if h["nesterov"] else s["u"])


def step_of_adagrad(lr, h, g, s, t):
    s["a"] = s["a"] + g**2
    return lr * g / root(s["a"], h)


def root(squares, h):
    return np.sqrt(squares + h["eps"]) if h["eps_in_sqrt"] else np.sqrt(squares) + h["eps"]


def step_of_rmsprop(lr, h, g, s, t):
    s["v"] = h["rho"] * s["v"] + (1 - h["rho"]) * g**2
    s["u"] = h["momentum"] * s["u"] + g / root(s["v"], h)
    return lr * s["u"]


def step_of_adam(lr, h, g, s, t):
    b1, b2 = h["beta1"], h["beta2"]
    s["m"], s["v"] = b1 * s["m"] + (1 - b1) * g, b2 * s["v"] + (1 - b2) * g**2
    if h["eps_hat"]:
        return lr * np.sqrt(1 - b2**t) / (1 - b1**t) * s["m"] / (np.sqrt(s["v"]) + h["eps"])
    return lr * s["m"] / (1 - b1**t) / (np.sqrt(s["v"] / (1 - b2**t)) + h["eps"])


def step_of_nadam(lr, h, g, s, t):
    b1, b2 = h["beta1"], h["beta2"]
    s["m"], s["v"] = b1 * s["m"] + (1 - b1) * g, b2 * s["v"] + (1 - b2) * g**2
    m = b1 * s["m"] / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
    return lr * m / (np.sqrt(s["v"] / (1 - b2**t)) + h["eps"])


def step_of_lion(lr, h, g, s, t):
    step = lr * np.sign(h["beta1"] * s["m"] + (1 - h["beta1"]) * g)
    s["m"] = h["beta2"] * s["m"] + (1 - h["beta2"]) * g
    return step


class Row(NamedTuple):
    """What an optimiser is compared with, and at which options."""

    step: Any
    """``step(lr, options, g, state, t)`` -> what is taken off the parameters, by the docstring's formula."""
    cases: dict
    """Label -> options; a learning rate of 0.1 unless they say another."""
    decoupled: bool = False
    torch: Any = MappingProxyType({})
    """Label -> (class of torch.optim, its options)."""
    optax: Any = MappingProxyType({})
    """Label -> function of optax that makes the same."""


SCHEDULE = schedules.warm_up(3, schedules.cosine(0.1, 9))
CLIPPED = {"clip_norm": 0.5}
ROWS = {
    "sgd": Row(
        step_of_sgd,
        {
            "": {},
            "decay": {"weight_decay": 0.1},
            "momentum": {"momentum": 0.9},
            "nesterov": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.05},
            "clipped": CLIPPED,
            "scheduled": {"learning_rate": schedules.step(0.1, 2), "momentum": 0.9},
        },
        torch={
            "": ("SGD", {}),
            "decay": ("SGD", {"weight_decay": 0.1}),
            "momentum": ("SGD", {"momentum": 0.9}),
            "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.05}),
        },
        optax={"nesterov": lambda o: o.chain(o.add_decayed_weights(0.05), o.sgd(0.1, 0.9, nesterov=True))},
    ),
    "adagrad": Row(
        step_of_adagrad,
        {
            "": {"weight_decay": 0.1},
            "start": {"initial_accumulator": 0.5},
            "inside": {"eps": 1e-3, "eps_in_sqrt": True, "initial_accumulator": 0.1},
        },
        torch={
            "": ("Adagrad", {"weight_decay": 0.1}),
            "start": ("Adagrad", {"initial_accumulator_value": 0.5}),
        },
        optax={"inside": lambda o: o.adagrad(0.1, 0.1, 1e-3)},
    ),
    "rmsprop": Row(
        step_of_rmsprop,
        {
            "": {"rho": 0.9, "weight_decay": 0.1},
            "momentum": {"momentum": 0.8},
            "inside": {"rho": 0.9, "eps": 1e-3, "eps_in_sqrt": True},
            "inside, momentum": {"eps": 1e-3, "eps_in_sqrt": True, "momentum": 0.8},
        },
        torch={
            "": ("RMSprop", {"alpha": 0.9, "weight_decay": 0.1}),
            "momentum": ("RMSprop", {"momentum": 0.8}),
        },
        optax={
            "": lambda o: o.chain(o.add_decayed_weights(0.1), o.rmsprop(0.1, 0.9, eps_in_sqrt=False)),
            "inside": lambda o: o.rmsprop(0.1, 0.9, 1e-3),
        },
    ),
    "adam": Row(
        step_of_adam,
        {
            "": {},
            "decay": {"beta1": 0.5, "beta2": 0.9, "eps": 1e-3, "weight_decay": 0.1},
            "no momentum": {"beta1": 0.0},
            "clipped": CLIPPED,
            "hat": {"eps": 1e-2, "eps_hat": True},
        },
        torch={
            "": ("Adam", {}),
            "decay": ("Adam", {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
        },
        optax={
            "": lambda o: o.adam(0.1),
            "clipped": lambda o: o.chain(o.clip_by_global_norm(0.5), o.adam(0.1)),
        },
    ),
    "adamw": Row(
        step_of_adam,
        {
            "": {"weight_decay": 0.2},
            "scheduled": {"learning_rate": SCHEDULE, "weight_decay": 0.2},
            "hat": {"weight_decay": 0.2, "eps": 1e-2, "eps_hat": True},
        },
        decoupled=True,
        torch={"": ("AdamW", {"weight_decay": 0.2})},
        optax={"": lambda o: o.adamw(0.1, weight_decay=0.2)},
    ),
    "nadam": Row(step_of_nadam, {"": {}}, optax={"": lambda o: o.nadam(0.1)}),
    "lion": Row(
        step_of_lion,
        {"": {"weight_decay": 0.1}},
        decoupled=True,
        optax={"": lambda o: o.lion(0.1, weight_decay=0.1)},
    ),
}


def labelled(choose):
    """``"optimizer label"`` -> what a row has under this label."""
    return {
        f"{name} {label}".strip(): found for name, row in ROWS.items() for label, found in choose(row).items()
    }


CASES = {
    f"{name} {label}".strip(): optimizers.get({"name": name, "options": {"learning_rate": 0.1, **options}})
    for name, row in ROWS.items()
    for label, options in row.cases.items()
}
FIRST_ORDER = [name for name in optimizers.names() if not optimizers.get(name).full_batch]


def test_the_table_covers_every_name():
    assert sorted(ROWS) == sorted(FIRST_ORDER)


def reference(name, h, params, gradients):
    """The formulas of the docstrings, one number at a time in effect: no trees, no rules, no shared code."""
    rate = h["learning_rate"]
    rate = rate if callable(rate) else lambda t, value=rate: value
    state = [{"a": h.get("initial_accumulator", 0.0), "m": 0.0, "v": 0.0, "u": 0.0} for _ in params]
    params = [p.copy() for p in params]
    for t, grads in enumerate(gradients, start=1):
        lr, decay = rate(t - 1), h["weight_decay"]
        if h["clip_norm"]:
            norm = math.sqrt(math.fsum(float(v) ** 2 for g in grads for v in g.ravel()))
            grads = [g * min(1.0, h["clip_norm"] / norm) for g in grads]
        for p, g, s in zip(params, grads, state, strict=True):
            if ROWS[name].decoupled:
                p -= lr * decay * p
            else:
                g = g + decay * p
            p -= ROWS[name].step(lr, h, g, s, t)
    return params


def train(library, optimizer, dtype, compiled=False):
    """The leaves after all updates, as host arrays, and the last state."""
    backend = load_backend(library)
    leaves = [convert(backend, p.astype(dtype)) for p in LEAVES]
    rebuild = tree.flatten(PARAMS)[1]
    params = rebuild(leaves)
    state = optimizer.init(params)
    state_leaves, rebuild_state = tree.flatten(state)
    count = len(leaves)

    def step(arrays):
        p, s, g = arrays[:count], arrays[count:-count], arrays[-count:]
        return tuple(tree.leaves(optimizer.update(rebuild(g), rebuild_state(s), rebuild(p))))

    arrays = (*leaves, *state_leaves)
    with backend.scope_of(*leaves):
        run = backend.compile(step) if compiled else step
        for grads in GRADS:
            arrays = run((*arrays, *(convert(backend, g.astype(dtype)) for g in grads)))
    host = [np.asarray(backend.to_numpy(a)) for a in arrays]
    return host[:count], rebuild_state(host[count:])


@every_library
@pytest.mark.parametrize("case", CASES)
def test_float64_against_the_reference(library, case):
    optimizer = CASES[case]
    expected = reference(optimizer.name, optimizer.options, LEAVES, GRADS)
    for compiled in {False, library in COMPILED}:
        got, state = train(library, optimizer, "float64", compiled)
        for a, b in zip(got, expected, strict=True):
            assert a.dtype == np.float64
            assert np.max(np.abs(a - b) / np.maximum(1, np.abs(b))) < 1e-13
        assert state.step == STEPS
        assert state.step.dtype == np.int32


@every_library
@pytest.mark.parametrize("case", CASES)
def test_float32_stays_near_the_reference(library, case):
    optimizer = CASES[case]
    got, _ = train(library, optimizer, "float32")
    expected = reference(optimizer.name, optimizer.options, LEAVES, GRADS)
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == np.float32
        assert np.max(np.abs(a - b) / np.maximum(1, np.abs(b))) < 32 * np.finfo(np.float32).eps


TORCH = labelled(lambda row: row.torch)


@pytest.mark.parametrize("case", TORCH)
def test_against_torch(case):
    torch = pytest.importorskip("torch")
    name, options = TORCH[case]
    params = [torch.tensor(p, requires_grad=True) for p in LEAVES]
    theirs = getattr(torch.optim, name)(params, lr=0.1, **options)
    for grads in GRADS:
        for p, g in zip(params, grads, strict=True):
            p.grad = torch.tensor(g)
        theirs.step()
    got, _ = train("numpy", CASES[case], "float64")
    for a, b in zip(got, params, strict=True):
        assert np.allclose(a, b.detach().numpy(), rtol=1e-12, atol=1e-12)


OPTAX = labelled(lambda row: row.optax)


@pytest.mark.parametrize("case", OPTAX)
def test_against_optax(case):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    with jax.enable_x64(True):
        theirs = OPTAX[case](optax)
        params = [jax.numpy.asarray(p) for p in LEAVES]
        state = theirs.init(params)
        for grads in GRADS:
            updates, state = theirs.update([jax.numpy.asarray(g) for g in grads], state, params)
            params = optax.apply_updates(params, updates)
        expected = [np.asarray(p) for p in params]
    got, _ = train("numpy", CASES[case], "float64")
    for a, b in zip(got, expected, strict=True):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case].options["clip_norm"] is None])
def test_one_flat_buffer_is_the_same(case):
    optimizer = CASES[case]
    flat = np.concatenate([p.ravel() for p in LEAVES])
    slots = [optimizer.init(flat).slots[i] for i in range(len(optimizer.rule.slots))]
    for t, grads in enumerate(GRADS):
        g = np.concatenate([g.ravel() for g in grads])
        flat, *slots = optimizer.update_array(flat, g, slots, optimizer.scalars(t))
    got, _ = train("numpy", optimizer, "float64")
    assert np.allclose(flat, np.concatenate([p.ravel() for p in got]), rtol=1e-13, atol=1e-14)


def test_bias_corrections_keep_their_digits_in_float32():
    optimizer = optimizers.adam(beta2=1 - 1e-6)
    step, xp = np.asarray(0, dtype=np.int32), load_backend("numpy").xp
    got = optimizer._scalars(xp, step, np.dtype("float32"))["correction2"]
    assert float(got) == pytest.approx(1e-6, rel=1e-6)


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_half_precision_parameters_keep_their_dtype(name):
    params = np.ones(3, dtype=np.float16)
    optimizer = optimizers.get({"name": name, "options": {"clip_norm": 1.0, "learning_rate": 0.01}})
    new, state = optimizer.update(params, optimizer.init(params), params)
    assert new.dtype == np.float16
    assert all(slot.dtype == np.float16 for slot in state.slots)
    assert not np.any(new == params)


@pytest.mark.parametrize("case", CASES)
def test_specs_and_pickles(case):
    optimizer = CASES[case]
    assert optimizers.get(json.loads(json.dumps(optimizer.to_spec()))) == optimizer
    assert pickle.loads(pickle.dumps(optimizer)) == optimizer


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: optimizers.get("adma"), InputError, "Did you mean 'adam'"),
        (lambda: optimizers.get(3), InputError, "expected a name"),
        (lambda: optimizers.get({"name": "adam", "options": {"beta": 1}}), InputError, "beta"),
        (lambda: optimizers.adam("fast"), InputError, "learning_rate"),
        (lambda: optimizers.adam(-1.0), InputError, "learning_rate"),
        (lambda: optimizers.adam(beta1=1.0), InputError, "beta1"),
        (lambda: optimizers.sgd(clip_norm=0.0), InputError, "clip_norm"),
        (lambda: optimizers.sgd(weight_decay=-0.1), InputError, "weight_decay"),
        (lambda: optimizers.sgd(nesterov="yes"), InputError, "nesterov: expected True or False"),
        (
            lambda: optimizers.get({"name": "adam", "options": {"beta": 1}}),
            InputError,
            "its options: learning_rate",
        ),
        (lambda: optimizers.sgd().init(np.arange(3)), DTypeError, "floating"),
        (lambda: optimizers.sgd().init(()), InputError, "array"),
        (
            lambda: optimizers.sgd().update((np.ones(2),), optimizers.sgd().init(PARAMS), PARAMS),
            InputError,
            "grads",
        ),
        (lambda: optimizers.lbfgs(history=0), InputError, "history"),
        (lambda: optimizers.lbfgs().init((np.ones(2), np.ones(2, dtype="float32"))), DTypeError, "one dtype"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()


# ---- L-BFGS


X = RNG.standard_normal((40, 4))
Y = np.tanh(X @ RNG.standard_normal((4, 3))) @ RNG.standard_normal((3, 2)) + 0.1 * RNG.standard_normal(
    (40, 2)
)


def objective(library):
    """A least-squares fit of a small network, with a penalty, by the library's own autodiff."""
    backend = load_backend(library)
    x, y = convert(backend, X), convert(backend, Y)
    rebuild = tree.flatten(PARAMS)[1]

    def value(arrays):
        w1, b1, w2 = arrays
        xp = array_namespace(*arrays)
        r = xp.matmul(xp.tanh(xp.matmul(x, w1) + b1), w2) - y
        return xp.sum(r * r) + 0.01 * (xp.sum(w1 * w1) + xp.sum(w2 * w2)), ()

    def value_and_grad(params):
        found, _, gradients = backend.value_and_grad(value)(tuple(tree.leaves(params)))
        return found, rebuild(gradients)

    return value_and_grad, rebuild([convert(backend, p) for p in LEAVES])


def path(library, iterations):
    value_and_grad, params = objective(library)
    backend = load_backend(library)
    optimizer, values = optimizers.lbfgs(), []
    state = optimizer.init(params)
    with backend.scope("float64"):
        for _ in range(iterations):
            params, state = optimizer.step(value_and_grad, params, state)
            values.append(state.value)
    return np.asarray(values), [np.asarray(backend.to_numpy(p)) for p in tree.leaves(params)]


@pytest.mark.parametrize("library", [name for name in NAMES if name != "numpy"])
def test_lbfgs_takes_the_same_path_everywhere(library):
    values, params = path(library, 25)
    expected_values, expected_params = path("numpy", 25)
    assert np.allclose(values, expected_values, rtol=1e-9, atol=0)
    for a, b in zip(params, expected_params, strict=True):
        assert np.allclose(a, b, rtol=1e-9, atol=1e-9)


def test_lbfgs_reaches_the_minimum_that_scipy_and_torch_find():
    optimize = pytest.importorskip("scipy.optimize")
    value_and_grad, start = objective("numpy")
    result = optimizers.lbfgs().minimize(value_and_grad, start, max_iterations=2000)
    assert result.state.message
    rebuild = tree.flatten(PARAMS)[1]
    ends = np.cumsum([p.size for p in LEAVES])

    def flat(vector):
        pieces = [v.reshape(p.shape) for v, p in zip(np.split(vector, ends[:-1]), LEAVES, strict=True)]
        found, gradients = value_and_grad(rebuild(pieces))
        return float(found), np.concatenate([g.ravel() for g in tree.leaves(gradients)])

    vector = np.concatenate([p.ravel() for p in tree.leaves(result.params)])
    theirs = optimize.minimize(flat, vector, jac=True, method="BFGS", options={"gtol": 1e-8})
    assert result.value == pytest.approx(theirs.fun, rel=1e-10)
    fresh = optimize.minimize(
        flat,
        np.concatenate([p.ravel() for p in LEAVES]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 5000, "maxfun": 9000},
    )
    assert result.value == pytest.approx(fresh.fun, rel=1e-6)
    assert result.state.evaluations < 2 * fresh.nfev


def test_lbfgs_steps_satisfy_the_strong_wolfe_conditions():
    value_and_grad, params = objective("numpy")
    optimizer = optimizers.lbfgs()
    state = optimizer.init(params)
    params, state = optimizer.step(value_and_grad, params, state)
    flat = lambda t: np.concatenate([p.ravel() for p in tree.leaves(t)])  # noqa: E731
    for _ in range(20):
        before, value, gradient = flat(params), state.value, state.gradient
        params, state = optimizer.step(value_and_grad, params, state)
        moved = flat(params) - before
        assert state.value <= value + 1e-4 * (gradient @ moved)
        assert abs(state.gradient @ moved) <= -0.9 * (gradient @ moved) * (1 + 1e-12)


def test_lbfgs_says_why_it_stops():
    def parabola(p):
        return (p * p).sum(), 2 * p

    at_minimum = optimizers.lbfgs().minimize(parabola, np.zeros(3))
    assert at_minimum.state.message == "gradient below tolerance"
    assert at_minimum.value == 0
    nowhere = optimizers.lbfgs().minimize(lambda p: (p.sum() * np.nan, p), np.ones(3))
    assert nowhere.state.message == "the objective is not finite"
    wrong_gradient = optimizers.lbfgs().minimize(lambda p: ((p * p).sum(), -2 * p), np.ones(3))
    assert wrong_gradient.state.message == "the line search found no lower value"
    cut = optimizers.lbfgs().minimize(parabola, np.ones(3) * 1e3, max_iterations=1)
    assert cut.state.message == ""
    assert at_minimum.state.converged
    assert not any(found.state.converged for found in (nowhere, wrong_gradient, cut))


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e10, 1e16, 1e30])
def test_lbfgs_finds_a_minimum_that_is_near_whatever_the_unit_of_the_loss(scale):
    """The first step is 1 long, far beyond the minimum, so that the search has to shorten it; lengths are in units of 1 / gradient."""
    curvatures = np.asarray([1.0, 9.0])
    found = optimizers.lbfgs(tolerance_gradient=0, tolerance_change=0).minimize(
        lambda p: (
            scale * float((curvatures * (p - 1.5) ** 2).sum()),
            2 * scale * curvatures * (p - 1.5),
        ),
        np.asarray([1.499, 1.499]),
    )
    np.testing.assert_allclose(found.params, 1.5, rtol=1e-12)
