"""Draws with known slopes under `vmap` and derivatives in any order, on the tape: each against the other order, and against JAX."""

from __future__ import annotations

import numpy as np
import pytest

import multimlp as mm

KEYS = np.stack([np.asarray(mm.random.key(i, backend="numpy")) for i in range(4)])
SHAPES = np.asarray([0.5, 1.5, 2.5, 7.0])


def draw(key, a):
    return mm.random.gamma(key, a, shape=(), dtype="float64")


def one_by_one(function, *arguments):
    return np.stack([np.asarray(function(*rows)) for rows in zip(*arguments, strict=True)])


def test_gradients_inside_vmap():
    found = mm.vmap(mm.grad(draw, 1))(KEYS, SHAPES)
    np.testing.assert_allclose(found, one_by_one(mm.grad(draw, 1), KEYS, SHAPES), rtol=1e-12)
    assert np.all(found != 0)


def test_vmap_inside_gradients():
    def total(a):
        rows = mm.vmap(draw, in_axes=(0, None))(KEYS, a)
        return mm.array_namespace(rows).sum(rows)

    expected = sum(mm.grad(draw, 1)(key, np.asarray(1.5)) for key in KEYS)
    np.testing.assert_allclose(mm.grad(total)(np.asarray(1.5)), expected, rtol=1e-12)

    def mapped(a):
        rows = mm.vmap(draw)(KEYS, a)
        return mm.array_namespace(rows).sum(rows * rows)

    expected = one_by_one(mm.grad(lambda k, a: draw(k, a) ** 2, 1), KEYS, SHAPES)
    np.testing.assert_allclose(mm.grad(mapped)(SHAPES), expected, rtol=1e-12)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_second_derivatives_inside_vmap_agree_with_other_libraries(backend):
    pytest.importorskip(backend)
    second = mm.vmap(mm.grad(mm.grad(lambda k, a: draw(k, a) ** 2, 1), 1))
    here = second(KEYS, SHAPES)
    with mm.use_backend(backend, dtype="float64"):
        library = mm.get_backend(backend)
        keys = library.asarray(KEYS, dtype=KEYS.dtype.name)
        there = second(keys, library.asarray(SHAPES, dtype="float64"))
    np.testing.assert_allclose(here, library.to_numpy(there), rtol=1e-8)
