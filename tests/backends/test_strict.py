"""The portable half on array-api-strict with its strictest flags: the proof that it is written on the standard.

Every call here runs twice, on NumPy and on array-api-strict, which refuses whatever the standard does not
promise; the results must agree to the last few bits. The tape's own rules are checked in the same way in
``tests/test_tape_rules.py``.
"""

from __future__ import annotations

import operator

import numpy as np
import pytest
from libraries import needs_numpy_2
from loss_data import outputs_and_targets

import multimlp as mm
from multimlp import tree
from multimlp.backend import array_namespace, load_backend, owner
from multimlp.errors import MixedBackendsError

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed here")

BACKEND = load_backend("strict")
RNG = np.random.default_rng(0)
POINTS = np.asarray([-30.0, -6.0, -3.0, -1.0, -0.5, -1e-8, -0.0, 0.0, 1e-8, 0.5, 1.0, 3.0, 6.0, 30.0])
KEY = mm.random.key(3)


@pytest.fixture(autouse=True, params=["2023.12", "2024.12"])
def _strictest(request):
    """No boolean indexing, no shapes that depend on values, no extension, an early version of the standard."""
    with strict.ArrayAPIStrictFlags(
        api_version=request.param, boolean_indexing=False, data_dependent_shapes=False, enabled_extensions=()
    ):
        yield


def moved(x):
    return BACKEND.asarray(x) if isinstance(x, np.ndarray) else x


def agree(function, *arguments):
    """Run on both; everything that comes back must be a strict array and equal."""
    expected = tree.leaves(function(*arguments))
    got = tree.leaves(function(*(tree.map(moved, a) for a in arguments)))
    assert len(got) == len(expected)
    for ours, numpys in zip(got, expected, strict=True):
        assert owner(ours) is BACKEND
        host = BACKEND.to_numpy(ours)
        assert host.dtype == np.asarray(numpys).dtype
        np.testing.assert_allclose(host, numpys, rtol=1e-13, atol=1e-14)


def total(function):
    return lambda x: array_namespace(x).sum(function(x))


@pytest.mark.parametrize("name", mm.activations.names())
def test_activations_and_two_derivatives(name):
    activation = mm.activations.get(name)
    agree(activation, POINTS)
    agree(mm.grad(total(activation)), POINTS)
    agree(mm.grad(total(mm.grad(total(activation)))), POINTS)


@pytest.mark.parametrize(
    "name", [n for n in mm.activations.names() if n not in ("softmax", "softmin", "log_softmax")]
)
def test_closed_form_derivatives(name):
    agree(mm.activations.derivative(name), POINTS)


@pytest.mark.parametrize("name", mm.losses.names())
def test_losses_and_their_gradients(name):
    loss = mm.losses.get(name)
    outputs, targets = outputs_and_targets(loss, 6, 3)
    agree(loss, outputs, targets)
    agree(mm.grad(lambda o, t: array_namespace(o).sum(loss(o, t))), outputs, targets)


@pytest.mark.parametrize("name", [n for n in mm.optimizers.names() if not mm.optimizers.get(n).full_batch])
def test_optimisers(name):
    rule = mm.optimizers.get({"name": name, "options": {"weight_decay": 0.01, "clip_norm": 1.0}})
    params = {"w": RNG.normal(size=(3, 2)), "b": RNG.normal(size=2)}

    def three_steps(params):
        state = rule.init(params)
        for _ in range(3):
            grads = tree.map(lambda leaf: leaf * leaf - 1.0, params)
            params, state = rule.update(grads, state, params)
        return params, state

    agree(three_steps, params)


SCHEDULES = {
    "constant": {"value": 0.1},
    "step": {"initial": 0.1, "every": 3},
    "exponential": {"initial": 0.1, "rate": 0.9},
    "cosine": {"initial": 0.1, "steps": 20},
    "warm_up": {"steps": 10, "then": 0.1},
    "one_cycle": {"peak": 0.1, "steps": 20},
    "flat_cosine": {"initial": 0.1, "steps": 20},
    "log_cosine": {"peak": 0.1, "steps": 20},
    "piecewise": {"boundaries": [2, 5], "values": [0.3, 0.2, 0.1]},
}


@needs_numpy_2
@pytest.mark.parametrize("name", mm.schedules.names())
def test_schedules(name):
    schedule = mm.schedules.get({"name": name, "options": SCHEDULES[name]})
    agree(lambda step: array_namespace(step).asarray(schedule(step)), np.asarray(7, dtype=np.int32))


