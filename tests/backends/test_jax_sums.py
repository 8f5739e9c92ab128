"""Sums and means of short rows on JAX: JAX's own to a rounding, with its derivatives, compiled and mapped."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax")

from multimlp.backend import load_backend  # noqa: E402

backend = load_backend("jax")
xp = backend.xp


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize(
    "shape", [(20000, 3), (5000, 16), (5000, 17), (40000, 1), (40, 50, 20, 2), (7, 5)], ids=str
)
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_values_are_jaxs(name, shape, dtype):
    x = backend.asarray(np.random.default_rng(0).standard_normal(shape), dtype=dtype)
    for options in ({"axis": -1}, {"axis": len(shape) - 1}, {"axis": -1, "keepdims": True}, {"axis": 0}, {}):
        found = getattr(xp, name)(x, **options)
        expected = getattr(np, name)(np.asarray(x, dtype=np.float64), **options)
        assert (found.shape, found.dtype) == (expected.shape, x.dtype)
        bound = 4 * float(jax.numpy.finfo(x.dtype).eps) * (x.size / found.size if name == "sum" else 1)
        np.testing.assert_allclose(np.asarray(found, dtype=np.float64), expected, rtol=bound, atol=bound)


def derivatives(f, x):
    def cubes(x):
        return (f(x, axis=-1) ** 3).sum()

    return [
        jax.grad(cubes)(x),
        jax.jvp(lambda x: f(x, axis=-1) ** 3, (x,), (x + 1,))[1],
        jax.jvp(jax.grad(cubes), (x,), (x + 1,))[1],
        jax.jit(jax.vmap(lambda row: f(row, axis=-1)))(x),
        jax.vmap(jax.grad(cubes))(x),
    ]


@pytest.mark.parametrize("name", ["sum", "mean"])
def test_derivatives_are_jaxs(name):
    x = jax.numpy.asarray(np.random.default_rng(1).standard_normal((4, 9000, 4)), dtype="float32")
    for mine, own in zip(*(derivatives(getattr(f, name), x) for f in (xp, jax.numpy)), strict=True):
        np.testing.assert_allclose(mine, own, rtol=2e-5, atol=2e-5)


def test_integers_and_what_numpy_calls_options():
    x = jax.numpy.ones((20000, 3), dtype="int32")
    assert int(xp.sum(x, axis=-1)[0]) == 3
    assert xp.sum(x.astype("float32"), axis=-1, dtype=jax.numpy.int32).dtype == "int32"
