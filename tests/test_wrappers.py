"""The transforms that libraries wrap for all frameworks (BayesFlow's list among them): each by itself, and all of them in one program."""

from __future__ import annotations

import numpy as np
import pytest
from libraries import TRAINING

import multimlp as mm
from multimlp.backend import array_namespace as space
from multimlp.backend import load_backend

X, V = np.asarray([0.5, -1.0, 2.0]), np.asarray([1.0, 2.0, -0.5])
ROWS = np.stack([X, V])


def scalar(x):
    return space(x).sum(x * x * x)


def scalar_and_aux(x):
    return scalar(x), {"twice": 2.0 * x}


def vector(x):
    return x * x * space(x).sum(x)


def vector_and_aux(x):
    return vector(x), {"twice": 2.0 * x}


_CUBE, _JACOBIAN = 3 * X**2, np.diag(2 * X * X.sum()) + np.outer(X**2, np.ones(3))

# name: what is called with x and v, and all that it returns, flattened
WRAPPERS = {
    "grad": (lambda x, v: mm.grad(scalar)(x), [_CUBE]),
    "grad, aux": (lambda x, v: mm.grad(scalar_and_aux, has_aux=True)(x), [_CUBE, 2 * X]),
    "grad, argnums": (lambda x, v: mm.grad(lambda v, x: scalar(x * v), argnums=(0, 1))(v, x), [3 * V**2 * X**3, 3 * X**2 * V**3]),
    "value_and_grad": (lambda x, v: mm.value_and_grad(scalar)(x), [np.sum(X**3), _CUBE]),
    "value_and_grad, aux": (
        lambda x, v: mm.value_and_grad(scalar_and_aux, has_aux=True)(x), [np.sum(X**3), 2 * X, _CUBE],
    ),
    "vjp": (lambda x, v: (lambda y, back: (y, back(v)))(*mm.vjp(vector, x)), [X**2 * X.sum(), V @ _JACOBIAN]),
    "vjp, aux": (
        lambda x, v: (lambda y, back, aux: (y, back(v), aux))(*mm.vjp(vector_and_aux, x, has_aux=True)),
        [X**2 * X.sum(), V @ _JACOBIAN, 2 * X],
    ),
    "jvp": (lambda x, v: mm.jvp(vector, (x,), (v,)), [X**2 * X.sum(), _JACOBIAN @ V]),
    "jvp, aux": (
        lambda x, v: mm.jvp(vector_and_aux, (x,), (v,), has_aux=True), [X**2 * X.sum(), _JACOBIAN @ V, 2 * X],
    ),
    "jacobian": (lambda x, v: mm.jacobian(vector)(x), [_JACOBIAN]),
    "jacobian, aux": (lambda x, v: mm.jacobian(vector_and_aux, has_aux=True)(x), [_JACOBIAN, 2 * X]),
    "jacfwd": (lambda x, v: mm.jacfwd(vector)(x), [_JACOBIAN]),
    "jacfwd, aux": (lambda x, v: mm.jacfwd(vector_and_aux, has_aux=True)(x), [_JACOBIAN, 2 * X]),
    "jacobian_trace": (lambda x, v: space(x).sum(mm.jacfwd(vector)(x) * space(x).eye(3, dtype=x.dtype)), [np.trace(_JACOBIAN)]),
    "linearize": (
        lambda x, v: (lambda y, push, aux: (y, push(v), aux))(*mm.linearize(vector_and_aux, x, has_aux=True)),
        [X**2 * X.sum(), _JACOBIAN @ V, 2 * X],
    ),
    "vmap": (lambda x, v: mm.vmap(mm.grad(scalar))(space(x).stack([x, v])), [3 * ROWS**2]),
    "vmap, axes": (
        lambda x, v: mm.vmap(lambda a, b: a * b, in_axes=(None, 1), out_axes=1)(x, space(x).stack([x, v], axis=1)),
        [np.stack([X * X, X * V], axis=1)],
    ),
    "vmap of jvp": (lambda x, v: mm.vmap(lambda t: mm.jvp(vector, (x,), (t,))[1])(space(x).stack([x, v])), [ROWS @ _JACOBIAN.T]),
    "hessian": (lambda x, v: mm.hessian(scalar)(x), [np.diag(6 * X)]),
    "jit": (lambda x, v: mm.jit(vector)(x), [X**2 * X.sum()]),
}  # fmt: skip


def leaves(backend, result):
    return [np.asarray(backend.to_numpy(leaf)) for leaf in mm.tree.leaves(result)]


@pytest.mark.parametrize("library", TRAINING)
@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper(library, name):
    backend = load_backend(library)
    call, wanted = WRAPPERS[name]
    x, v = (backend.asarray(a, dtype="float64") for a in (X, V))
    with backend.scope("float64"):
        found = leaves(backend, call(x, v))
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("library", TRAINING)
def test_all_of_them_under_jit(library):
    """One program: each compilation takes seconds."""
    backend = load_backend(library)
    program = mm.jit(lambda x, v: {name: call(x, v) for name, (call, _) in WRAPPERS.items()})
    x, v = (backend.asarray(a, dtype="float64") for a in (X, V))
    with backend.scope("float64"):
        results = program(x, v)
        again = program(x, v)
        found = {name: leaves(backend, results[name]) for name in WRAPPERS}
        second = {name: leaves(backend, again[name]) for name in WRAPPERS}
    for name, (_, wanted) in WRAPPERS.items():
        for a, b, c in zip(found[name], second[name], wanted, strict=True):
            np.testing.assert_allclose(a, c, rtol=1e-12, atol=1e-12, err_msg=name)
            np.testing.assert_array_equal(a, b)