@pytest.mark.parametrize(
    "draw",
    [
        lambda key: mm.random.bits(key, (5,)),
        lambda key: mm.random.split(key, 3),
        lambda key: mm.random.fold_in(key, 7),
        lambda key: mm.random.uniform(key, (5,), "float64"),
        lambda key: mm.random.normal(key, (5,), "float64"),
        lambda key: mm.random.bernoulli(key, 0.3, (9,)),
        lambda key: mm.random.permutation(key, 9),
    ],
)
def test_random_numbers(draw):
    agree(draw, KEY)


PARAMS = mm.MLP(4, [6, 5], 3, activation="gelu").init(seed=0, backend="numpy", dtype="float64")
X = RNG.normal(size=(7, 4))
LABELS = RNG.integers(0, 3, size=7).astype(np.int32)


@pytest.mark.parametrize("activation", ["gelu", "relu", "prelu", "swish"])
def test_an_mlp_its_gradient_and_its_dropout(activation):
    mlp = mm.MLP(4, [6, 5], 3, activation=activation, dropout=0.25)
    params = mlp.init(seed=0, backend="numpy", dtype="float64")

    def loss(params, inputs, labels, key):
        outputs = mlp(params, inputs, key=key)
        return array_namespace(outputs).mean(mm.losses.get("cross_entropy")(outputs, labels))

    agree(mlp, params, X)
    agree(mm.grad(loss), params, X, LABELS, None)
    agree(mm.grad(loss), params, X, LABELS, KEY)


@pytest.mark.parametrize(
    "transformed",
    [
        lambda f: mm.hessian(f),
        lambda f: mm.jacobian(mm.grad(f)),
        lambda f: lambda x: mm.hvp(f, (x,), (x,)),
        lambda f: lambda x: mm.jvp(f, (x,), (x,)),
        lambda f: lambda x: mm.vmap(lambda row: f(row * x))(x * 2),
        lambda f: mm.jit(mm.grad(f)),
        lambda f: lambda x: mm.scan(lambda c, item: (c + item, c * item), x[0], x),
    ],
    ids=["hessian", "jacobian", "hvp", "jvp", "vmap", "jit", "scan"],
)
def test_transforms(transformed):
    def f(x):
        xp = array_namespace(x)
        return xp.sum(x * x * x) + xp.sum(xp.tanh(x)) ** 2

    agree(transformed(f), np.asarray([0.5, -1.25, 2.0]))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_fit(optimizer):
    rows, labels = RNG.normal(size=(40, 4)), RNG.integers(0, 3, size=40)
    settings = {"epochs": 3, "batch_size": 16, "optimizer": optimizer, "dtype": "float64", "progress": False}
    ours, numpys = (
        mm.fit(mm.MLP(4, [6], 3), rows, labels, backend=n, **settings) for n in ("strict", "numpy")
    )
    for name, values in numpys.history.items():
        np.testing.assert_allclose(ours.history[name], values, rtol=1e-12)


def test_arrays_of_another_library_are_refused():
    with pytest.raises(MixedBackendsError):
        mm.losses.get("mse")(BACKEND.asarray(X), X)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("operation", ["add", "sub", "mul", "truediv", "pow", "matmul"])
def test_a_constant_meets_a_traced_array_by_operator(operation, left):
    """On either side; the library's own check would refuse a stranger on the right."""
    constant, x = np.asarray([[2.0, 0.5], [1.5, 3.0]]), np.asarray([[1.0, 2.0], [0.5, 1.25]])
    combine = getattr(operator, operation)

    def total(x, constant):
        result = combine(constant, x) if left else combine(x, constant)
        return array_namespace(result).sum(result)

    agree(lambda x, constant: mm.grad(total)(x, constant), x, constant)


def test_comparisons_of_a_constant_with_a_traced_array():
    x = np.asarray([1.0, -2.0, 0.5])

    def total(x):
        xp = array_namespace(x)
        return xp.sum(xp.where(xp.zeros(3, dtype=x.dtype) < x, x * x, 3.0 * x))

    agree(mm.grad(total), x)


def test_other_strangers_are_refused_as_before():
    for stranger in (np.float64(2.0), np.ones(2), "2", None):
        with pytest.raises(TypeError):
            strict.ones(2) * stranger


def test_an_index_that_is_an_array_has_a_derivative():
    """In a loop the number of a step is one."""

    def squares(x):
        return mm.fori_loop(0, 3, lambda i, total: total + x[i] ** 2, x[0] * 0.0)

    agree(mm.grad(squares), np.asarray([1.0, -2.0, 0.5]))
