"""Moments and bounds against the published formulas, orthogonality, determinism, bad input."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from multimlp import initializers
from multimlp.errors import InputError, ShapeError
from multimlp.random import host_generator

SHAPE = (300, 500)

# name, standard deviation for SHAPE, bound (None: unbounded)
MOMENTS = [
    ("glorot_uniform", math.sqrt(2 / 800), math.sqrt(6 / 800)),
    ("glorot_normal", math.sqrt(2 / 800), None),
    ("he_uniform", math.sqrt(2 / 300), math.sqrt(6 / 300)),
    ("he_normal", math.sqrt(2 / 300), None),
    ("lecun_uniform", math.sqrt(1 / 300), math.sqrt(3 / 300)),
    ("lecun_normal", math.sqrt(1 / 300), None),
    ({"name": "normal", "options": {"stddev": 0.5}}, 0.5, None),
    ({"name": "truncated_normal", "options": {"stddev": 0.5}}, 0.5 * 0.8796256610342398, 1.0),
    ({"name": "uniform", "options": {"scale": 0.5}}, 0.5 / math.sqrt(3), 0.5),
    ({"name": "constant", "options": {"value": 0.5}}, 0.0, 0.5),
    ("fan_in_uniform", math.sqrt(1 / 900), math.sqrt(1 / 300)),
    ("siren", math.sqrt(2 / 300) / 30, math.sqrt(6 / 300) / 30),
    ({"name": "siren", "options": {"first": True}}, 1 / 300 / math.sqrt(3), 1 / 300),
    ("signs", 1.0, 1.0),
    ("zeros", 0.0, 0.0),
    ("ones", 0.0, 1.0),
]


@pytest.mark.parametrize(("spec", "deviation", "bound"), MOMENTS)
def test_moments_and_bounds(spec, deviation, bound):
    values = initializers.get(spec)(host_generator(3), SHAPE)
    assert values.shape == SHAPE
    assert values.dtype == np.float64
    count = math.prod(SHAPE)
    assert abs(values.std() - deviation) <= 5 * deviation / math.sqrt(count)
    if deviation:
        assert abs(values.mean()) <= 5 * deviation / math.sqrt(count)
    if bound is None:
        assert np.abs(values).max() > 4 * deviation
    else:
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() >= 0.999 * bound


def test_the_table_covers_every_name():
    tested = {spec if isinstance(spec, str) else spec["name"] for spec, _, _ in MOMENTS}
    assert tested | {"orthogonal"} == set(initializers.names())


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (4, 4), (3, 7, 2)])
def test_orthogonal(shape):
    values = initializers.orthogonal(gain=2.0)(host_generator(0), shape)
    assert values.shape == shape
    tall = values if shape[-2] >= shape[-1] else np.swapaxes(values, -1, -2)
    gram = np.swapaxes(tall, -1, -2) @ tall
    assert np.abs(gram - 4 * np.eye(tall.shape[-1])).max() < 1e-13


def test_orthogonal_is_uniform_over_both_determinants():
    signs = [np.linalg.det(initializers.get("orthogonal")(host_generator(i), (3, 3))) for i in range(400)]
    assert 150 < sum(sign > 0 for sign in signs) < 250


@pytest.mark.parametrize("name", initializers.names())
def test_same_seed_same_bits_and_specs_round_trip(name):
    initializer = initializers.get(name)
    again = initializers.get(initializer.to_spec())
    unpickled = pickle.loads(pickle.dumps(initializer))
    first = initializer(host_generator(1, 2), (7, 6))
    assert again == initializer
    assert np.array_equal(first, again(host_generator(1, 2), (7, 6)))
    assert np.array_equal(first, unpickled(host_generator(1, 2), (7, 6)))
    if name not in ("zeros", "ones", "constant"):
        assert not np.array_equal(first, initializer(host_generator(1, 3), (7, 6)))


def test_own_values_and_callables():
    fixed = initializers.get([[1.0, 2.0]])
    assert np.array_equal(pickle.loads(pickle.dumps(fixed))(host_generator(0), (1, 2)), [[1.0, 2.0]])
    assert initializers.get("GlorotUniform") == initializers.glorot_uniform
    assert np.array_equal(initializers.get(2.0)(host_generator(0), (2,)), [2.0, 2.0])
    assert np.array_equal(
        initializers.get(np.arange(4).reshape(2, 2))(host_generator(0), (2, 2)), [[0, 1], [2, 3]]
    )
    assert initializers.get(lambda generator, shape: generator.random(shape))(
        host_generator(0), (3,)
    ).shape == (3,)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: initializers.get("glorot"), InputError, "Did you mean"),
        (lambda: initializers.get(None), InputError, "expected a name"),
        (lambda: initializers.get({"name": "ones", "options": {"value": 1}}), InputError, "options"),
        (
            lambda: initializers.get({"name": "normal", "options": {"std": 1}}),
            InputError,
            "its options: stddev",
        ),
        (lambda: initializers.get({"nom": "ones"}), InputError, "expected"),
        (lambda: initializers.normal(-1.0), InputError, "stddev"),
        (lambda: initializers.constant("a"), InputError, "value"),
        (lambda: initializers.get(np.eye(3))(host_generator(0), (2, 2)), ShapeError, "shape"),
        (lambda: initializers.orthogonal()(host_generator(0), (3,)), ShapeError, "orthogonal"),
        (lambda: initializers.get("he_normal")(host_generator(0), ()), ShapeError, "shape"),
        (lambda: initializers.to_spec(np.eye(3)), InputError, "written down"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()
