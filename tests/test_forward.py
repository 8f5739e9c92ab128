"""Forward mode on the tape: high orders against mpmath, nesting with reverse mode and batches, and what it costs in calls."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from libraries import every_library

import multimlp as mm
from multimlp.backend import array_namespace as space
from multimlp.backend import load_backend

mp = mpmath.MPContext()
mp.dps = 60

FUNCTIONS = {
    "tanh": (lambda xp, x: xp.tanh(x), mp.tanh),
    "exp of sin": (lambda xp, x: xp.exp(xp.sin(x)), lambda x: mp.exp(mp.sin(x))),
    "x to the x": (lambda xp, x: xp.pow(x, x), lambda x: x**x),
    "quotient": (lambda xp, x: xp.cos(x) / (1.0 + x * x), lambda x: mp.cos(x) / (1 + x * x)),
    "logarithm": (lambda xp, x: xp.log1p(x) * xp.sqrt(x), lambda x: mp.log(1 + x) * mp.sqrt(x)),
    "product": (lambda xp, x: xp.prod(xp.stack([x, xp.sin(x), x])), lambda x: x * x * mp.sin(x)),
    "determinant": (
        lambda xp, x: xp.linalg.det(xp.stack([xp.stack([x, xp.sin(x)]), xp.stack([xp.cos(x), x * x])])),
        lambda x: x**3 - mp.sin(x) * mp.cos(x),
    ),
}

ORDERS = {
    "forward": "ffffff",
    "reverse": "rrrrrr",
    "forward of reverse": "rrrfff",
    "reverse of forward": "fffrrr",
    "in turn": "frfrfr",
}


def derivative(f, mode):
    if mode == "f":
        return lambda x: mm.jvp(f, (x,), (space(x).ones_like(x),))[1]
    return mm.grad(f)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("library", ["numpy", pytest.param("strict", marks=pytest.mark.slow)])
def test_the_sixth_derivative(name, order, library):
    function, exact = FUNCTIONS[name]
    backend, at = load_backend(library), 0.7
    f = lambda x: function(space(x), x)  # noqa: E731
    for mode in ORDERS[order]:
        f = derivative(f, mode)
    found = float(f(backend.asarray(at, dtype="float64")))
    wanted = float(mp.diff(exact, mp.mpf(at), 6, h=mp.mpf(10) ** -6))
    assert abs(found - wanted) <= 1e-9 * max(1.0, abs(wanted)), (found, wanted)


def _inner(x, y):
    return x * y * y


CONFUSION = {
    "jvp in jvp": (
        lambda x, d: mm.jvp(lambda x: x * mm.jvp(lambda y: x + y, (d.one,), (d.one,))[1], (x,), (d.one,))[1],
        1.0,
    ),
    "grad in jvp": (
        lambda x, d: mm.jvp(lambda x: x * mm.grad(lambda y: x + y)(d.one), (x,), (d.one,))[1],
        1.0,
    ),
    "jvp in grad": (
        lambda x, d: mm.grad(lambda x: x * mm.jvp(lambda y: x + y, (d.one,), (d.one,))[1])(x),
        1.0,
    ),
    "the tangent is differentiated": (
        lambda x, d: mm.grad(lambda t: mm.jvp(lambda y: y * y * y, (x,), (t,))[1])(d.one),
        3.0 * 4.0,
    ),
    "closed over and mapped": (
        lambda x, d: mm.jvp(
            lambda x: space(x).sum(mm.vmap(lambda r: mm.grad(lambda y: _inner(x, y))(r))(d.rows)), (x,), (d.one,)
        )[1],
        2.0 * 6.0,
    ),
    "mapped tangents": (
        lambda x, d: space(x).sum(mm.vmap(lambda t: mm.jvp(lambda y: y * y, (x,), (t,))[1])(d.rows)),
        4.0 * 6.0,
    ),
    "stop_gradient": (
        lambda x, d: mm.jvp(lambda x: x * mm.stop_gradient(x), (x,), (d.one,))[1],
        2.0,
    ),
}  # fmt: skip


class Data:
    def __init__(self, backend):
        self.one = backend.asarray(1.0, dtype="float64")
        self.rows = backend.asarray(np.asarray([1.0, 2.0, 3.0]), dtype="float64")


@every_library
@pytest.mark.parametrize("name", CONFUSION)
def test_perturbations_are_not_confused(name, library):
    backend = load_backend(library)
    make, wanted = CONFUSION[name]
    with backend.scope("float64"):
        found = make(backend.asarray(2.0, dtype="float64"), Data(backend))
    np.testing.assert_allclose(float(found), wanted, rtol=1e-14)


def test_the_function_is_called_once():
    calls = []

    def f(x):
        calls.append(x)
        return np.sin(x) * x

    x = np.asarray([1.0, 2.0])
    mm.jvp(f, (x,), (x,))
    assert len(calls) == 1
    mm.jacfwd(f)(x)  # one for the values, one for all columns
    assert len(calls) == 3


def test_integers_have_no_tangent():
    def f(x):
        return x * x, np.argmax(x), space(x).astype(x, np.int64)

    (_, place, whole), tangents = mm.jvp(f, (np.asarray([1.0, 3.0]),), (np.asarray([1.0, 1.0]),))
    assert place == 1
    assert whole.tolist() == [1, 3]
    assert tangents[0].tolist() == [2.0, 6.0]
    assert [np.asarray(t).tolist() for t in tangents[1:]] == [0, [0, 0]]
    assert np.asarray(tangents[2]).dtype.kind == "i"


def test_large_hessian_products_are_forward_over_reverse():
    rng = np.random.default_rng(0)
    x, v = rng.standard_normal((2, 100, 90))
    f = lambda x: np.sum(np.sin(x) * x[::-1])  # noqa: E731
    found = mm.hvp(f, (x,), (v,))
    by_columns = [
        mm.hvp(
            lambda row, i=i: np.sum(np.sin(row[0]) * row[1]) + np.sum(np.sin(row[1]) * row[0]),
            (x[[i, -1 - i]],),
            (v[[i, -1 - i]],),
        )
        for i in range(3)
    ]
    for i, rows in enumerate(by_columns):
        np.testing.assert_allclose(found[[i, -1 - i]], rows, rtol=1e-13, atol=1e-13)
