"""Linear algebra where all axes are equally long, so that nothing but the number of axes tells a stack of vectors from a matrix."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from libraries import convert, every_library

import multimlp as mm
from multimlp.backend import load_backend

RNG = np.random.default_rng(0)
SHAPES = ((3,), (3, 3), (3, 3, 3), (1, 3, 3), (3, 1, 3), (1, 3))


def made(shape):
    return RNG.standard_normal(shape) + (3 * np.eye(3) if shape[-2:] == (3, 3) else 0.0)


TWO = {
    "matmul": lambda xp, a, b: xp.matmul(a, b),
    "vecdot": lambda xp, a, b: xp.vecdot(a, b),
    "solve": lambda xp, a, b: xp.linalg.solve(a, b),
    "cross": lambda xp, a, b: xp.linalg.cross(a, b),
    "tensordot": lambda xp, a, b: xp.tensordot(a, b, axes=1),
    "einsum": lambda xp, a, b: np.einsum("...ij,...j", a, b),
    "einsum without rows": lambda xp, a, b: np.einsum("...i,i", a, b),
    "matvec": lambda xp, a, b: np.einsum("...ij,...j->...i", a, b),
    "inner": lambda xp, a, b: np.inner(a, b),
    "dot": lambda xp, a, b: np.dot(a, b),
    "np.solve": lambda xp, a, b: np.linalg.solve(a, b),
}


def weighted(function, weights):
    def total(*arrays):
        xp = mm.array_namespace(*arrays)
        return xp.sum(function(xp, *arrays) * weights)

    return total


def slope(f, arrays, along, step=1e-6):
    def at(h):
        return float(f(*(a + h * d for a, d in zip(arrays, along, strict=True))))

    return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)


@pytest.mark.parametrize("name", TWO)
def test_every_mode_on_the_tape(name):
    met = 0
    for shapes in itertools.product(SHAPES, repeat=2):
        arrays = tuple(map(made, shapes))
        try:
            value = TWO[name](mm.array_namespace(*arrays), *arrays)
        except ValueError:  # shapes that do not go together
            continue
        met += 1
        along = tuple(RNG.standard_normal(s) for s in shapes)
        f = weighted(TWO[name], RNG.standard_normal(np.shape(value)))
        wanted, close = slope(f, arrays, along), dict(rtol=1e-6, atol=1e-6)
        gradients = mm.grad(f, (0, 1))(*arrays)
        reverse = sum(float(np.sum(g * d)) for g, d in zip(gradients, along, strict=True))
        np.testing.assert_allclose(reverse, wanted, **close, err_msg=str(shapes))
        np.testing.assert_allclose(mm.jvp(f, arrays, along)[1], wanted, **close, err_msg=str(shapes))
        first, second = mm.jet(f, arrays, tuple((d, 0) for d in along))[1]
        np.testing.assert_allclose(first, wanted, **close, err_msg=str(shapes))
        products = mm.hvp(f, arrays, along)
        curvature = sum(float(np.sum(p * d)) for p, d in zip(products, along, strict=True))
        np.testing.assert_allclose(second, curvature, rtol=1e-9, atol=1e-9, err_msg=str(shapes))
        stacked = [np.stack([a, a + 0.1 * d, a - 0.1 * d]) for a, d in zip(arrays, along, strict=True)]
        rows = mm.vmap(lambda a, b: TWO[name](mm.array_namespace(a, b), a, b))(*stacked)
        for i in range(3):
            row = TWO[name](mm.array_namespace(*arrays), *(s[i] for s in stacked))
            np.testing.assert_allclose(rows[i], row, rtol=1e-10, atol=1e-12, err_msg=str(shapes))
    assert met >= 3


@every_library
@pytest.mark.parametrize(
    "shapes", [((3, 3, 3), (3,)), ((2, 3, 3), (3,)), ((4, 3, 3, 3), (3,)), ((3, 3, 3), (3, 3))]
)
def test_systems_of_a_stack_of_matrices(library, shapes):
    arrays = tuple(map(made, shapes))
    along = tuple(RNG.standard_normal(s) for s in shapes)
    weights = RNG.standard_normal(np.linalg.solve(*arrays).shape)
    wanted = slope(lambda a, b: np.sum(np.linalg.solve(a, b) * weights), arrays, along)
    backend = load_backend(library)
    with backend.scope("float64"):
        f = weighted(TWO["solve"], convert(backend, weights))
        given, directions = (tuple(convert(backend, a) for a in of) for of in (arrays, along))
        gradients = [backend.to_numpy(g) for g in mm.grad(f, (0, 1))(*given)]
        reverse = sum(float(np.sum(g * d)) for g, d in zip(gradients, along, strict=True))
        forward = float(mm.jvp(f, given, directions)[1])
        taylor = float(mm.jet(f, given, tuple((d,) for d in directions))[1][0])
    np.testing.assert_allclose([reverse, forward, taylor], wanted, rtol=1e-6)


OF_A_VECTOR = {
    "matrix_transpose": lambda xp, v: xp.matrix_transpose(v),
    "linalg.inv": lambda xp, v: xp.linalg.inv(v),
    "linalg.cholesky": lambda xp, v: xp.linalg.cholesky(v),
    "linalg.det": lambda xp, v: xp.linalg.det(v),
    "linalg.eigvalsh": lambda xp, v: xp.linalg.eigvalsh(v),
    "linalg.svdvals": lambda xp, v: xp.linalg.svdvals(v),
    "linalg.pinv": lambda xp, v: xp.linalg.pinv(v),
    "linalg.qr": lambda xp, v: xp.linalg.qr(v)[1],
    "linalg.slogdet": lambda xp, v: xp.linalg.slogdet(v)[1],
    "linalg.matrix_power": lambda xp, v: xp.linalg.matrix_power(v, 2),
    "linalg.matrix_norm": lambda xp, v: xp.linalg.matrix_norm(v),
    "linalg.trace": lambda xp, v: xp.linalg.trace(v),
    "diff": lambda xp, v: xp.diff(v, axis=1),
    "sum": lambda xp, v: xp.sum(v, axis=1),
    "sort": lambda xp, v: xp.sort(v, axis=-2),
    "searchsorted": lambda xp, v: xp.searchsorted(v[0], v),
    "tril of a number": lambda xp, v: xp.tril(v[0]),
}


@every_library
@pytest.mark.parametrize("name", OF_A_VECTOR)
def test_hidden_rows_are_not_those_of_a_matrix(library, name):
    """``vmap`` of what no row allows is an error, not a number of all rows."""
    backend = load_backend(library)
    matrix = made((3, 3))
    with backend.scope("float64"):  # the errors are the libraries' own
        x = convert(backend, matrix @ matrix.T)
        with pytest.raises(Exception, match="."):
            backend.to_numpy(OF_A_VECTOR[name](mm.array_namespace(x), x[0, ...]))
        with pytest.raises(Exception, match="."):
            backend.to_numpy(mm.vmap(lambda v: OF_A_VECTOR[name](mm.array_namespace(v), v))(x))


REFUSED_ON_THE_WAY = {
    "matrix_power of a vector": lambda xp, v: xp.linalg.matrix_power(v, 2),
    "matrix_power of rows": lambda xp, v: xp.linalg.matrix_power(v[None, :], 1),
    "a power that is not whole": lambda xp, v: xp.linalg.matrix_power(v[:, None] * v, 2.5),
    "cross of 6": lambda xp, v: xp.linalg.cross(xp.concat([v, v]), xp.concat([v, v])),
    "diff along no axis": lambda xp, v: xp.diff(v, axis=1),
    "diff of a negative order": lambda xp, v: xp.diff(v, n=-1),
    "meshgrid": lambda xp, v: xp.meshgrid(v, v, indexing="yx")[0],
}


@pytest.mark.parametrize("name", REFUSED_ON_THE_WAY)
def test_what_a_library_refuses_is_refused_on_the_tape(name):
    x = np.asarray([1.0, 2.0, 3.0])
    for call in (
        lambda f: f(x),
        lambda f: mm.jvp(f, (x,), (x,)),
        lambda f: mm.vjp(f, x),
        lambda f: mm.jet(f, (x,), ((x,),)),
    ):
        with pytest.raises((TypeError, ValueError)):  # ours are ValueErrors
            call(lambda v: REFUSED_ON_THE_WAY[name](mm.array_namespace(v), v))


@every_library
@pytest.mark.parametrize("name", ["tril", "triu"])
def test_triangles_of_vectors_are_those_of_each_row_or_refused(library, name):
    """NumPy makes a matrix of a vector first."""
    backend = load_backend(library)
    x = convert(backend, made((3, 3)))
    triangle = lambda v: getattr(mm.array_namespace(v), name)(v)  # noqa: E731
    try:
        wanted = np.stack([backend.to_numpy(triangle(x[i, ...])) for i in range(3)])
    except Exception:
        with pytest.raises(Exception, match="."):
            backend.to_numpy(mm.vmap(triangle)(x))
        return
    np.testing.assert_array_equal(backend.to_numpy(mm.vmap(triangle)(x)), wanted)
