"""The arbitrary-precision backend: exact in, IEEE 754's answers at the edges, derivatives as good as values."""

import math

import mpmath
import numpy as np
import pytest

from multimlp import activations
from multimlp.activations import erf
from multimlp.backend import load_backend

ORACLE = load_backend("mpmath")
xp = ORACLE.xp
X = np.asarray([-3.0, -0.5, 0.25, 0.75, 2.0])

SMOOTH = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log1p": mpmath.log1p,
    "tanh": mpmath.tanh,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "asinh": mpmath.asinh,
    "atan": mpmath.atan,
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
}


def digits(actual, expected):
    """About how many decimal digits two numbers have in common."""
    with mpmath.workdps(60):
        error = abs(mpmath.mpf(actual._mpf_) - expected) / max(1, abs(expected))
        return 60 if error == 0 else -int(mpmath.log10(error))


@pytest.mark.parametrize("name", SMOOTH)
def test_values_and_tape_derivatives_have_fifty_digits(name):
    points = X if name != "log1p" else X[1:]
    x = ORACLE.asarray(points)
    (y,), pullback = ORACLE.vjp(lambda xs: (getattr(xs[0].__array_namespace__(), name)(xs[0]),), (x,))
    (slope,) = pullback((xp.ones_like(x),))
    with mpmath.workdps(60):
        for point, value, derivative in zip(points, y.data, slope.data, strict=True):
            assert digits(value, SMOOTH[name](mpmath.mpf(point))) >= 48
            with mpmath.workdps(120):
                expected = mpmath.diff(SMOOTH[name], mpmath.mpf(point))
            wanted = 14 if name in ("erf", "erfc") else 48  # 2 / sqrt(pi) of the tape's rule is a float
            assert digits(derivative, expected) >= min(wanted, 48)


EDGES = {
    "exp": [(-math.inf, 0), (math.inf, math.inf), (math.nan, math.nan), (1e300, math.inf)],
    "log": [(0.0, -math.inf), (-1.0, math.nan), (math.inf, math.inf)],
    "log1p": [(-1.0, -math.inf), (-2.0, math.nan), (math.inf, math.inf)],
    "sqrt": [(-1.0, math.nan), (math.inf, math.inf), (0.0, 0.0)],
    "expm1": [(-math.inf, -1), (math.inf, math.inf), (5e-324, 5e-324)],
    "tanh": [(-math.inf, -1), (1e300, 1)],
    "erfc": [(1e300, 0), (-math.inf, 2)],
    "sin": [(math.inf, math.nan)],
    "acos": [(2.0, math.nan)],
    "sign": [(math.nan, math.nan), (-0.0, 0), (-5e-324, -1)],
    "reciprocal": [(0.0, math.inf), (math.inf, 0)],
    "isfinite": [(math.inf, 0), (math.nan, 0), (1.0, 1)],
}


@pytest.mark.parametrize(("name", "x", "expected"), [(n, x, y) for n, rows in EDGES.items() for x, y in rows])
def test_edges(name, x, expected):
    assert np.array_equal(float(getattr(xp, name)(ORACLE.asarray(x))), expected, equal_nan=True)


def test_arithmetic_at_the_edges():
    zero, infinite, one = map(ORACLE.asarray, (0.0, math.inf, 1.0))
    assert float(xp.divide(one, zero)) == math.inf
    assert math.isnan(xp.divide(zero, zero))
    assert math.isnan(infinite - infinite)
    assert math.isnan(xp.maximum(ORACLE.asarray(math.nan), one))
    assert math.isnan(xp.max(ORACLE.asarray([1.0, math.nan, 2.0])))
    assert float(xp.pow(zero, ORACLE.asarray(-1.0))) == math.inf
    assert math.isnan(xp.pow(ORACLE.asarray(-1.0), ORACLE.asarray(0.5)))


def test_inputs_are_taken_exactly():
    third = np.float32(1) / np.float32(3)
    assert ORACLE.asarray(third).data[()] == mpmath.mpf(float(third))
    assert ORACLE.asarray(np.asarray([5e-324])).data[0] == mpmath.mpf(5e-324)
    assert ORACLE.asarray(np.asarray([True])).dtype is xp.bool
    assert ORACLE.asarray(np.asarray([2, 3]), dtype="float64").dtype is xp.float64


def test_reductions_and_products_against_float64():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
    A, B = ORACLE.asarray(a), ORACLE.asarray(b)
    for got, wanted in [
        (xp.matmul(A, B), a @ b),
        (xp.sum(A, axis=(0, 1)), a.sum()),
        (xp.mean(A, axis=1, keepdims=True), a.mean(1, keepdims=True)),
        (xp.var(A, axis=0), a.var(0)),
        (xp.prod(A), a.prod()),
        (xp.cumulative_sum(A, axis=1), a.cumsum(1)),
        (xp.sort(A, axis=1, descending=True), -np.sort(-a, 1)),
        (xp.argmax(A, axis=1), a.argmax(1)),
        (xp.concat([A, A], axis=1), np.concatenate([a, a], 1)),
        (xp.where(A > 0, A, 0.0), np.where(a > 0, a, 0)),
        (xp.take(A, ORACLE.asarray(np.asarray([2, 0])), axis=0), a[[2, 0]]),
        (xp.linalg.vector_norm(A), np.linalg.norm(a)),
        (A.mT, a.T),
        (xp.tril(A), np.tril(a)),
    ]:
        np.testing.assert_allclose(ORACLE.to_numpy(got), wanted, rtol=1e-14)


def test_portable_functions_run_on_it_as_they_are():
    x = ORACLE.asarray(X)
    with mpmath.workdps(60):
        assert digits(erf(x).data[4], mpmath.erf(2)) >= 48
    for name in activations.names():
        row = activations.describe(name)
        values = row.function(ORACLE.asarray(X[:4]))
        assert values.dtype is xp.float64, name


def test_triangles_of_what_is_infinite_and_remainders_by_infinities():
    x = xp.asarray(np.asarray([[1.0, 2.0], [np.inf, np.nan]]))
    np.testing.assert_array_equal(ORACLE.to_numpy(xp.triu(x)), np.triu(ORACLE.to_numpy(x)))
    np.testing.assert_array_equal(ORACLE.to_numpy(xp.tril(x, k=-1)), [[0.0, 0.0], [np.inf, 0.0]])
    for a in (5.0, -5.0, 0.0, math.inf, math.nan):
        for b in (math.inf, -math.inf):
            got = float(xp.remainder(xp.asarray(a), xp.asarray(b)))
            with np.errstate(invalid="ignore"):
                np.testing.assert_equal(got + 0.0, float(np.remainder(a, b)) + 0.0)
