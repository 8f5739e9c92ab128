"""Penalties and their gradients against formulas and autodiff; dropout masks equal on every library."""

from __future__ import annotations

import pickle
from typing import NamedTuple

import numpy as np
import pytest
from libraries import COMPILED, agree, every_library, run

from multimlp import random, regularizers
from multimlp.backend import array_namespace, load_backend
from multimlp.errors import InputError

RNG = np.random.default_rng(3)
W = RNG.standard_normal((5, 4))
W[0, :2] = 0.0
B = RNG.standard_normal(4)
KEY = np.asarray([11, 22], dtype=np.int32)


class Layer(NamedTuple):
    weight: object
    bias: object


CASES = {
    "l1": (regularizers.l1(0.3), 0.3, 0.0),
    "l2": (regularizers.l2(0.2), 0.0, 0.2),
    "elastic_net": (regularizers.elastic_net(l1=0.3, l2=0.2), 0.3, 0.2),
    "nothing": (regularizers.l2(0.0), 0.0, 0.0),
}


@every_library
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient(library, case):
    penalty, c1, c2 = CASES[case]
    backend = load_backend(library)
    once = c1 * np.abs(W).sum() + c2 * (W**2).sum()

    def compute(w, b):
        def objective(arrays):
            return penalty((Layer(arrays[0], b), Layer(arrays[0], None))), ()

        value, _, (gradient,) = backend.value_and_grad(objective)((w,))
        return value, gradient, penalty.gradient(w), penalty({"w": w, "b": b})

    for compiled in {False, library in COMPILED}:
        value, automatic, closed, of_a_plain_tree = run(library, compute, W, B, compiled=compiled)
        agree(value, np.asarray(2 * once), 16)
        agree(of_a_plain_tree, np.asarray(once), 16)
        agree(closed, c1 * np.sign(W) + 2 * c2 * W, 2)
        agree(automatic, 2 * closed, 2)


def test_an_ensemble_has_a_penalty_for_each_member_and_biases_are_left_out():
    stacked = Layer(np.stack([W, 2 * W]), np.stack([B, B]))
    assert regularizers.l2(1.0)((stacked,)) == pytest.approx([(W**2).sum(), 4 * (W**2).sum()])


@every_library
@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9])
def test_dropout(library, rate):
    x = 1 + RNG.random((64, 50)).astype(np.float32)
    for compiled in {False, library in COMPILED}:
        (got,) = run(library, lambda x, key: regularizers.dropout(x, key, rate), x, KEY, compiled=compiled)
        keep = random.bernoulli(KEY, 1 - rate, x.shape)
        assert got.dtype == np.float32
        assert np.array_equal(got != 0, keep)
        agree(got, np.where(keep, x.astype(np.float64) / (1 - rate), 0), 2)
    assert abs(np.mean(got == 0) - rate) < 5 * np.sqrt(rate * (1 - rate) / x.size) + 1e-12


@every_library
def test_gradient_of_dropout_is_its_mask(library):
    backend = load_backend(library)

    def derived(x, key):
        def total(arrays):
            dropped = regularizers.dropout(arrays[0], key, 0.5)
            return array_namespace(dropped).sum(dropped), ()

        return backend.value_and_grad(total)((x,))[2][0]

    assert np.array_equal(run(library, derived, W, KEY)[0], 2.0 * random.bernoulli(KEY, 0.5, W.shape))


def test_specs_and_choice():
    for penalty, _, _ in CASES.values():
        assert regularizers.get(penalty.to_spec()) == penalty
    assert regularizers.get({"name": "l2", "options": {"c": 0.2}}) == regularizers.l2(0.2)
    assert regularizers.get(None) is None
    assert pickle.loads(pickle.dumps(regularizers.l1(0.5))) == regularizers.l1(0.5) != regularizers.l2(0.5)
    assert set(regularizers.names()) == {"l1", "l2", "elastic_net"}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: regularizers.l2(-1.0), "c: expected"),
        (lambda: regularizers.get("l2"), "missing"),
        (lambda: regularizers.get(2), "expected a name"),
        (lambda: regularizers.get({"name": "elasticnt"}), "Did you mean"),
        (lambda: regularizers.get("ElasticNet"), "missing the option 'l1', 'l2'"),
        (lambda: regularizers.get({"name": "l2", "options": {"d": 1}}), "regularizer"),
        (lambda: regularizers.l2(1.0)({"b": B}), "weights"),
        (lambda: regularizers.dropout(W, KEY, 1.0), "rate"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(InputError, match=words):
        call()
