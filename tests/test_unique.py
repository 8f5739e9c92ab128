"""Distinct elements: values of the standard, and derivatives, which go to the first of equal elements, on every library."""

from __future__ import annotations

import numpy as np
import pytest

import multimlp as mm
from multimlp import xp

NAMES = ("unique_values", "unique_all", "unique_counts", "unique_inverse")
VALUES = np.asarray([[3.0, 1.0, 3.0], [2.0, -0.5, 1.0]])
WEIGHTS = np.asarray([7.0, 1.0, 2.0, 4.0])
SLOPES = np.asarray([[4.0, 1.0, 0.0], [2.0, 7.0, 0.0]])
"""Of the weighted sum of -0.5, 1, 2, 3."""


def weighted(space, name):
    def function(x):
        found = getattr(space or mm.array_namespace(x), name)(x)
        values = found if name == "unique_values" else found.values
        return xp.sum(values**2 * xp.asarray(WEIGHTS, like=x)) / 2

    return function


@pytest.mark.parametrize("space", [None, xp], ids=["own", "xp"])
@pytest.mark.parametrize("name", NAMES)
def test_values_have_derivatives(backend, name, space):
    x, like = backend.asarray(VALUES), dict(rtol=1e-6)
    function = weighted(space, name)
    gradient = mm.grad(function)(x)
    np.testing.assert_allclose(backend.to_numpy(gradient), SLOPES * VALUES, **like)
    np.testing.assert_allclose(float(mm.jvp(function, (x,), (x,))[1]), np.sum(SLOPES * VALUES**2), **like)
    second = backend.to_numpy(mm.hvp(function, (x,), (x,)))
    np.testing.assert_allclose(second, SLOPES * VALUES, **like)


@pytest.mark.parametrize("name", NAMES)
def test_values_are_numpys(backend, name):
    values, first, inverse, counts = np.unique(VALUES, True, True, True)
    whole = {
        "values": values,
        "indices": first,
        "inverse_indices": inverse.reshape(VALUES.shape),
        "counts": counts,
    }
    found = getattr(xp, name)(backend.asarray(VALUES))
    parts = {"values": found} if name == "unique_values" else found._asdict()
    for part, array in parts.items():
        np.testing.assert_allclose(backend.to_numpy(array), whole[part])
    assert set(parts) >= {"values"}


def test_jax_has_derivatives_of_its_own_sets():
    jax = pytest.importorskip("jax")
    space = mm.get_backend("jax").xp
    a, b = jax.numpy.asarray([3.0, 1.0, 2.0, 1.0]), jax.numpy.asarray([5.0, 2.0, 3.0])
    for name, first, second in (
        ("union1d", [3, 1, 2, 0], [5, 0, 0]),
        ("intersect1d", [3, 0, 2, 0], [0, 0, 0]),
        ("setdiff1d", [0, 1, 0, 0], [0, 0, 0]),
        ("setxor1d", [0, 1, 0, 0], [5, 0, 0]),
    ):

        def half_squares(a, b, name=name):
            return jax.numpy.sum(getattr(space, name)(a, b) ** 2) / 2

        for position, wanted in ((0, first), (1, second)):
            np.testing.assert_allclose(mm.grad(half_squares, argnums=position)(a, b), wanted, err_msg=name)

    def padded(x):
        found, counts = space.unique(x, return_counts=True, size=5, fill_value=-1.0)
        return jax.numpy.sum(found**2 * counts) / 2

    for function in (mm.grad(padded), mm.jit(mm.grad(padded))):
        np.testing.assert_allclose(function(a), [3, 2, 2, 0])
    rows = jax.numpy.asarray([[1.0, 2.0], [0.0, 5.0], [1.0, 2.0]])
    np.testing.assert_allclose(
        mm.grad(lambda x: jax.numpy.sum(space.unique(x, axis=0) ** 2) / 2)(rows), [[1, 2], [0, 5], [0, 0]]
    )
